"""The Secrets, ConfigMaps and volumes of the user's that a spec names: they are watched over, and never deleted."""

import base64
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from t2i_operator import naming, spec
from t2i_operator.known import credentials
from t2i_operator.known.credentials import Problem, Secrets
from t2i_operator.kube.kinds import CONFIG_MAP, SECRET, Kind
from t2i_operator.spec import pod_references
from t2i_operator.spec.certificates import ClientTLS
from t2i_operator.spec.receivers import Receiver
from t2i_operator.spec.shared import SecretValue

_STORAGE = "spec.monitoring.tracing.jaeger.storage"


class Reference(NamedTuple):
    """Which object, which field names it, the keys it needs, and the condition that says what lacks ("": none does).

    `pem`: programs that read the keys would not start with anything else in them. `optional`: they start without.
    `in_environment`: the service's pods read it as they start.
    """

    kind: Kind
    name: str
    field: str
    keys: tuple[str, ...] = ()
    condition: str = ""
    pem: bool = False
    optional: bool = False
    in_environment: bool = False

    @property
    def source(self) -> str:
        """Return what its versions and data go by: a Secret's plain name, or a ConfigMap's with its kind."""
        return self.name if self.kind == SECRET else f"{self.kind.plural}/{self.name}"


def read_source(source: str) -> tuple[Kind, str]:
    """Return the kind and name of a source."""
    plural, _, name = source.rpartition("/")
    return (CONFIG_MAP if plural else SECRET), name


def sources(resource: spec.TextToImageService) -> list[str]:
    """Return the Secrets and ConfigMaps of the user's that have to be watched over."""
    observed = {each.source for each in references(resource) if each.condition}
    return sorted({*credentials.secret_names(resource), *observed})


def conditions(resource: spec.TextToImageService) -> frozenset[str]:
    """Return the conditions that cannot be judged without a look at what is named."""
    credentials_ready = ["CredentialsReady"] if credentials.secret_names(resource) else []
    return frozenset([*credentials_ready, *(each.condition for each in references(resource) if each.condition)])


def named(resource: spec.TextToImageService, kind: Kind) -> frozenset[str]:
    """Return the names of all objects of a kind that the spec refers to, whether they are in use or not."""
    found = {each.name for each in references(resource) if each.kind == kind}
    for template in (resource.spec.pod_template, resource.spec.monitoring.tracing.jaeger.pod_template):
        found |= {each.name for each in pod_references.named(spec.to_wire(template)) if each.kind == kind}
    return frozenset(found.union(credentials.secret_names(resource) if kind == SECRET else ()))


def lacks(resource: spec.TextToImageService, secrets: Secrets) -> dict[str, Problem]:
    """Say the first thing that is missing, by the condition that has to say so; `credentials` has more to say."""
    found: dict[str, Problem] = {}
    for each in references(resource):
        problem = _problem(each, secrets) if each.condition else None
        if problem is not None:
            found.setdefault(each.condition, problem)
    if headers := credentials.headers_problem(resource, secrets):
        found.setdefault("TracingReady", headers)
    return found


def storage_values(resource: spec.TextToImageService, secrets: Secrets) -> dict[str, str] | None:
    """Return what Jaeger's pod reads of the user's, empty when nothing; None while some of it is missing."""
    return _values_of(_storage(resource), secrets)


def certificate_values(resource: spec.TextToImageService, secrets: Secrets) -> dict[str, str] | None:
    """Return the certificates that spans are sent with, empty when there are none; None while one is missing."""
    return _values_of((each for each in _tracing(resource) if each.condition and each.pem), secrets)


def starts_with_credentials(resource: spec.TextToImageService) -> bool:
    """Tell whether a variable of `spec.podTemplate` is made from a Secret that the credentials are in as well."""
    secrets = credentials.secret_names(resource)
    return any(each.in_environment and each.kind == SECRET and each.name in secrets for each in _template(resource))


def environment_values(resource: spec.TextToImageService, secrets: Secrets) -> dict[str, str] | None:
    """Return what the service's pods read as they start by `spec.podTemplate`; None while they could not start."""
    values: dict[str, str] = {}
    for each in _template(resource):
        if not each.in_environment:
            continue
        if _problem(each, secrets) is not None:
            return None
        data = secrets.get(each.source) or {}
        values |= {f"{each.source}/{key}": data[key] for key in each.keys or data if key in data}
    return values


def _values_of(needed: Iterable[Reference], secrets: Secrets) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for each in needed:
        if _problem(each, secrets) is not None:
            return None
        values |= {f"{each.source}/{key}": (secrets[each.source] or {})[key] for key in each.keys}
    return values


def references(resource: spec.TextToImageService) -> list[Reference]:
    """List what the fields name, but for the credentials, and what the service's own pods need by their template."""
    found = (_receivers, _tracing, _storage, _ingress, _template)
    return [each for of in found for each in of(resource)]


def _problem(reference: Reference, secrets: Secrets) -> Problem | None:
    data, what = secrets.get(reference.source), f"{reference.kind.name} {reference.name}"
    if reference.optional:
        return None
    if data is None:
        return Problem(f"{reference.kind.name}Missing", f"there is no {what}; {reference.field} names it")
    missing = [key for key in reference.keys if key not in data]
    if missing:
        return Problem("KeyMissing", f"{what} has no key {missing[0]}; {reference.field} needs it")
    unreadable = [key for key in reference.keys if reference.pem and not _is_pem(reference.kind, data[key])]
    if unreadable:
        return Problem("KeyInvalid", f"key {unreadable[0]} of {what} is not PEM; {reference.field} needs it so")
    return None


def _is_pem(kind: Kind, value: str) -> bool:
    text = base64.b64decode(value) if kind == SECRET else value.encode()
    return b"-----BEGIN " in text


def _receivers(resource: spec.TextToImageService) -> Iterator[Reference]:
    alerts = resource.spec.monitoring.alerts
    condition = "AlertsReady" if alerts.mode == "Managed" else ""
    for receiver in alerts.receivers:
        for field, value in _values(receiver):
            ref, where = value.secret_key_ref, f"spec.monitoring.alerts.receivers[{receiver.name}].{field}"
            yield Reference(SECRET, ref.name, where, (ref.key,), condition)


def _values(receiver: Receiver) -> Iterator[tuple[str, SecretValue]]:
    if receiver.slack:
        yield "slack.apiURL", receiver.slack.api_url
    if receiver.pagerduty:
        yield "pagerduty.routingKey", receiver.pagerduty.routing_key
    if receiver.email and receiver.email.auth_password:
        yield "email.authPassword", receiver.email.auth_password
    if receiver.webhook:
        yield "webhook.url", receiver.webhook.url


def _tracing(resource: spec.TextToImageService) -> Iterator[Reference]:
    tracing = resource.spec.monitoring.tracing
    condition = "TracingReady" if tracing.mode == "External" else ""
    if tracing.headers_secret_ref:
        where = "spec.monitoring.tracing.headersSecretRef"
        yield Reference(SECRET, tracing.headers_secret_ref.name, where, condition=condition)
    if tracing.tls:
        yield from _certificates(tracing.tls, "spec.monitoring.tracing.tls", condition)


def _storage(resource: spec.TextToImageService) -> Iterator[Reference]:
    tracing = resource.spec.monitoring.tracing
    storage = tracing.jaeger.storage
    search = storage.elasticsearch or storage.open_search
    if search is None:
        return
    where = f"{_STORAGE}.{'elasticsearch' if storage.elasticsearch else 'openSearch'}"
    condition = "TracingReady" if tracing.mode == "Managed" else ""
    if search.credentials_secret_ref:
        name, keys = search.credentials_secret_ref.name, ("username", "password")
        yield Reference(SECRET, name, f"{where}.credentialsSecretRef", keys, condition)
    if search.tls:
        yield from _certificates(search.tls, f"{where}.tls", condition)


def _certificates(tls: ClientTLS, where: str, condition: str) -> Iterator[Reference]:
    if tls.ca and tls.ca.secret_key_ref:
        ref = tls.ca.secret_key_ref
        yield Reference(SECRET, ref.name, f"{where}.ca", (ref.key,), condition, pem=True)
    if tls.ca and tls.ca.config_map_key_ref:
        ref = tls.ca.config_map_key_ref
        yield Reference(CONFIG_MAP, ref.name, f"{where}.ca", (ref.key,), condition, pem=True)
    if tls.client_secret_ref:
        name, keys = tls.client_secret_ref.name, ("tls.crt", "tls.key")
        yield Reference(SECRET, name, f"{where}.clientSecretRef", keys, condition, pem=True)


def _ingress(resource: spec.TextToImageService) -> Iterator[Reference]:
    ingress = resource.spec.ingress
    if ingress and ingress.tls and ingress.tls.secret_name:
        where = "spec.ingress.tls.secretName"
        yield Reference(SECRET, ingress.tls.secret_name, where, ("tls.crt", "tls.key"), "RouteReady")


def _template(resource: spec.TextToImageService) -> Iterator[Reference]:
    """Yield what the service's pods start with or wait for, but for what the operator makes itself."""
    name, wanted = resource.metadata.name, resource.spec.credentials
    ours = {(SECRET, naming.keys(name)), (CONFIG_MAP, naming.config(name))}
    if wanted is not None and not credentials.in_place(resource):
        ours.add((SECRET, naming.credentials(name)))
    for each in pod_references.named(resource.spec.pod_template.spec):
        if each.awaited and (each.kind, each.name) not in ours:
            found = Reference(each.kind, each.name, "spec.podTemplate", each.keys, "CredentialsReady")
            yield found._replace(optional=each.optional, in_environment=each.in_environment)
