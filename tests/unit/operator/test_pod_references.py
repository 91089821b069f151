"""What only `spec.podTemplate` names: followed, and told of when it is missing, as what other fields name."""

import base64
from typing import Any

import pytest
from t2i_operator.known import references
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, SECRET, Object
from t2i_operator.naming import ENVIRONMENT_CHECKSUM_ANNOTATION

from tests.unit.operator.harness import KEY, Harness
from tests.unit.operator.resources import POD, resource

THERE = base64.b64encode(b"x").decode()


def template(env: Any = (), env_from: Any = (), volumes: Any = ()) -> dict[str, Any]:
    container = {"name": "text-to-image", "env": list(env), "envFrom": list(env_from)}
    return {"podTemplate": {"spec": {"containers": [container], "volumes": list(volumes)}}}


def variable(name: str, **more: Any) -> dict[str, Any]:
    return {"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "k", **more}}}


ITEMS = [{"key": "k", "path": "p"}]


def mounted(**volume: Any) -> dict[str, Any]:
    return template(volumes=[{"name": "v", **volume}])


def test_what_pods_wait_for_is_followed_and_pull_secrets_are_the_kubelets() -> None:
    found = references.sources(resource(podTemplate={"spec": POD}))
    secrets = ["env", "from", "projected", "volume"]
    assert found == [*(f"configmaps/{name}" for name in ("m", "map", "map-from", "map-volume")), *secrets]


@pytest.mark.parametrize("name", ["pictures-keys", "pictures-secrets"])
def test_what_the_operator_makes_is_not_missed(name: str) -> None:
    wanted = template([variable(name)])
    value = {"secretKeyRef": {"name": "tokens", "key": "t"}}
    assert references.sources(resource(**wanted, credentials={"replicateApiToken": value})) == ["tokens"]


@pytest.mark.parametrize("name", ["../../../kube-system/secrets/tokens", "a/b", "UPPER", "a" * 254, "", "a?b=c"])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    """It would become a part of a path: the API server has not looked at the template yet."""
    assert references.sources(resource(**template([variable(name)]))) == []


async def test_more_names_than_a_pod_could_need_are_refused_before_any_is_asked_for() -> None:
    harness = Harness()
    harness.edit(**template(env_from=[{"secretRef": {"name": f"s{number}"}} for number in range(100)] * 2))
    assert (await harness.look())["Accepted"].holds
    assert Id(SECRET, KEY.namespace, "s99") in harness.cluster.read

    harness.cluster.read.clear()
    harness.edit(**template(env_from=[{"secretRef": {"name": f"s{number}"}} for number in range(101)]))
    said = (await harness.look())["Accepted"]
    assert (said.status, said.reason) == ("False", "InvalidSpec")
    assert said.message == "spec.podTemplate.spec: Names 101 Secrets and ConfigMaps; name 100 at most"
    assert harness.cluster.read == []


@pytest.mark.parametrize(
    ("wanted", "secrets", "reason"),
    [
        (template([variable("one")]), {"one": None}, "SecretMissing"),
        (template([variable("one")]), {"one": {"other": THERE}}, "KeyMissing"),
        (template([variable("one", optional=True)]), {"one": None}, None),
        (template([variable("one", optional=True)]), {"one": {}}, None),
        (template(env_from=[{"configMapRef": {"name": "m"}}]), {"configmaps/m": None}, "ConfigMapMissing"),
        (template(volumes=[{"name": "v", "secret": {"secretName": "one"}}]), {"one": None}, "SecretMissing"),
        (template(volumes=[{"name": "v", "secret": {"secretName": "one", "optional": True}}]), {"one": None}, None),
        (mounted(secret={"secretName": "one", "items": ITEMS}), {"one": {"other": THERE}}, "KeyMissing"),
        (mounted(secret={"secretName": "one", "items": ITEMS}), {"one": {"k": THERE}}, None),
        (mounted(secret={"secretName": "one", "items": ITEMS, "optional": True}), {"one": {}}, None),
        (mounted(configMap={"name": "m", "items": ITEMS}), {"configmaps/m": {}}, "KeyMissing"),
        (mounted(projected={"sources": [{"secret": {"name": "one", "items": ITEMS}}]}), {"one": {}}, "KeyMissing"),
        (mounted(secret={"secretName": "one", "items": "k"}), {"one": {}}, None),
    ],
    ids=[
        "secret",
        "key",
        "optional secret",
        "optional key",
        "config map",
        "volume",
        "optional volume",
        "item",
        "item there",
        "optional item",
        "item of a config map",
        "projected item",
        "no items",
    ],
)
def test_what_is_missing_is_named(wanted: Any, secrets: Any, reason: str | None) -> None:
    found = references.lacks(resource(**wanted), secrets).get("CredentialsReady")
    assert (found and found.reason) == reason
    if found:
        assert "spec.podTemplate" in found.message


def test_pods_are_rolled_for_what_they_start_with_and_not_for_volumes() -> None:
    volumes = [{"name": "v", "secret": {"secretName": "mounted"}}]
    wanted = resource(**template([variable("one")], [{"secretRef": {"name": "all"}}], volumes))
    secrets: dict[str, Any] = {"one": {"k": "1", "unused": "2"}, "all": {"a": "3", "b": "4"}, "mounted": {"c": "5"}}
    assert references.environment_values(wanted, secrets) == {"one/k": "1", "all/a": "3", "all/b": "4"}
    assert references.environment_values(wanted, {**secrets, "all": None}) is None
    assert references.environment_values(resource(), {}) == {}


def checksum(harness: Harness) -> Any:
    live = harness.cluster.live[Id(DEPLOYMENT, *KEY)]
    return live["spec"]["template"]["metadata"]["annotations"].get(ENVIRONMENT_CHECKSUM_ANNOTATION)


@pytest.mark.parametrize("kind", [SECRET, CONFIG_MAP], ids=lambda kind: kind.name)
async def test_a_change_rolls_the_pods_and_a_loss_only_is_told(kind: Any) -> None:
    ref = "secretRef" if kind == SECRET else "configMapRef"
    harness, named = Harness(**template(env_from=[{ref: {"name": "theirs"}}])), Id(kind, KEY.namespace, "theirs")

    def hold(value: str) -> None:
        body: Object = {"metadata": {"name": "theirs", "namespace": KEY.namespace}, "data": {"A": value}}
        harness.cluster.store(named, body)

    hold(THERE)
    assert (await harness.look())["CredentialsReady"].holds
    first = checksum(harness)
    hold(base64.b64encode(b"y").decode())
    await harness.look()
    second = checksum(harness)
    assert len({None, first, second}) == 3

    del harness.cluster.live[named]
    said = await harness.look()
    assert (said["CredentialsReady"].status, said["CredentialsReady"].reason) == ("False", f"{kind.name}Missing")
    assert checksum(harness) == second, "others could not start"
    hold(THERE)
    assert (await harness.look())["CredentialsReady"].holds
    assert checksum(harness) == first


async def test_variables_of_the_credentials_secret_roll_no_pods_into_being_without_their_token() -> None:
    """What the checksum of the credentials keeps, that of the variables must keep too: the pods would not get ready."""
    models = [{"name": "sdxl", "provider": "Replicate", "version": "a" * 64}]
    wanted = {"models": models, "credentials": {"secretRef": {"name": "tokens"}}}
    harness = Harness(**wanted, **template(env_from=[{"secretRef": {"name": "tokens"}}]))

    def hold(**data: str) -> None:
        body: Object = {"metadata": {"name": "tokens", "namespace": KEY.namespace}, "data": data}
        harness.cluster.store(Id(SECRET, KEY.namespace, "tokens"), body)

    def template_of_pods() -> Any:
        return harness.cluster.live[Id(DEPLOYMENT, *KEY)]["spec"]["template"]

    hold(REPLICATE_API_TOKEN=THERE, OTHER=THERE)
    assert (await harness.look())["CredentialsReady"].holds
    before = template_of_pods()
    hold(OTHER=THERE)
    assert (await harness.look())["CredentialsReady"].reason == "KeyMissing"
    assert template_of_pods() == before
    hold(REPLICATE_API_TOKEN=THERE, OTHER=base64.b64encode(b"y").decode())
    await harness.look()
    assert template_of_pods() != before


async def test_an_item_may_be_binary() -> None:
    harness = Harness(**mounted(configMap={"name": "m", "items": ITEMS}))
    body: Object = {"metadata": {"name": "m", "namespace": KEY.namespace}, "binaryData": {"k": "AAAA"}}
    harness.cluster.store(Id(CONFIG_MAP, KEY.namespace, "m"), body)
    assert (await harness.look())["CredentialsReady"].holds
