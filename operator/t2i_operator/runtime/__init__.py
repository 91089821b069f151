"""The process: what wakes it, its queue and workers, its Lease and its probes."""
