"""Dashboards as code; `python -m dashboards` writes the JSON that the operator ships."""
