"""A volume of Jaeger's that the spec lets grow and its StorageClass does not."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, VOLUME_CLAIM
from t2i_operator.reconciling import volume

from tests.unit.operator.passes import KEY, SERVES, Parts
from tests.unit.operator.resources import UNOBSERVED
from tests.unit.operator.test_refused_route import Refusing
from tests.unit.operator.test_unread import DEPLOYED

NAME = f"{KEY.name}-jaeger"
CLAIM, JAEGER = Id(VOLUME_CLAIM, KEY.namespace, NAME), Id(DEPLOYMENT, KEY.namespace, NAME)
CONFIG = Id(CONFIG_MAP, KEY.namespace, f"{NAME}-config")
FIXED = ApiError(
    403,
    "Forbidden",
    f'persistentvolumeclaims "{NAME}" is forbidden: only dynamically provisioned pvc can be resized and '
    "the storageclass that provisions the pvc must support resize",
)


def kept(size: str, retention: str) -> Any:
    storage = {"type": "Badger", "badger": {"size": size, "retention": retention}}
    return {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": {"storage": storage}}}}


async def grown(monkeypatch: pytest.MonkeyPatch, error: ApiError, parts: Parts) -> Refusing:
    await parts.look()
    parts.say(JAEGER, SERVES)
    webhook = Refusing(parts, CLAIM)
    webhook.error = error
    monkeypatch.setattr(parts.cluster, "apply", webhook.apply)
    parts.cluster.written.clear()
    parts.edit(**kept("20Gi", "24h"), logging={"level": "DEBUG"})
    return webhook


async def test_it_is_said_what_to_do_and_all_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(**kept("10Gi", "72h"))
    webhook = await grown(monkeypatch, FIXED, parts)
    said = await parts.look(FIXED)
    assert {DEPLOYED, CONFIG, JAEGER} <= set(parts.cluster.written), "its pods run on with the volume as it is"
    assert (said["Ready"].status, said["Stalled"].status) == ("True", "False")
    assert said["TracingReady"][1:3] == ("False", "ApplyFailed")
    for words in (FIXED.message, "needs allowVolumeExpansion: true", "set storage.type: Memory"):
        assert words in said["TracingReady"].message
    assert not parts.outcome.faults[0].error.transient, "so that it is tried again now and then only"  # type: ignore[union-attr]

    parts.cluster.written.clear()
    await parts.look(FIXED)
    assert parts.cluster.written == []
    webhook.refused = ()
    await parts.look()
    assert parts.cluster.live[CLAIM]["spec"]["resources"]["requests"]["storage"] == "20Gi"


@pytest.mark.parametrize("made", [True, False], ids=["may pass", "never made"])
async def test_jaeger_waits_where_the_claim_may_not_be_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, *, made: bool
) -> None:
    error = ApiError(500, "InternalError", "etcdserver: leader changed") if made else FIXED
    parts = Parts(**kept("10Gi", "72h") if made else {})
    webhook = await grown(monkeypatch, error, parts) if made else Refusing(parts, CLAIM)
    webhook.error = error
    monkeypatch.setattr(parts.cluster, "apply", webhook.apply)
    parts.edit(**kept("20Gi", "24h"))
    parts.cluster.written.clear()
    await parts.look(error)
    assert JAEGER not in parts.cluster.written


def test_it_is_advised_of_volumes_only() -> None:
    quota = ApiError(403, "Forbidden", "exceeded quota: none")
    volume.add_advice(CLAIM, quota)
    other = ApiError(403, "Forbidden", FIXED.message)
    volume.add_advice(CONFIG, other)
    assert (quota.message, other.message) == ("exceeded quota: none", FIXED.message)
