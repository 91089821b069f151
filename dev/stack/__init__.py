"""The monitoring stack of the local cluster, and the programs that its tests need."""
