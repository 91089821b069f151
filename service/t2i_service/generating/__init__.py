"""From a task to pictures: a slot, a prediction, and what is counted, said and traced of its end."""
