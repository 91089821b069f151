"""A Deployment as it was applied, and as the API server returns it."""

from typing import Any

MAIN = 'k:{"name":"main"}'
DESIRED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "namespace": "n", "labels": {"app": "a"}},
    "spec": {
        "replicas": 0,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "i",
                        "args": ["b", "a"],
                        "env": [{"name": "EMPTY", "value": ""}],
                        "ports": [{"containerPort": 80}],
                        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            }
        },
    },
}


def live() -> dict[str, Any]:
    """Return DESIRED as it comes back: normalised, defaulted, and with somebody else's fields."""
    container_fields = {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:args": {},
        "f:env": {'k:{"name":"EMPTY"}': {".": {}, "f:name": {}, "f:value": {}}},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
        "f:resources": {"f:requests": {"f:cpu": {}, "f:memory": {}}},
    }
    pod_fields = {
        "f:containers": {'k:{"name":"main"}': container_fields},
        "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:name": {}, "f:emptyDir": {}}},
    }
    ours = {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:replicas": {}, "f:template": {"f:spec": pod_fields}},
    }
    container = {
        "name": "main",
        "image": "i",
        "imagePullPolicy": "Always",
        "args": ["b", "a"],
        "env": [{"name": "EMPTY"}],
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "a",
            "namespace": "n",
            "labels": {"app": "a", "team": "theirs"},
            "managedFields": [
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}},
                {"manager": "text-to-image-operator", "operation": "Apply", "fieldsV1": ours},
            ],
        },
        "spec": {
            "replicas": 0,
            "strategy": {},
            "template": {"spec": {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}},
        },
    }


def fields(of: dict[str, Any], manager: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = of["metadata"]["managedFields"][manager]["fieldsV1"]
    return found
