"""A volume of Jaeger's that the spec lets grow and its StorageClass does not."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, VOLUME_CLAIM
from t2i_operator.reconciling import volume

from tests.unit.operator.harness import DEPLOYED, KEY, SERVES, Harness
from tests.unit.operator.refusals import Refusing
from tests.unit.operator.resources import UNOBSERVED

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


async def grown(monkeypatch: pytest.MonkeyPatch, error: ApiError, harness: Harness) -> Refusing:
    await harness.look()
    harness.say(JAEGER, SERVES)
    webhook = Refusing(harness, CLAIM)
    webhook.error = error
    monkeypatch.setattr(harness.cluster, "apply", webhook.apply)
    harness.cluster.written.clear()
    harness.edit(**kept("20Gi", "24h"), logging={"level": "DEBUG"})
    return webhook


async def test_it_is_said_what_to_do_and_all_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(**kept("10Gi", "72h"))
    webhook = await grown(monkeypatch, FIXED, harness)
    said = await harness.look(FIXED)
    assert {DEPLOYED, CONFIG, JAEGER} <= set(harness.cluster.written), "its pods run on with the volume as it is"
    assert (said["Ready"].status, said["Stalled"].status) == ("True", "False")
    assert said["TracingReady"][1:3] == ("False", "ApplyFailed")
    for words in (FIXED.message, "needs allowVolumeExpansion: true", "set storage.type: Memory"):
        assert words in said["TracingReady"].message
    assert not harness.outcome.faults[0].error.transient, "so that it is tried again now and then only"  # type: ignore[union-attr]

    harness.cluster.written.clear()
    await harness.look(FIXED)
    assert harness.cluster.written == []
    webhook.refused = ()
    await harness.look()
    assert harness.cluster.live[CLAIM]["spec"]["resources"]["requests"]["storage"] == "20Gi"


@pytest.mark.parametrize("made", [True, False], ids=["may pass", "never made"])
async def test_jaeger_waits_where_the_claim_may_not_be_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, *, made: bool
) -> None:
    error = ApiError(500, "InternalError", "etcdserver: leader changed") if made else FIXED
    harness = Harness(**kept("10Gi", "72h") if made else {})
    webhook = await grown(monkeypatch, error, harness) if made else Refusing(harness, CLAIM)
    webhook.error = error
    monkeypatch.setattr(harness.cluster, "apply", webhook.apply)
    harness.edit(**kept("20Gi", "24h"))
    harness.cluster.written.clear()
    await harness.look(error)
    assert JAEGER not in harness.cluster.written


def test_it_is_advised_of_volumes_only() -> None:
    quota = ApiError(403, "Forbidden", "exceeded quota: none")
    volume.add_advice(CLAIM, quota)
    other = ApiError(403, "Forbidden", FIXED.message)
    volume.add_advice(CONFIG, other)
    assert (quota.message, other.message) == ("exceeded quota: none", FIXED.message)
