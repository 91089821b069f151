"""Between the wire and the routes: how HTTP is read, who is let in, what every answer has in common."""
