"""Whole builds: a resource and the Secrets it refers to, as one would apply them, and all objects that come of them."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import yaml
from t2i_operator import builders, settings, spec
from t2i_operator.builders import Observed
from t2i_operator.known import credentials, references
from t2i_operator.reconciling import signing

HERE = Path(__file__).parent
DEPLOYMENT = HERE.parents[1] / "manifests/base/deployment.yaml"
INPUTS = sorted(HERE.glob("*.input.yaml"))
_LONG = 6000
# Keys are random; these are not, so that a golden file can hold what follows from them.
KEYS = {
    "primary": base64.b64encode(b"k1").decode(),
    "k1": base64.b64encode(base64.b64encode(bytes(32))).decode(),
}


def golden(source: Path) -> Path:
    return source.with_name(source.name.replace(".input.yaml", ".yaml"))


def build(source: Path) -> list[dict[str, Any]]:
    """Return what the operator would apply for an input file."""
    documents = list(yaml.safe_load_all(source.read_text()))
    (body,) = (document for document in documents if document["kind"] == "TextToImageService")
    body["metadata"] = {"uid": "00000000-0000-4000-8000-000000000000", "generation": 1, **body["metadata"]}
    secrets = {each["metadata"]["name"]: each["data"] for each in documents if each["kind"] == "Secret"}
    secrets |= {
        f"configmaps/{each['metadata']['name']}": each["data"] for each in documents if each["kind"] == "ConfigMap"
    }
    resource, shipped = spec.parse(body), shipped_settings()
    return builders.desired(
        resource,
        Observed(
            image=shipped.service_image,
            jaeger_image=shipped.jaeger_image,
            keys=KEYS,
            keys_checksum=signing.checksum(KEYS),
            credentials=credentials.composed(resource, secrets),
            credentials_checksum=credentials.checksum(resource, secrets, signing.primary_key(KEYS) or b""),
            certificates_checksum=credentials.digest(
                references.certificate_values(resource, secrets) or {}, signing.primary_key(KEYS) or b""
            ),
            storage_checksum=credentials.digest(
                references.storage_values(resource, secrets) or {}, signing.primary_key(KEYS) or b""
            ),
            header_names=credentials.header_names(resource, secrets),
        ),
    )


def shipped_settings() -> settings.Settings:
    """Return what the operator is installed with: a release that brings other images restarts pods, too."""
    (container,) = yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]["containers"]
    return settings.read([], {each["name"]: each["value"] for each in container["env"] if "value" in each})


class _Dumper(yaml.SafeDumper):
    """Writes many lines as many lines."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    if len(value) > _LONG:  # dashboards: generated text with its own drift check
        value = f"{len(value)} characters, SHA-256 {hashlib.sha256(value.encode()).hexdigest()}"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dump(objects: list[dict[str, Any]]) -> str:
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)
