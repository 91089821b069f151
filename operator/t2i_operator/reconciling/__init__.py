"""Makes the cluster say what a resource says: `reconcile` calls all the rest, which puts one thing each into place."""
