"""The alerts and recording rules, one module a topic."""
