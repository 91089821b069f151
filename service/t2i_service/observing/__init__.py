"""What is measured, logged and traced, under names from one registry and with the ids of one request."""
