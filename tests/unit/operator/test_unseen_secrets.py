"""What is said of Secrets and ConfigMaps that could not be looked at: not that they are all there."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, INGRESS, SECRET, Object
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS

from tests.unit.operator.harness import KEY, Harness
from tests.unit.operator.resources import UNOBSERVED

FORBIDDEN = ApiError(403, "Forbidden", 'secrets "tokens" is forbidden: no right to get it')
TOKENS = Id(SECRET, KEY.namespace, "tokens")
CREDENTIALS: Object = {"credentials": {"secretRef": {"name": "tokens"}}}
CA: Object = {"ca": {"configMapKeyRef": {"name": "authority", "key": "ca.crt"}}}
EXTERNAL: Object = {"mode": "External", "endpoint": "https://traces:4317", "tls": CA}
ROUTED: Object = {"ingress": {"host": "images.example.com", "tls": {"secretName": "tokens"}}}
UNSEEN, LEFT = ("Unknown", "NotVisible"), ("False", "ApplyFailed")
AUTHORITY = Id(CONFIG_MAP, KEY.namespace, "authority")
DEPENDS: list[tuple[str, Id, dict[str, Any], tuple[str, str]]] = [
    ("CredentialsReady", TOKENS, CREDENTIALS, UNSEEN),
    ("TracingReady", AUTHORITY, {"monitoring": {**UNOBSERVED, "tracing": EXTERNAL}}, LEFT),
    ("RouteReady", TOKENS, ROUTED, UNSEEN),
]


@pytest.mark.parametrize(("condition", "source", "wanted", "told"), DEPENDS, ids=[each[0] for each in DEPENDS])
async def test_nobody_says_that_all_is_there_who_could_not_look(
    condition: str, source: Id, wanted: Any, told: tuple[str, str]
) -> None:
    harness = Harness(**wanted)
    if condition == "RouteReady":
        harness.say(Id(INGRESS, *KEY), {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    harness.cluster.refused[source] = FORBIDDEN
    said = (await harness.look(FORBIDDEN))[condition]
    assert (said.status, said.reason) == told
    assert FORBIDDEN.message in said.message


async def test_a_new_process_repeats_what_was_said_of_the_same_spec() -> None:
    before = Harness(**CREDENTIALS)
    said = (await before.look())["CredentialsReady"]
    assert (said.status, said.reason) == ("False", "SecretMissing")
    after = Harness(**CREDENTIALS)
    after.stored = before.stored
    after.cluster.refused[TOKENS] = FORBIDDEN
    assert (await after.look(FORBIDDEN))["CredentialsReady"] == said

    after.edit(logging={"level": "DEBUG"})
    assert (await after.look(FORBIDDEN))["CredentialsReady"].reason == "NotVisible", "of another spec it says nothing"


async def test_why_nobody_could_look_is_not_repeated_when_it_is_another_reason() -> None:
    harness = Harness(**CREDENTIALS)
    harness.cluster.refused[TOKENS] = FORBIDDEN
    await harness.look(FORBIDDEN)
    down = ApiError(500, "InternalError", "etcdserver: leader changed")
    harness.cluster.refused[TOKENS] = down
    with pytest.raises(ApiError):
        await harness.reconciler.reconcile(KEY)
    harness.now = GRACE_SECONDS
    assert down.message in (await harness.look(down))["CredentialsReady"].message


async def test_what_needs_no_secret_is_judged_without_one() -> None:
    harness = Harness(**{**CREDENTIALS, "monitoring": {**UNOBSERVED, "tracing": {**EXTERNAL, "tls": None}}})
    harness.cluster.refused[TOKENS] = FORBIDDEN
    said = await harness.look(FORBIDDEN)
    assert (said["TracingReady"].reason, said["RouteReady"].reason) == ("External", "Disabled")


async def test_a_token_that_no_field_leads_to_is_missing_whatever_the_secrets_hold() -> None:
    harness = Harness(models=[{"name": "sdxl", "provider": "Replicate"}], **ROUTED)
    harness.cluster.refused[TOKENS] = FORBIDDEN
    assert (await harness.look(FORBIDDEN))["CredentialsReady"].reason == "SecretMissing"


async def test_a_way_in_that_does_not_work_is_told_of_though_its_certificate_is_unseen() -> None:
    harness = Harness(**ROUTED)
    harness.cluster.refused[TOKENS] = FORBIDDEN
    assert (await harness.look(FORBIDDEN))["RouteReady"].reason == "AddressPending"
