"""The suites on the real API server. A package, so that the operator they share ends when they do."""
