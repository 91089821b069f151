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

from tests.unit.operator.passes import KEY, SERVES, Parts
from tests.unit.operator.resources import UNOBSERVED
from tests.unit.operator.test_unread import DEPLOYED

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


def keep(parts: Parts, password: str = "p") -> None:  # noqa: S107 - of nobody
    """Put the sources into the cluster."""
    values = {"url": "u", "username": "u", "password": password, "tls.crt": PEM, "tls.key": PEM}
    coded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    for identity, data in ((NAMED, coded), (BUNDLE, {"ca.crt": PEM + password})):
        metadata = {"name": identity.name, "uid": identity.name, "resourceVersion": password}
        parts.cluster.live[identity] = {"metadata": metadata, "data": data}


async def ready(use: Use, **more: Object) -> Parts:
    parts = Parts(**use.wanted, **more)
    parts.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    keep(parts)
    await parts.look()
    if use.condition == "TracingReady":
        parts.say(use.user, {**SERVES, "scale": {"statusReplicas": "1/1"}})
    assert (await parts.look())[use.condition].status == "True"
    return parts


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_it_is_waited_for_by_one_condition_and_one_object(use: Use) -> None:
    parts = await ready(use)
    before = parts.cluster.live[use.user]["spec"]
    parts.cluster.refused[use.source] = LOCKED
    said = await parts.look(LOCKED)
    assert (said["Ready"].status, said[use.condition].status) == ("True", "True"), "it may pass"

    parts.cluster.written.clear()
    parts.edit(logging={"level": "DEBUG"})
    said = await parts.look(LOCKED)
    assert DEPLOYED in parts.cluster.written
    assert use.user not in parts.cluster.written
    assert (said["Ready"].status, said[use.condition].reason) == ("True", "Pending")

    parts.now = GRACE_SECONDS
    said = await parts.look(LOCKED)
    assert said["Ready"].status == "True"
    assert said[use.condition][1:3] == ("False", "ApplyFailed")
    assert f"{use.source.kind.name} {use.source.name} cannot be read: {LOCKED.message}" in said[use.condition].message
    assert parts.cluster.live[use.user]["spec"] == before

    keep(parts, password="another")
    del parts.cluster.refused[use.source]
    assert (await parts.look())[use.condition].status == "True"
    assert (parts.cluster.live[use.user]["spec"] != before) == (use.condition == "TracingReady")


async def test_nothing_of_a_jaeger_that_is_left_is_written() -> None:
    """Its next pod would start with the new configuration and without the credentials that this one asks for."""
    parts = Parts(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed"}})
    parts.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    keep(parts)
    await parts.look()
    parts.cluster.written.clear()
    parts.cluster.refused[NAMED] = FORBIDDEN
    parts.edit(logging={"level": "DEBUG"}, **jaeger(DEPLOYMENT).wanted)
    await parts.look(FORBIDDEN)
    assert DEPLOYED in parts.cluster.written
    assert not [each for each in parts.cluster.written if each.name.startswith(f"{KEY.name}-jaeger")]

    del parts.cluster.refused[NAMED]
    await parts.look()
    assert Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-jaeger-config") in parts.cluster.written


async def test_a_right_that_is_missing_is_told_at_once() -> None:
    parts = await ready(alerts())
    parts.cluster.refused[NAMED] = FORBIDDEN
    said = await parts.look(FORBIDDEN)
    assert (said["Ready"].status, said["AlertsReady"].reason) == ("True", "ApplyFailed")


async def test_what_is_not_wanted_of_the_rest_goes_and_what_is_not_done_is_said() -> None:
    use, policy = alerts(), Id(NETWORK_POLICY, *KEY)
    parts = await ready(Use({**use.wanted, "networkPolicy": {"mode": "Managed"}}, *use[1:]))
    assert policy in parts.cluster.live
    parts.cluster.refused[NAMED] = FORBIDDEN
    parts.edit(networkPolicy={"mode": "Disabled"})
    said = await parts.look(FORBIDDEN)
    assert policy not in parts.cluster.live
    assert use.user in parts.cluster.live
    assert (said["Ready"].status, *said["Reconciling"][1:3]) == ("True", "False", "ApplyFailed")
    assert said["Reconciling"].message.startswith(f"not done: {use.user} is left as it is: ")

    del parts.cluster.refused[NAMED]
    assert (await parts.look())["Reconciling"].reason == "Settled"


async def test_what_may_pass_is_not_told_of_while_all_was_settled() -> None:
    parts = await ready(alerts())
    settled = (await parts.look())["Reconciling"]
    parts.cluster.refused[NAMED] = LOCKED
    assert (await parts.look(LOCKED))["Reconciling"] == settled
    parts.edit(logging={"level": "DEBUG"})
    for _ in range(2):
        assert (await parts.look(LOCKED))["Reconciling"].reason == "ApplyFailed", "of this spec it never was"


async def test_what_came_before_an_object_that_cannot_be_made_stays() -> None:
    badger = {"storage": {"type": "Badger", "badger": {"size": "1Gi"}}}
    parts = Parts(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": badger}})
    parts.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    claim = Id(VOLUME_CLAIM, KEY.namespace, f"{KEY.name}-jaeger")
    await parts.look()
    assert claim in parts.cluster.live
    parts.cluster.refused[NAMED] = FORBIDDEN
    parts.edit(**jaeger(DEPLOYMENT).wanted)
    await parts.look(FORBIDDEN)
    assert claim in parts.cluster.live, "its pod runs on"

    del parts.cluster.refused[NAMED]
    keep(parts)
    await parts.look()
    assert claim not in parts.cluster.live


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


async def edited_in_vain(parts: Parts, refusal: ApiError, said: str) -> None:
    """Edit the spec while the source cannot be read: the pass ends with that, and nothing is written."""
    parts.cluster.written.clear()
    parts.cluster.refused[NAMED] = refusal
    parts.edit(logging={"level": "DEBUG"})
    with pytest.raises(ApiError, match=said):
        await parts.reconciler.reconcile(KEY)
    assert not parts.cluster.written


@pytest.mark.parametrize("more", STARTED_WITH.values(), ids=STARTED_WITH)
async def test_what_pods_start_with_too_ends_the_pass(more: Object) -> None:
    parts = await ready(alerts(), **more)
    await edited_in_vain(parts, LOCKED, "no matching key")


async def exports(tracing: Object) -> Parts:
    """Return a service that sends spans elsewhere, by what can still be read."""
    parts = Parts(monitoring={**UNOBSERVED, "tracing": tracing}, networkPolicy={"mode": "Managed"})
    keep(parts)
    for _ in range(2):
        assert (await parts.look())["TracingReady"].reason == "External"
    parts.cluster.written.clear()
    return parts


@pytest.mark.parametrize(("source", "tracing"), EXPORTS.values(), ids=EXPORTS)
async def test_pods_that_send_spans_are_not_rolled_without_it_and_all_else_is_done(source: Id, tracing: Object) -> None:
    parts = await exports(tracing)
    parts.cluster.refused[source] = FORBIDDEN
    parts.edit(networkPolicy={"mode": "Disabled"}, service={"port": 90}, models=OTHERS)
    said = await parts.look(FORBIDDEN)
    assert SERVED in parts.cluster.written
    assert not {DEPLOYED, MOUNTED} & set(parts.cluster.written), "neither the pods nor half of what they read"
    words = f"{DEPLOYED} is left as it is: {source.kind.name} {source.name} cannot be read: {FORBIDDEN.message}"
    for condition in ("Ready", "Progressing", "TracingReady"):
        assert said[condition][1:3] == ("False", "ApplyFailed"), "the pods are of the older spec"
        assert said[condition].message.startswith(words)
    assert POLICY in parts.cluster.live, "what serves is not all in its place"

    del parts.cluster.refused[source]
    said = await parts.look()
    assert {DEPLOYED, MOUNTED} <= set(parts.cluster.written)
    assert POLICY not in parts.cluster.live
    assert (said["Ready"].status, said["TracingReady"].reason) == ("True", "External")


@pytest.mark.parametrize(("source", "tracing"), EXPORTS.values(), ids=EXPORTS)
async def test_traces_that_may_get_lost_lower_no_ready_of_pods_that_are_as_wanted(source: Id, tracing: Object) -> None:
    parts = await exports(tracing)
    parts.cluster.refused[source] = LOCKED
    said = await parts.look(LOCKED)
    assert {said[each].status for each in ("Ready", "TracingReady")} == {"True"}, "it may pass"

    parts.now = GRACE_SECONDS
    said = await parts.look(LOCKED)
    assert (said["Ready"].status, said["Stalled"].status) == ("True", "False")
    assert said["TracingReady"][1:3] == ("False", "ApplyFailed")
    assert not parts.cluster.written

    keep(parts, password="another")
    del parts.cluster.refused[source]
    said = await parts.look()
    assert DEPLOYED in parts.cluster.written, "its pods are rolled for the new one"
    assert said["TracingReady"].reason == "External"


@pytest.mark.parametrize(("source", "tracing"), EXPORTS.values(), ids=EXPORTS)
async def test_what_a_new_process_cannot_read_lowers_no_ready_of_pods_that_are_as_wanted(
    source: Id, tracing: Object
) -> None:
    parts = await exports(tracing)
    parts.cluster.refused[source] = FORBIDDEN
    before = await parts.look(FORBIDDEN)
    parts.restart()
    assert await parts.look(FORBIDDEN) == before
    assert (before["Ready"].status, before["TracingReady"].reason) == ("True", "ApplyFailed")

    parts.edit(logging={"level": "DEBUG"})
    for _ in range(2):
        parts.restart()
        assert (await parts.look(FORBIDDEN))["Ready"].reason == "ApplyFailed", "of this spec it never was"


async def test_an_ingress_only_names_its_certificate() -> None:
    ingress = Id(INGRESS, *KEY)
    parts = Parts(ingress={"host": "a.example.com", "tls": {"secretName": NAMED.name}})
    keep(parts)
    parts.say(ingress, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    assert (await parts.look())["RouteReady"].status == "True"
    parts.cluster.refused[NAMED] = FORBIDDEN
    parts.edit(ingress={"host": "b.example.com", "tls": {"secretName": NAMED.name}}, networkPolicy={"mode": "Managed"})
    said = await parts.look(FORBIDDEN)
    assert {ingress, POLICY} <= set(parts.cluster.written)
    assert said["Ready"].status == "True"
    message = f"Secret {NAMED.name} cannot be read: {FORBIDDEN.message}"
    assert said["RouteReady"][1:] == ("Unknown", "NotVisible", message)

    del parts.cluster.refused[NAMED], parts.cluster.live[NAMED]
    assert (await parts.look())["RouteReady"].reason == "SecretMissing", (
        "which a pass that could not look does not know"
    )
    keep(parts)
    assert (await parts.look())["RouteReady"].status == "True"


async def test_a_server_that_bids_to_stop_is_asked_for_nothing_more() -> None:
    parts = await ready(alerts())
    await edited_in_vain(parts, SILENT, "unable to handle")


async def test_a_pass_that_was_cut_short_repeats_nothing_that_nobody_could_look_at() -> None:
    keys = Id(SECRET, KEY.namespace, "keys")
    parts = Parts(ingress={"host": "a.example.com", "tls": {"secretName": NAMED.name}})
    parts.say(Id(INGRESS, *KEY), {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    parts.edit(credentials={"secretRef": {"name": keys.name}})
    parts.cluster.refused[NAMED] = FORBIDDEN
    assert (await parts.look(FORBIDDEN))["RouteReady"].reason == "NotVisible"
    parts.cluster.refused[keys], parts.stored = FORBIDDEN, []
    assert (await parts.look(FORBIDDEN))["RouteReady"].reason == "NotVisible", "its Secret was never found missing"
