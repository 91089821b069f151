"""Reads what the builders need to know; made once here is what is random, because a builder is not."""

import re

from t2i_operator import naming, spec
from t2i_operator.builders import Observed
from t2i_operator.known import credentials, drift, references
from t2i_operator.known.faults import APPLY_FAILED, jaeger_of
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.known.version_cache import Versions
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import DEPLOYMENT, OPENTELEMETRY_COLLECTOR, OPTIONAL, SECRET, VOLUME_CLAIM, Kind, Object
from t2i_operator.reconciling import signing
from t2i_operator.spec.root import MOST_REPLICAS

_NUMBER = re.compile("[0-9]{1,4}")


class Observer:
    """Reads Secrets, and keeps nothing of them."""

    def __init__(self, cluster: Cluster, *, image: str, jaeger_image: str) -> None:
        self._cluster, self._image, self._jaeger_image = cluster, image, jaeger_image

    async def secrets(self, namespace: str, versions: Versions) -> credentials.Secrets:
        """Read the data of the Secrets and ConfigMaps that are there."""
        return {
            source: await self._data(namespace, source) if version else None for source, version in versions.items()
        }

    async def _data(self, namespace: str, source: str) -> dict[str, str] | None:
        kind, name = references.read_source(source)
        return credentials.data(await self._cluster.get(kind, namespace, name))

    async def observe(
        self, resource: spec.TextToImageService, secrets: credentials.Secrets, rollout: Rollout | None, outcome: Outcome
    ) -> Observed:
        """Gather the facts; while credentials are incomplete, pods keep what is missing: its old checksum and value.

        A Secret that is deleted by mistake, or made anew by a controller, must not take running pods down with it.

        Where a single object could not be read, `outcome` has a fault of it, and what is built of it is not to be used.
        """
        keys = signing.complete(credentials.data(await self._read_keys(resource)) or {})
        signing_key = signing.primary_key(keys) or b""
        incomplete = credentials.problem(resource, secrets) is not None
        environment = _environment(resource, secrets, incomplete=incomplete)
        live = None
        if incomplete or environment is None or _unstated(resource):
            live = await self._deployment(resource)
        composed = credentials.composed(resource, secrets)
        if incomplete and composed is not None:
            composed = {**await self._composed_before(resource), **composed}
        return Observed(
            image=self._image,
            jaeger_image=self._jaeger_image,
            keys=keys,
            keys_checksum=signing.checksum(keys),
            credentials=composed,
            credentials_checksum=credentials.checksum(
                resource, secrets, signing_key, _checksum(DEPLOYMENT, live) if incomplete else ""
            ),
            certificates_checksum=credentials.digest(
                references.certificate_values(resource, secrets) or {}, signing_key
            ),
            environment_checksum=_checksum(DEPLOYMENT, live, naming.ENVIRONMENT_CHECKSUM_ANNOTATION)
            if environment is None
            else credentials.digest(environment, signing_key),
            storage_checksum=await self._storage_checksum(resource, secrets, signing_key, outcome),
            volume_size=await self._volume_size(resource, outcome),
            header_names=credentials.header_names(resource, secrets),
            replicas=_kept(live) if _unstated(resource) else rollout.wanted if rollout else 0,
        )

    async def _storage_checksum(
        self, resource: spec.TextToImageService, secrets: credentials.Secrets, signing_key: bytes, outcome: Outcome
    ) -> str:
        """Keep what Jaeger's pod has while some of it is missing: another one could not start without."""
        tracing, values = resource.spec.monitoring.tracing, references.storage_values(resource, secrets)
        if values is not None:
            return credentials.digest(values, signing_key)
        if tracing.mode != "Managed":
            return ""
        jaeger = jaeger_of(resource)
        try:
            return _checksum(jaeger.kind, await self._cluster.get(*jaeger))
        except ApiError as error:
            if error.transient or jaeger.kind not in OPTIONAL:
                outcome.failed(jaeger, APPLY_FAILED, error)
            return ""  # where we have no right to the kind, it is not made either

    async def _volume_size(self, resource: spec.TextToImageService, outcome: Outcome) -> str:
        tracing, metadata = resource.spec.monitoring.tracing, resource.metadata
        if tracing.mode != "Managed" or tracing.jaeger.storage.type != "Badger":
            return ""
        claim = Id(VOLUME_CLAIM, metadata.namespace, naming.jaeger(metadata.name))
        try:
            live = await self._cluster.get(*claim)
        except ApiError as error:
            outcome.failed(claim, APPLY_FAILED, error)
            return ""
        return str(live["spec"]["resources"]["requests"]["storage"]) if live else ""

    async def _read_keys(self, resource: spec.TextToImageService) -> Object | None:
        metadata = resource.metadata
        return await self._cluster.get(SECRET, metadata.namespace, naming.keys(metadata.name))

    async def _deployment(self, resource: spec.TextToImageService) -> Object | None:
        metadata = resource.metadata
        return await self._cluster.get(DEPLOYMENT, metadata.namespace, naming.deployment(metadata.name))

    async def _composed_before(self, resource: spec.TextToImageService) -> dict[str, str]:
        metadata = resource.metadata
        live = await self._cluster.get(SECRET, metadata.namespace, naming.credentials(metadata.name))
        return credentials.data(live) or {}


def _environment(
    resource: spec.TextToImageService, secrets: credentials.Secrets, *, incomplete: bool
) -> dict[str, str] | None:
    """Return what pods start with, or None while others could not start, or not serve: they keep what they have."""
    if incomplete and references.starts_with_credentials(resource):
        return None
    return references.environment_values(resource, secrets)


def _unstated(resource: spec.TextToImageService) -> bool:
    return resource.spec.replicas is None and resource.spec.autoscaling is None


def _kept(live: Object | None) -> int:
    """Keep, where no number is stated, the one from when that began, which is noted on the Deployment.

    So nothing happens when an autoscaler is switched off, and what somebody sets by hand later is put back. It is
    read from the API server: of a number that an autoscaler has just set no event may have come yet. A note that
    another wrote, as `kubectl rollout undo` does that of an older ReplicaSet, is none.
    """
    if live is None:
        return 0
    noted = live["metadata"].get("annotations", {}).get(naming.REPLICAS_ANNOTATION, "")
    ours = drift.owned_fields(live).get("f:metadata", {}).get("f:annotations", {})
    if _NUMBER.fullmatch(noted) and int(noted) <= MOST_REPLICAS and f"f:{naming.REPLICAS_ANNOTATION}" in ours:
        return int(noted)
    return min(int(live["spec"].get("replicas", 1)), MOST_REPLICAS)


def _checksum(kind: Kind, live: Object | None, annotation: str = naming.CREDENTIALS_CHECKSUM_ANNOTATION) -> str:
    """Return the checksum that the pods of a Deployment or of a collector have; "" when there is none."""
    if live is None:
        return ""
    if kind == OPENTELEMETRY_COLLECTOR:
        annotations = live["spec"].get("podAnnotations", {})
    else:
        annotations = live["spec"]["template"]["metadata"].get("annotations", {})
    return str(annotations.get(annotation, ""))
