"""Where spans go: the trace store by OTLP, and LangTrace. None of it holds a request up."""
