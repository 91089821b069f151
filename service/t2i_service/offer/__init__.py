"""What may be asked for: the shapes of the API, the models with their limits, and the task that comes of both."""
