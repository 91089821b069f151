"""A Secret or ConfigMap that cannot be read: whom it is for waits, and all else is done and told in the same pass."""

import base64
from typing import NamedTuple
from unittest.mock import AsyncMock

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    NETWORK_POLICY,
    OPENTELEMETRY_COLLECTOR,
    SECRET,
    SERVICE,
    VOLUME_CLAIM,
    Kind,
    Object,
)
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS

from tests.unit.operator.harness import DEPLOYED, KEY, SERVES, Harness
from tests.unit.operator.resources import UNOBSERVED

LOCKED = ApiError(500, "InternalError", "Internal error occurred: no matching key was found for the provided Secret")
FORBIDDEN = ApiError(403, "Forbidden", "secrets is forbidden: User cannot get resource")
SILENT = ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request")
NAMED = Id(SECRET, KEY.namespace, "theirs")
BUNDLE = Id(CONFIG_MAP, KEY.namespace, "bundle")
PEM = "-----BEGIN CERTIFICATE-----"


class Use(NamedTuple):
    """A spec that names a source, the condition that speaks of it, and the object that is made for it."""

    wanted: Object
    source: Id
    condition: str
    user: Id


def alerts() -> Use:
    hook = {"name": "hook", "webhook": {"url": {"secretKeyRef": {"name": NAMED.name, "key": "url"}}}}
    wanted = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed", "receivers": [hook]}}}
    return Use(wanted, NAMED, "AlertsReady", Id(ALERTMANAGER_CONFIG, KEY.namespace, f"{KEY.name}-alerts"))


def jaeger(kind: Kind, source: Id = NAMED) -> Use:
    search: Object = {"serverURLs": ["https://s:9200"]}
    if source == NAMED:
        search["credentialsSecretRef"] = {"name": NAMED.name}
    else:
        search["tls"] = {"ca": {"configMapKeyRef": {"name": BUNDLE.name, "key": "ca.crt"}}}
    storage = {"type": "OpenSearch", "openSearch": search}
    tracing = {"mode": "Managed", "jaeger": {"format": kind.name, "storage": storage}}
    wanted = {"monitoring": {**UNOBSERVED, "tracing": tracing}}
    return Use(wanted, source, "TracingReady", Id(kind, KEY.namespace, f"{KEY.name}-jaeger"))


USES = {
    "receiver": alerts(),
    "storage of Jaeger": jaeger(DEPLOYMENT),
    "storage of a collector": jaeger(OPENTELEMETRY_COLLECTOR),
    "certificate of the storage": jaeger(DEPLOYMENT, BUNDLE),
}


def keep(harness: Harness, password: str = "p") -> None:  # noqa: S107 - of nobody
    """Put the sources into the cluster."""
    values = {"url": "u", "username": "u", "password": password, "tls.crt": PEM, "tls.key": PEM}
    coded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    for identity, data in ((NAMED, coded), (BUNDLE, {"ca.crt": PEM + password})):
        metadata = {"name": identity.name, "uid": identity.name, "resourceVersion": password}
        harness.cluster.live[identity] = {"metadata": metadata, "data": data}


async def ready(use: Use, **more: Object) -> Harness:
    harness = Harness(**use.wanted, **more)
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    keep(harness)
    await harness.look()
    if use.condition == "TracingReady":
        harness.say(use.user, {**SERVES, "scale": {"statusReplicas": "1/1"}})
    assert (await harness.look())[use.condition].status == "True"
    return harness


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_it_is_waited_for_by_one_condition_and_one_object(use: Use) -> None:
    harness = await ready(use)
    before = harness.cluster.live[use.user]["spec"]
    harness.cluster.refused[use.source] = LOCKED
    said = await harness.look(LOCKED)
    assert (said["Ready"].status, said[use.condition].status) == ("True", "True"), "it may pass"

    harness.cluster.written.clear()
    harness.edit(logging={"level": "DEBUG"})
    said = await harness.look(LOCKED)
    assert DEPLOYED in harness.cluster.written
    assert use.user not in harness.cluster.written
    assert (said["Ready"].status, said[use.condition].reason) == ("True", "Pending")

    harness.now = GRACE_SECONDS
    said = await harness.look(LOCKED)
    assert said["Ready"].status == "True"
    assert said[use.condition][1:3] == ("False", "ApplyFailed")
    assert f"{use.source.kind.name} {use.source.name} cannot be read: {LOCKED.message}" in said[use.condition].message
    assert harness.cluster.live[use.user]["spec"] == before

    keep(harness, password="another")
    del harness.cluster.refused[use.source]
    assert (await harness.look())[use.condition].status == "True"
    assert (harness.cluster.live[use.user]["spec"] != before) == (use.condition == "TracingReady")


async def test_nothing_of_a_jaeger_that_is_left_is_written() -> None:
    """Its next pod would start with the new configuration and without the credentials that this one asks for."""
    harness = Harness(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed"}})
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    keep(harness)
    await harness.look()
    harness.cluster.written.clear()
    harness.cluster.refused[NAMED] = FORBIDDEN
    harness.edit(logging={"level": "DEBUG"}, **jaeger(DEPLOYMENT).wanted)
    await harness.look(FORBIDDEN)
    assert DEPLOYED in harness.cluster.written
    assert not [each for each in harness.cluster.written if each.name.startswith(f"{KEY.name}-jaeger")]

    del harness.cluster.refused[NAMED]
    await harness.look()
    assert Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-jaeger-config") in harness.cluster.written


async def test_a_right_that_is_missing_is_told_at_once() -> None:
    harness = await ready(alerts())
    harness.cluster.refused[NAMED] = FORBIDDEN
    said = await harness.look(FORBIDDEN)
    assert (said["Ready"].status, said["AlertsReady"].reason) == ("True", "ApplyFailed")


async def test_what_is_not_wanted_of_the_rest_goes_and_what_is_not_done_is_said() -> None:
    use, policy = alerts(), Id(NETWORK_POLICY, *KEY)
    harness = await ready(Use({**use.wanted, "networkPolicy": {"mode": "Managed"}}, *use[1:]))
    assert policy in harness.cluster.live
    harness.cluster.refused[NAMED] = FORBIDDEN
    harness.edit(networkPolicy={"mode": "Disabled"})
    said = await harness.look(FORBIDDEN)
    assert policy not in harness.cluster.live
    assert use.user in harness.cluster.live
    assert (said["Ready"].status, *said["Reconciling"][1:3]) == ("True", "False", "ApplyFailed")
    assert said["Reconciling"].message.startswith(f"not done: {use.user} is left as it is: ")

    del harness.cluster.refused[NAMED]
    assert (await harness.look())["Reconciling"].reason == "Settled"


async def test_what_may_pass_is_not_told_of_while_all_was_settled() -> None:
    harness = await ready(alerts())
    settled = (await harness.look())["Reconciling"]
    harness.cluster.refused[NAMED] = LOCKED
    assert (await harness.look(LOCKED))["Reconciling"] == settled
    harness.edit(logging={"level": "DEBUG"})
    for _ in range(2):
        assert (await harness.look(LOCKED))["Reconciling"].reason == "ApplyFailed", "of this spec it never was"


async def test_what_came_before_an_object_that_cannot_be_made_stays() -> None:
    badger = {"storage": {"type": "Badger", "badger": {"size": "1Gi"}}}
    harness = Harness(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": badger}})
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    claim = Id(VOLUME_CLAIM, KEY.namespace, f"{KEY.name}-jaeger")
    await harness.look()
    assert claim in harness.cluster.live
    harness.cluster.refused[NAMED] = FORBIDDEN
    harness.edit(**jaeger(DEPLOYMENT).wanted)
    await harness.look(FORBIDDEN)
    assert claim in harness.cluster.live, "its pod runs on"

    del harness.cluster.refused[NAMED]
    keep(harness)
    await harness.look()
    assert claim not in harness.cluster.live


AUTHORITY: Object = {"configMapKeyRef": {"name": BUNDLE.name, "key": "ca.crt"}}
OTHERS = [{"name": "another", "provider": "Sandbox"}]
EXPORTED: Object = {"mode": "External", "endpoint": "https://c:4317", "headersSecretRef": {"name": NAMED.name}}
EXPORTS = {
    "headers": (NAMED, EXPORTED),
    "certificate": (BUNDLE, {**EXPORTED, "headersSecretRef": None, "tls": {"ca": AUTHORITY}}),
}


def started_with(**reference: object) -> Object:
    """Return a spec whose pods read the source as they start."""
    variable = {"name": "THEIRS", "valueFrom": {"secretKeyRef": {"name": NAMED.name, "key": "password", **reference}}}
    return {"podTemplate": {"spec": {"containers": [{"name": "text-to-image", "env": [variable]}]}}}


STARTED_WITH: dict[str, Object] = {
    "callers' keys": {"access": {"apiKeysSecretRef": {"name": NAMED.name}}},
    "variable": started_with(),
    "optional variable": started_with(optional=True),
}
MOUNTED = Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-config")
POLICY, SERVED = Id(NETWORK_POLICY, *KEY), Id(SERVICE, KEY.namespace, f"{KEY.name}-service")


async def edited_in_vain(harness: Harness, refusal: ApiError, said: str) -> None:
    """Edit the spec while the source cannot be read: the pass ends with that, and nothing is written."""
    harness.cluster.written.clear()
    harness.cluster.refused[NAMED] = refusal
    harness.edit(logging={"level": "DEBUG"})
    with pytest.raises(ApiError, match=said):
        await harness.reconciler.reconcile(KEY)
    assert not harness.cluster.written


@pytest.mark.parametrize("more", STARTED_WITH.values(), ids=STARTED_WITH)
async def test_what_pods_start_with_too_ends_the_pass(more: Object) -> None:
    harness = await ready(alerts(), **more)
    await edited_in_vain(harness, LOCKED, "no matching key")


async def exports(tracing: Object) -> Harness:
    """Return a service that sends spans elsewhere, by what can still be read."""
    harness = Harness(monitoring={**UNOBSERVED, "tracing": tracing}, networkPolicy={"mode": "Managed"})
    keep(harness)
    for _ in range(2):
        assert (await harness.look())["TracingReady"].reason == "External"
    harness.cluster.written.clear()
    return harness


@pytest.mark.parametrize(("source", "tracing"), EXPORTS.values(), ids=EXPORTS)
async def test_pods_that_send_spans_are_not_rolled_without_it_and_all_else_is_done(source: Id, tracing: Object) -> None:
    harness = await exports(tracing)
    harness.cluster.refused[source] = FORBIDDEN
    harness.edit(networkPolicy={"mode": "Disabled"}, service={"port": 90}, models=OTHERS)
    said = await harness.look(FORBIDDEN)
    assert SERVED in harness.cluster.written
    assert not {DEPLOYED, MOUNTED} & set(harness.cluster.written), "neither the pods nor half of what they read"
    words = f"{DEPLOYED} is left as it is: {source.kind.name} {source.name} cannot be read: {FORBIDDEN.message}"
    for condition in ("Ready", "Progressing", "TracingReady"):
        assert said[condition][1:3] == ("False", "ApplyFailed"), "the pods are of the older spec"
        assert said[condition].message.startswith(words)
    assert POLICY in harness.cluster.live, "what serves is not all in its place"

    del harness.cluster.refused[source]
    said = await harness.look()
    assert {DEPLOYED, MOUNTED} <= set(harness.cluster.written)
    assert POLICY not in harness.cluster.live
    assert (said["Ready"].status, said["TracingReady"].reason) == ("True", "External")


@pytest.mark.parametrize(("source", "tracing"), EXPORTS.values(), ids=EXPORTS)
async def test_traces_that_may_get_lost_lower_no_ready_of_pods_that_are_as_wanted(source: Id, tracing: Object) -> None:
    harness = await exports(tracing)
    harness.cluster.refused[source] = LOCKED
    said = await harness.look(LOCKED)
    assert {said[each].status for each in ("Ready", "TracingReady")} == {"True"}, "it may pass"

    harness.now = GRACE_SECONDS
    said = await harness.look(LOCKED)
    assert (said["Ready"].status, said["Stalled"].status) == ("True", "False")
    assert said["TracingReady"][1:3] == ("False", "ApplyFailed")
    assert not harness.cluster.written

    keep(harness, password="another")
    del harness.cluster.refused[source]
    said = await harness.look()
    assert DEPLOYED in harness.cluster.written, "its pods are rolled for the new one"
    assert said["TracingReady"].reason == "External"


@pytest.mark.parametrize(("source", "tracing"), EXPORTS.values(), ids=EXPORTS)
async def test_what_a_new_process_cannot_read_lowers_no_ready_of_pods_that_are_as_wanted(
    source: Id, tracing: Object
) -> None:
    harness = await exports(tracing)
    harness.cluster.refused[source] = FORBIDDEN
    before = await harness.look(FORBIDDEN)
    harness.restart()
    assert await harness.look(FORBIDDEN) == before
    assert (before["Ready"].status, before["TracingReady"].reason) == ("True", "ApplyFailed")

    harness.edit(logging={"level": "DEBUG"})
    for _ in range(2):
        harness.restart()
        assert (await harness.look(FORBIDDEN))["Ready"].reason == "ApplyFailed", "of this spec it never was"


async def test_an_ingress_only_names_its_certificate() -> None:
    ingress = Id(INGRESS, *KEY)
    harness = Harness(ingress={"host": "a.example.com", "tls": {"secretName": NAMED.name}})
    keep(harness)
    harness.say(ingress, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    assert (await harness.look())["RouteReady"].status == "True"
    harness.cluster.refused[NAMED] = FORBIDDEN
    edited = {"host": "b.example.com", "tls": {"secretName": NAMED.name}}
    harness.edit(ingress=edited, networkPolicy={"mode": "Managed"})
    said = await harness.look(FORBIDDEN)
    assert {ingress, POLICY} <= set(harness.cluster.written)
    assert said["Ready"].status == "True"
    message = f"Secret {NAMED.name} cannot be read: {FORBIDDEN.message}"
    assert said["RouteReady"][1:] == ("Unknown", "NotVisible", message)

    del harness.cluster.refused[NAMED], harness.cluster.live[NAMED]
    assert (await harness.look())["RouteReady"].reason == "SecretMissing", (
        "which a pass that could not look does not know"
    )
    keep(harness)
    assert (await harness.look())["RouteReady"].status == "True"


async def test_a_server_that_bids_to_stop_is_asked_for_nothing_more() -> None:
    harness = await ready(alerts())
    await edited_in_vain(harness, SILENT, "unable to handle")


async def test_a_pass_that_was_cut_short_repeats_nothing_that_nobody_could_look_at() -> None:
    keys = Id(SECRET, KEY.namespace, "keys")
    harness = Harness(ingress={"host": "a.example.com", "tls": {"secretName": NAMED.name}})
    harness.say(Id(INGRESS, *KEY), {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    harness.edit(credentials={"secretRef": {"name": keys.name}})
    harness.cluster.refused[NAMED] = FORBIDDEN
    assert (await harness.look(FORBIDDEN))["RouteReady"].reason == "NotVisible"
    harness.cluster.refused[keys], harness.stored = FORBIDDEN, []
    assert (await harness.look(FORBIDDEN))["RouteReady"].reason == "NotVisible", "its Secret was never found missing"
