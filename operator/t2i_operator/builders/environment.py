"""The environment of the service's container: its settings, by the names that the service's settings module reads."""

from t2i_operator import naming, spec
from t2i_operator.builders import tracing
from t2i_operator.builders.observed import Observed
from t2i_operator.kube.kinds import Object

CONFIG_DIR = "/etc/text-to-image/config"
API_KEYS_DIR = "/etc/text-to-image/api-keys"
SIGNING_KEYS_DIR = "/etc/text-to-image/keys"

REPLICATE_TOKEN = "REPLICATE_API_TOKEN"  # noqa: S105 - the variable's name
LANGTRACE_KEY = "LANGTRACE_API_KEY"

# After SIGTERM a pod still accepts this long, because endpoints and load balancers learn of its end later than it does.
DRAIN_SECONDS = 10
DEFAULT_TIMEOUT_SECONDS = 120


def grace_seconds(resource: spec.TextToImageService) -> int:
    """How long work that was accepted may still take: its wait in the queue and the longest model's time-out."""
    longest = max(model.timeout_seconds or DEFAULT_TIMEOUT_SECONDS for model in resource.spec.models)
    return longest + resource.spec.admission.max_queue_seconds


def environment(resource: spec.TextToImageService, image: str, observed: Observed) -> list[Object]:
    """Return `env` of the container; what the spec leaves out is left to the service's own default."""
    wanted = resource.spec
    values: dict[str, object | None] = {
        "LOG_LEVEL": wanted.logging.level,
        **tracing.variables(resource, observed),
        "LANGTRACE_API_HOST": wanted.monitoring.langtrace.host,
        "OTEL_SERVICE_NAME": resource.metadata.name,
        "T2I_MODELS_FILE": f"{CONFIG_DIR}/models.json",
        "T2I_SIGNING_KEYS_DIR": SIGNING_KEYS_DIR,
        "T2I_API_KEYS_DIR": API_KEYS_DIR if wanted.access.api_keys_secret_ref else None,
        "T2I_REQUESTS_PER_MINUTE": wanted.access.requests_per_minute,
        "T2I_MAX_IN_FLIGHT": wanted.admission.max_in_flight,
        "T2I_MAX_QUEUED": wanted.admission.max_queued,
        "T2I_MAX_QUEUE_SECONDS": wanted.admission.max_queue_seconds,
        "T2I_PUBLIC_URL": wanted.public_url,
        "T2I_PROMPT_CHARACTERS": wanted.logging.prompt_characters,
        "T2I_SAMPLING_RATIO": wanted.monitoring.tracing.sampling_ratio,
        "T2I_LANGTRACE_PROMPTS": wanted.monitoring.langtrace.prompts,
        "T2I_TRACE_URL": wanted.monitoring.dashboards.trace_url,
        "T2I_DRAIN_SECONDS": DRAIN_SECONDS,
        "T2I_GRACE_SECONDS": grace_seconds(resource),
    }
    plain = [{"name": name, "value": _literal(str(value))} for name, value in values.items() if value is not None]
    return [*_secrets(resource), *tracing.headers(resource, observed.header_names), *plain, *_identity(image)]


def _literal(value: str) -> str:
    """Keep the kubelet from putting another variable in, a token's too, where the spec says `$(...)`.

    Every `$` is doubled, as it reads `$$` as one: `$$(...)`, of which only `$(` were, would be put in after all.
    """
    return value.replace("$", "$$")


def _secrets(resource: spec.TextToImageService) -> list[Object]:
    """Refer to them as optional: a pod without its token starts and says so on `/ready`, rather than hang."""
    wanted = resource.spec.credentials
    if wanted is None:
        return []
    secret = wanted.secret_ref.name if wanted.secret_ref else naming.credentials(resource.metadata.name)
    names = [REPLICATE_TOKEN]
    if resource.spec.monitoring.langtrace.mode != "Disabled":
        names.append(LANGTRACE_KEY)
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name, "optional": True}}} for name in names
    ]


def _identity(image: str) -> list[Object]:
    """Spans and metrics name the pod; OTEL_RESOURCE_ATTRIBUTES must come after the variables it quotes."""
    attributes = ["k8s.namespace.name=$(POD_NAMESPACE)", "k8s.pod.name=$(POD_NAME)"]
    name, _, tag = image.rpartition(":")
    if name and "/" not in tag and "@" not in name:
        attributes.append(f"service.version={_literal(tag)}")
    return [
        _field("POD_NAME", "metadata.name"),
        _field("POD_NAMESPACE", "metadata.namespace"),
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": ",".join(attributes)},
    ]


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
