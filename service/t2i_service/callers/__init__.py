"""Who may ask, how often and how many at once, and the ids and links that they hold."""
