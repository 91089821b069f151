"""A real Kubernetes cluster on this machine: `python -m dev.cluster up|down|status|images`."""
