"""What is told of a resource: its conditions and their reasons, Events and metrics."""
