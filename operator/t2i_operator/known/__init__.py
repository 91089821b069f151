"""What is known of a resource and its objects: read from streams and answers, kept small, and written nowhere."""
