"""The pods: one container under restricted Pod Security, with a root file system that nobody can write."""

from t2i_operator import naming, spec
from t2i_operator.builders import tracing
from t2i_operator.builders.certificates import Mount
from t2i_operator.builders.config_map import checksum as config_checksum
from t2i_operator.builders.environment import (
    API_KEYS_DIR,
    CONFIG_DIR,
    DRAIN_SECONDS,
    SIGNING_KEYS_DIR,
    environment,
    grace_seconds,
)
from t2i_operator.builders.observed import Observed
from t2i_operator.builders.pod_template import merged
from t2i_operator.builders.restricted import container_security, pod_security, volume_mounts
from t2i_operator.kube.kinds import Object

_MARGIN_SECONDS = 10


def pod_template(resource: spec.TextToImageService, observed: Observed) -> Object:
    """Return the template with `spec.podTemplate` merged over it."""
    name = resource.metadata.name
    annotations = {naming.CONFIG_CHECKSUM_ANNOTATION: config_checksum(resource)}
    if observed.keys_checksum:
        annotations[naming.KEYS_CHECKSUM_ANNOTATION] = observed.keys_checksum
    if observed.credentials_checksum:
        annotations[naming.CREDENTIALS_CHECKSUM_ANNOTATION] = observed.credentials_checksum
    if observed.certificates_checksum:
        annotations[naming.CERTIFICATES_CHECKSUM_ANNOTATION] = observed.certificates_checksum
    if observed.environment_checksum:
        annotations[naming.ENVIRONMENT_CHECKSUM_ANNOTATION] = observed.environment_checksum
    built: Object = {
        "metadata": {"labels": naming.labels(name), "annotations": annotations},
        "spec": _pod_spec(resource, observed),
    }
    return merged(built, resource.spec.pod_template, "spec.podTemplate")


def _pod_spec(resource: spec.TextToImageService, observed: Observed) -> Object:
    name = resource.metadata.name
    return {
        "serviceAccountName": naming.service_account(name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": DRAIN_SECONDS + grace_seconds(resource) + _MARGIN_SECONDS,
        "securityContext": pod_security(),
        "topologySpreadConstraints": [
            _spread(name, "kubernetes.io/hostname"),
            _spread(name, "topology.kubernetes.io/zone"),
        ],
        "containers": [_container(resource, observed)],
        "volumes": [mount.volume for mount in _mounts(resource, observed)],
    }


def _container(resource: spec.TextToImageService, observed: Observed) -> Object:
    image = resource.spec.image or observed.image
    return {
        "name": naming.CONTAINER,
        "image": image,
        "imagePullPolicy": resource.spec.image_pull_policy,
        "env": environment(resource, image, observed),
        "ports": [{"name": naming.PORT_NAME, "containerPort": naming.CONTAINER_PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/health", period=1, failures=60),
        "livenessProbe": _probe("/health", period=10, failures=3),
        "readinessProbe": _probe("/ready", period=5, failures=2),
        # No CPU limit: throttling a pod that draws or encodes slows every request in it.
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": volume_mounts(_mounts(resource, observed)),
    }


def _probe(path: str, *, period: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": naming.PORT_NAME, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _mounts(resource: spec.TextToImageService, observed: Observed) -> list[Mount]:
    """Not optional: a pod without its API keys must not start, or it would let anybody in."""
    name, api_keys = resource.metadata.name, resource.spec.access.api_keys_secret_ref
    scratch: Object = {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}
    signing_keys = {"secretName": naming.keys(name), "defaultMode": 0o440}
    found = [
        Mount(scratch, "/tmp", read_only=False),  # noqa: S108 - the container's own emptyDir
        Mount({"name": "config", "configMap": {"name": naming.config(name)}}, CONFIG_DIR),
        Mount({"name": "keys", "secret": signing_keys}, SIGNING_KEYS_DIR),
    ]
    if api_keys:
        secret = {"secretName": api_keys.name, "defaultMode": 0o440}
        found.append(Mount({"name": "api-keys", "secret": secret}, API_KEYS_DIR))
    return [*found, *tracing.mounts(resource, observed)]


def _spread(name: str, topology_key: str) -> Object:
    """Spread each revision by itself, so that a rollout does not count the pods it replaces."""
    return {
        "maxSkew": 1,
        "topologyKey": topology_key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": naming.selector_labels(name)},
        "matchLabelKeys": ["pod-template-hash"],
    }
