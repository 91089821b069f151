"""Resources and observations for tests of the builders."""

from typing import Any

import msgspec
from t2i_operator import spec
from t2i_operator.builders import Observed, desired
from t2i_operator.known.rollout import Rollout, rollout
from t2i_operator.kube.kinds import Kind, Object

OBSERVED = Observed(image="ghcr.io/text-to-image/service:1.2.3", keys={"primary": "a2V5", "key": "AAAA"})
WITH_JAEGER = msgspec.structs.replace(OBSERVED, jaeger_image="jaeger:2")
UNOBSERVED = {block: {"mode": "Disabled"} for block in ("metrics", "alerts", "dashboards", "tracing")}


def key(name: str, key: str = "k") -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


# Of a pod that refers to Secrets and ConfigMaps in each of the usual ways.
POD = {
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [
        {
            "name": "text-to-image",
            "env": [
                {"name": "A", "valueFrom": key("env")},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "m"}}},
            ],
            "envFrom": [{"secretRef": {"name": "from"}}, {"configMapRef": {"name": "map-from"}}],
        }
    ],
    "volumes": [
        {"name": "one", "secret": {"secretName": "volume"}},
        {"name": "two", "configMap": {"name": "map-volume"}},
        {
            "name": "three",
            "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "map"}}]},
        },
        {"name": "four", "persistentVolumeClaim": {"claimName": "claim"}},
    ],
}


def resource(**wanted: Any) -> spec.TextToImageService:
    """Return a resource with one Sandbox model and what the test wants; it is observed only if that says so."""
    wanted = {"monitoring": UNOBSERVED, **wanted}
    models = [{"name": "sdxl", "provider": "Sandbox"}]
    metadata = {"name": "pictures", "namespace": "studio", "uid": "0f0f", "generation": 1}
    return spec.parse({"metadata": metadata, "spec": {"models": models, **wanted}})


def built(kind: Kind, *, live: int = 0, **wanted: Any) -> Object | None:
    """Return the object of a kind that the whole build has; `live` are the Deployment's."""
    observed = Observed(image=OBSERVED.image, keys=OBSERVED.keys, replicas=live)
    found = [each for each in desired(resource(**wanted), observed) if each["kind"] == kind.name]
    assert len(found) <= 1, found
    return found[0] if found else None


def body(kind: Kind, **wanted: Any) -> Any:
    """Return the `spec` of that object, which has to be there."""
    found = built(kind, **wanted)
    assert found is not None, f"no {kind.name}"
    return found["spec"]


def deployed(reason: str = "NewReplicaSetAvailable", **fields: Any) -> Rollout:
    """Return what is kept of a Deployment of two pods that serve; `reason` is that of its condition Progressing."""
    numbers = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    progressing = {"type": "Progressing", "status": "Unknown", "reason": reason, "message": "as the controller says"}
    wanted = {"replicas": 2, "paused": fields.pop("paused", False)}
    status = {**numbers, "observedGeneration": 3, "conditions": [progressing, *fields.pop("conditions", ())], **fields}
    return rollout(
        {"metadata": {"name": "pictures", "namespace": "studio", "generation": 3}, "spec": wanted, "status": status}
    )
