"""One reconciliation: makes the cluster say what a resource says.

From an event to a status, with the module of each step:

1. A stream (`runtime.watches`, or Kopf for the resources) hands an object to its sink (`runtime.handlers`), which keeps
   a digest of it (`known`) and adds its resource's key to the queue (`runtime.queue`).
2. A worker (`runtime.work`) takes the key and calls `reconcile`, which parses the resource (`spec`).
3. `facts`: are the generation, the versions of Secrets and the digests of all objects those of the last complete pass?
   Then there is nothing to build, and it goes on with 6.
4. `wanted`: `observe` reads what the builders need, and `builders.desired` returns the objects that ought to exist.
5. `placement` puts one after the other into place (`objects`), `routing` looks whether the service is reached, and
   `prune` takes away what is wanted no more.
6. `judgement` reads what lives of it: rollout, pods, what Prometheus and Alertmanager select (`selection`).
7. `status.report` makes conditions of the outcome, and writes the status, Events and metrics where there is news.
"""
