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
8. `requeue` says when to look again.

What words stand for, here and in `known` and `status`:

- a pass: one call of `reconcile`
- a digest: what is kept of an object instead of it (`known.children.Child`)
- a fingerprint: the keyed hash of those fields of an object that are ours (`known.drift`)
- a checksum: an annotation of a pod template, by whose change pods are rolled
- a fault: an object that is not in its place (`known.faults.Fault`)
- a failure: an error, and the condition that it counts for (`known.faults.Failure`)
- a problem: the reason and message of what a user has to mend (`known.credentials.Problem`)
- trouble: why a pod does not run (`known.pods.Trouble`)
- a verdict: the status, reason and message of what is to be said of one object (`known.outcome.Verdict`)
- a contest: a fight with another writer over a field (`known.contest`)
- a rival: another operator of this kind, which serves the same resource
- deeds: what a pass has written (the last fields of `known.outcome.Outcome`)
- to observe: in `known`, to take in what a stream or an answer shows; in `observe`, to read what the builders need
"""
