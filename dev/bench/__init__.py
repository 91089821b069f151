"""Benchmarks with figures: `make bench-operator`, `make bench-service`; docs/performance.md says what they mean."""
