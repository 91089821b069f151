"""The ConfigMap with the models, which the service reads."""

import hashlib

import msgspec

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import CONFIG_MAP, Object

MODELS_FILE = "models.json"


def config_map(resource: spec.TextToImageService) -> Object:
    """Hand the models on as the user wrote them; what is left out is the service's to fill in."""
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": metadata(resource, naming.config(resource.metadata.name)),
        "data": {
            MODELS_FILE: msgspec.json.format(msgspec.json.encode({"models": _models(resource)}), indent=2).decode()
        },
    }


def checksum(resource: spec.TextToImageService) -> str:
    """Digest of what must roll the pods; not of `sandbox`, which the running service re-reads."""
    models = [{name: value for name, value in model.items() if name != "sandbox"} for model in _models(resource)]
    return hashlib.sha256(msgspec.json.encode(models, order="sorted")).hexdigest()[:16]


def _models(resource: spec.TextToImageService) -> list[Object]:
    return [spec.to_wire(model) for model in resource.spec.models]
