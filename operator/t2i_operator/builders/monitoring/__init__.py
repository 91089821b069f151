"""What the operator makes for monitoring: pure builders, like those in `builders`."""
