"""Which Secrets and keys a resource needs, whether they are there, and a checksum that changes when they do."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from t2i_operator import spec
from t2i_operator.builders.environment import LANGTRACE_KEY, REPLICATE_TOKEN
from t2i_operator.kube.kinds import Object

# Each becomes a variable of the pods, and all their names one more: one Secret can hold a hundred thousand.
_MOST_HEADERS = 64

# The data of each referenced Secret, base64 as on the wire; None where there is no such Secret.
Secrets = Mapping[str, Mapping[str, str] | None]


class Need(NamedTuple):
    """One value: the variable it becomes, where it is kept, and what asks for it ("" when it may be missing)."""

    variable: str
    secret: str
    key: str
    why: str


class Problem(NamedTuple):
    """What is missing, as the reason and message of CredentialsReady."""

    reason: str
    message: str


def secret_names(resource: spec.TextToImageService) -> list[str]:
    """Return the Secrets that the service's keys and its callers' are in."""
    names = {need.secret for need in needs(resource)}
    if resource.spec.access.api_keys_secret_ref:
        names.add(resource.spec.access.api_keys_secret_ref.name)
    return sorted(names)


def headers_secret(resource: spec.TextToImageService) -> str:
    """Return the Secret of the headers that spans are sent with; "" when there is none.

    It is no need of `needs`: without it traces are lost, and that must not lower Ready.
    """
    tracing = resource.spec.monitoring.tracing
    return tracing.headers_secret_ref.name if tracing.mode == "External" and tracing.headers_secret_ref else ""


def header_names(resource: spec.TextToImageService, secrets: Secrets) -> tuple[str, ...]:
    """Return the keys of that Secret, each of which is a header; none where there are too many."""
    names = () if headers_problem(resource, secrets) else secrets.get(headers_secret(resource)) or ()
    return tuple(sorted(names))


def headers_problem(resource: spec.TextToImageService, secrets: Secrets) -> Problem | None:
    """Say that there are too many headers."""
    secret = headers_secret(resource)
    count = len(secrets.get(secret) or ())
    if count <= _MOST_HEADERS:
        return None
    where = "spec.monitoring.tracing.headersSecretRef sends each as a header"
    return Problem("TooManyKeys", f"Secret {secret} has {count} keys; {where}: leave {_MOST_HEADERS} at most")


def needs(resource: spec.TextToImageService) -> list[Need]:
    """List the values that the pods get from Secrets."""
    return list(_needs(resource))


def _needs(resource: spec.TextToImageService) -> Iterator[Need]:
    wanted, langtrace = resource.spec.credentials, resource.spec.monitoring.langtrace.mode
    if wanted is None:
        return
    demanded = "spec.monitoring.langtrace.mode is Enabled" if langtrace == "Enabled" else ""
    if wanted.secret_ref:
        yield Need(REPLICATE_TOKEN, wanted.secret_ref.name, REPLICATE_TOKEN, _replicate_models(resource))
        if langtrace != "Disabled":
            yield Need(LANGTRACE_KEY, wanted.secret_ref.name, LANGTRACE_KEY, demanded)
    if wanted.replicate_api_token:
        ref = wanted.replicate_api_token.secret_key_ref
        yield Need(REPLICATE_TOKEN, ref.name, ref.key, "spec.credentials.replicateApiToken names it")
    if wanted.langtrace_api_key and langtrace != "Disabled":
        ref = wanted.langtrace_api_key.secret_key_ref
        yield Need(LANGTRACE_KEY, ref.name, ref.key, "spec.credentials.langtraceApiKey names it")


def problem(resource: spec.TextToImageService, secrets: Secrets) -> Problem | None:
    """Say the first thing that is missing; None when all that is needed is there."""
    problems = (_missing(need, secrets) for need in needs(resource))
    found = not_given(resource) or next(filter(None, problems), None)
    return found or _api_keys_missing(resource, secrets)


def not_given(resource: spec.TextToImageService) -> Problem | None:
    """Say what no field of the spec leads to, wherever it may be."""
    given = {need.variable for need in needs(resource)}
    replicate = _replicate_models(resource)
    if replicate and REPLICATE_TOKEN not in given:
        where = "spec.credentials.replicateApiToken or spec.credentials.secretRef"
        return Problem("SecretMissing", f"{replicate} and needs {REPLICATE_TOKEN}; give {where}")
    if resource.spec.monitoring.langtrace.mode == "Enabled" and LANGTRACE_KEY not in given:
        where = "spec.credentials.langtraceApiKey or spec.credentials.secretRef"
        return Problem(
            "SecretMissing", f"spec.monitoring.langtrace.mode is Enabled and needs {LANGTRACE_KEY}; give {where}"
        )
    return None


def _missing(need: Need, secrets: Secrets) -> Problem | None:
    data = secrets.get(need.secret)
    if data is None:
        return Problem("SecretMissing", f"there is no Secret {need.secret}; create it with the key {need.key}")
    if not need.why:
        return None
    if need.key not in data:
        return Problem("KeyMissing", f"Secret {need.secret} has no key {need.key}; {need.why}")
    if not base64.b64decode(data[need.key]).strip():
        return Problem("KeyEmpty", f"key {need.key} of Secret {need.secret} is empty; {need.why}")
    return None


def _api_keys_missing(resource: spec.TextToImageService, secrets: Secrets) -> Problem | None:
    ref = resource.spec.access.api_keys_secret_ref
    if ref is None:
        return None
    data = secrets.get(ref.name)
    if data is None:
        return Problem("SecretMissing", f"there is no Secret {ref.name}; spec.access.apiKeysSecretRef names it")
    if not data:
        return Problem("KeyMissing", f"Secret {ref.name} has no key, so nobody can call the service; add one a caller")
    return None


def composed(resource: spec.TextToImageService, secrets: Secrets) -> dict[str, str] | None:
    """Return the data of `<name>-secrets`; None when a Secret is used in place, or there are no credentials."""
    wanted = resource.spec.credentials
    return None if wanted is None or wanted.secret_ref else _values(resource, secrets)


def checksum(resource: spec.TextToImageService, secrets: Secrets, signing_key: bytes, running: str = "") -> str:
    """Digest each value that the pods get; keyed, so that nobody can try out guesses against an annotation.

    `running` is what pods run with: a value that is missing keeps its part of it, and all of it stays while pods could
    not start, or not serve, without what is missing.
    """
    parts = {name: digest({name: value}, signing_key) for name, value in _values(resource, secrets).items()}
    if header_names(resource, secrets):
        parts["headers"] = digest(secrets[headers_secret(resource)] or {}, signing_key)
    before = dict(part.split("=", 1) for part in running.split(",") if "=" in part)
    missing = {need.variable for need in needs(resource) if _missing(need, secrets) is not None}
    kept = {name: part for name, part in before.items() if name in missing}
    if before and not _could_start(resource, secrets, missing):
        return running
    if in_place(resource) and parts != {name: part for name, part in before.items() if name not in missing}:
        kept = {}  # new pods will not have it, and have to be rolled again when it is back
    return ",".join(f"{name}={part}" for name, part in sorted((parts | kept).items()))


def digest(values: Mapping[str, str], signing_key: bytes) -> str:
    """Digest values so that nobody without the key can try out guesses; "" for none."""
    text = b"credentials" + msgspec.json.encode(dict(values), order="sorted")
    return hmac.new(signing_key, text, hashlib.sha256).hexdigest()[:16] if values else ""


def in_place(resource: spec.TextToImageService) -> bool:
    """Tell whether pods read the user's own Secret, rather than one that still has what went missing elsewhere."""
    wanted = resource.spec.credentials
    return wanted is not None and wanted.secret_ref is not None


def _could_start(resource: spec.TextToImageService, secrets: Secrets, missing: set[str]) -> bool:
    """Tell whether new pods would serve: callers' keys are mounted, and a token that is not composed is read."""
    keys = resource.spec.access.api_keys_secret_ref
    if keys is not None and secrets.get(keys.name) is None:
        return False
    return not (in_place(resource) and REPLICATE_TOKEN in missing and _replicate_models(resource))


def _values(resource: spec.TextToImageService, secrets: Secrets) -> dict[str, str]:
    found = {need.variable: (secrets.get(need.secret) or {}).get(need.key) for need in needs(resource)}
    return {variable: value for variable, value in found.items() if value}


def _replicate_models(resource: spec.TextToImageService) -> str:
    names = [model.name for model in resource.spec.models if model.provider == "Replicate"]
    return f"model {', '.join(names)} uses provider Replicate" if names else ""


def data(live: Object | None) -> dict[str, str] | None:
    """Return what a Secret, or a ConfigMap, has under its keys; None when there is none."""
    return None if live is None else {**(live.get("binaryData") or {}), **(live.get("data") or {})}
