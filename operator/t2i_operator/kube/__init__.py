"""The API server: what it is asked, what it answers, and which kinds there are."""
