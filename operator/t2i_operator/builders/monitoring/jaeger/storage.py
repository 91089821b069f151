"""Where Jaeger keeps traces: its part of the configuration, and the volumes and variables that go with it."""

from collections.abc import Iterator

from t2i_operator import naming, spec
from t2i_operator.builders.certificates import CA_FILE, CERTIFICATE_FILE, KEY_FILE, Mount, certificates
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger import memory
from t2i_operator.kube.kinds import VOLUME_CLAIM, Object
from t2i_operator.spec.jaeger import BadgerStorage, SearchStorage

BADGER_FOLDER = "/var/lib/jaeger"
_TLS_FOLDER = "/etc/jaeger/tls"
_DEFAULT_BADGER = BadgerStorage()


def configuration(resource: spec.TextToImageService) -> Object:
    """Return the backend as the `jaeger_storage` extension spells it."""
    storage = resource.spec.monitoring.tracing.jaeger.storage
    if storage.type == "Badger":
        wanted = storage.badger or _DEFAULT_BADGER
        folders = {"keys": f"{BADGER_FOLDER}/keys", "values": f"{BADGER_FOLDER}/values"}
        return {"badger": {"directories": folders, "ephemeral": False, "ttl": {"spans": wanted.retention}}}
    if search := _search(resource):
        return {storage.type.lower(): _search_configuration(search)}
    return {"memory": {"max_traces": memory.kept_traces(resource)}}


def volume_claim(resource: spec.TextToImageService, live_size: str = "") -> Object | None:
    """Return the claim for Badger's volume; it goes with the resource, and with another storage.

    Where somebody has let the live one grow it stays as large: no claim can ask for less than it did.
    """
    storage = resource.spec.monitoring.tracing.jaeger.storage
    if storage.type != "Badger":
        return None
    wanted = storage.badger or _DEFAULT_BADGER
    body: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": _larger(str(wanted.size), live_size)}},
    }
    if wanted.storage_class_name:
        body["storageClassName"] = wanted.storage_class_name
    name = naming.jaeger(resource.metadata.name)
    return {
        "apiVersion": VOLUME_CLAIM.api_version,
        "kind": VOLUME_CLAIM.name,
        "metadata": metadata(resource, name, component="jaeger"),
        "spec": body,
    }


def _larger(wanted: str, live: str) -> str:
    return live if live and spec.amount(live) > spec.amount(wanted) else wanted


def mounts(resource: spec.TextToImageService) -> Iterator[Mount]:
    """Yield the volumes that the storage needs."""
    if resource.spec.monitoring.tracing.jaeger.storage.type == "Badger":
        claim = {"claimName": naming.jaeger(resource.metadata.name)}
        yield Mount({"name": "traces", "persistentVolumeClaim": claim}, BADGER_FOLDER, read_only=False)
    search = _search(resource)
    if search and search.tls:
        yield from certificates(search.tls, "storage", _TLS_FOLDER)


def environment(resource: spec.TextToImageService) -> list[Object]:
    """Return the variables that the configuration quotes, so that no password is written into a ConfigMap."""
    search = _search(resource)
    if search is None or search.credentials_secret_ref is None:
        return []
    secret = search.credentials_secret_ref.name
    return [
        {"name": f"STORAGE_{key.upper()}", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for key in ("username", "password")
    ]


def _search(resource: spec.TextToImageService) -> SearchStorage | None:
    storage = resource.spec.monitoring.tracing.jaeger.storage
    return storage.elasticsearch or storage.open_search


def _literal(value: str) -> str:
    """Keep Jaeger from reading a file or a variable where the spec says `${file:...}`: it takes `$$` for one `$`.

    Source: `expand.go` and `escapeDollarSigns` of the collector's confmap.
    """
    return value.replace("$", "$$")


def _search_configuration(search: SearchStorage) -> Object:
    body: Object = {"server_urls": [_literal(url) for url in search.server_urls]}
    if search.index_prefix:
        body["indices"] = {"index_prefix": search.index_prefix}
    if search.credentials_secret_ref:
        basic = {"username": "${env:STORAGE_USERNAME}", "password": "${env:STORAGE_PASSWORD}"}
        body["auth"] = {"basic": basic}
    if search.tls and search.tls.ca:
        body["tls"] = {"ca_file": f"{_TLS_FOLDER}/{CA_FILE}"}
    if search.tls and search.tls.client_secret_ref:
        own = {"cert_file": f"{_TLS_FOLDER}/{CERTIFICATE_FILE}", "key_file": f"{_TLS_FOLDER}/{KEY_FILE}"}
        body["tls"] = {**body.get("tls", {}), **own}
    return body
