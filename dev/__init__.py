"""What a developer runs: the local cluster, image builds, benchmarks. Nothing here ships."""
