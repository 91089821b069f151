"""Jaeger v2, which is an OpenTelemetry Collector with a storage and a query page."""
