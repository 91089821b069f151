"""Credentials: where they come from, what is said when they are not there, and what a change does."""

import base64
import hashlib
import json

import pytest

from dev.cluster.paths import Layout
from tests.api import Object
from tests.cluster import pods
from tests.cluster.operators import OperatorProcess, Service
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

VALUE = "r8_a-value-that-must-never-be-seen"
REPLICATE = {"name": "sdxl", "provider": "Replicate", "version": "a" * 64}
CHECKSUM = "texttoimage.dev/credentials-checksum"
COMPOSED = {"replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "replicate"}}}
# So short that three of them are over before the default operator looks a second time at what it is not told of.
AT_ONCE_SECONDS = 10.0
IN_PLACE = {"secretRef": {"name": "tokens"}}


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _make(service: Service, labels: dict[str, str] | None = None, **data: str) -> Object:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tokens", "labels": labels or {}},
        "data": {key: _encoded(value) for key, value in data.items()},
    }
    return service.api.create("secrets", service.namespace, body)


def _checksum(service: Service) -> str:
    annotations = service.child("deployments")["spec"]["template"]["metadata"]["annotations"]
    found: str = annotations[CHECKSUM]
    return found


def _token_source(service: Service) -> Object:
    (container,) = service.child("deployments")["spec"]["template"]["spec"]["containers"]
    (source,) = [env["valueFrom"]["secretKeyRef"] for env in container["env"] if env["name"] == "REPLICATE_API_TOKEN"]
    found: Object = source
    return found


def test_a_secret_is_used_in_place(service: Service) -> None:
    _make(service, REPLICATE_API_TOKEN=VALUE)
    service.create(models=[REPLICATE], credentials=IN_PLACE)

    service.ready()
    assert _token_source(service) == {"name": "tokens", "key": "REPLICATE_API_TOKEN", "optional": True}
    assert service.api.find("secrets", service.namespace, f"{service.name}-secrets") is None


def test_single_keys_are_composed_into_one_secret(service: Service) -> None:
    _make(service, replicate=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)

    service.ready()
    assert _token_source(service)["name"] == f"{service.name}-secrets"
    assert service.child("secrets", "-secrets")["data"] == {"REPLICATE_API_TOKEN": _encoded(VALUE)}


@pytest.mark.parametrize(
    ("credentials", "data", "reason", "words"),
    [
        (None, {"other": "x"}, "SecretMissing", "spec.credentials.replicateApiToken"),
        ({"secretRef": {"name": "nowhere"}}, {"other": "x"}, "SecretMissing", "Secret nowhere"),
        (IN_PLACE, {"other": "x"}, "KeyMissing", "Secret tokens has no key REPLICATE_API_TOKEN"),
        (IN_PLACE, {"REPLICATE_API_TOKEN": ""}, "KeyEmpty", "key REPLICATE_API_TOKEN of Secret tokens"),
        (COMPOSED, {"other": "x"}, "KeyMissing", "Secret tokens has no key replicate"),
        (COMPOSED, {"replicate": "\n"}, "KeyEmpty", "key replicate of Secret tokens"),
    ],
)
def test_what_is_missing_is_named_and_the_pods_start(
    service: Service, credentials: Object | None, data: dict[str, str], reason: str, words: str
) -> None:
    _make(service, **data)
    service.create(models=[REPLICATE], **({"credentials": credentials} if credentials else {}))

    assert words in service.wait("CredentialsReady", "False", reason)["message"]
    assert service.conditions()["Ready"]["reason"] == reason
    assert service.child("deployments")
    assert len(service.told(reason)) == 1


each_source = pytest.mark.parametrize("credentials", [COMPOSED, IN_PLACE], ids=["composed", "in place"])


@each_source
def test_a_rotated_secret_rolls_the_pods(service: Service, credentials: Object) -> None:
    _make(service, replicate=VALUE, REPLICATE_API_TOKEN=VALUE)
    service.create(models=[REPLICATE], credentials=credentials)
    service.ready()
    before = _checksum(service)

    _change(service)
    eventually(lambda: _checksum(service) != before, "another checksum")


@each_source
def test_a_labelled_secret_that_comes_changes_and_goes_is_acted_on_at_once(
    default_service: Service, credentials: Object
) -> None:
    """Three deeds in less time than lies between two polls, of which one poll could show no more than one."""
    service = default_service
    service.create(models=[REPLICATE], credentials=credentials)
    service.wait("CredentialsReady", "False", "SecretMissing")

    _make(service, {"texttoimage.dev/reload": ""}, replicate=VALUE, REPLICATE_API_TOKEN=VALUE)
    service.wait("CredentialsReady", "True", seconds=AT_ONCE_SECONDS)
    before = _checksum(service)
    _change(service)
    eventually(lambda: _checksum(service) != before, "another checksum", seconds=AT_ONCE_SECONDS)
    service.api.delete("secrets", service.namespace, "tokens")
    service.wait("CredentialsReady", "False", "SecretMissing", seconds=AT_ONCE_SECONDS)


def _change(service: Service) -> None:
    changed = {"replicate": _encoded("another"), "REPLICATE_API_TOKEN": _encoded("another")}
    service.api.patch("secrets", service.namespace, "tokens", {"data": changed})


def test_what_only_the_pod_template_names_is_missed_and_followed(service: Service) -> None:
    source = {"secretKeyRef": {"name": "tokens", "key": "theirs"}}
    container = {"name": "text-to-image", "env": [{"name": "THEIRS", "valueFrom": source}]}
    service.create(podTemplate={"spec": {"containers": [container]}})
    assert "Secret tokens; spec.podTemplate" in service.wait("CredentialsReady", "False", "SecretMissing")["message"]

    def environment() -> str:
        annotations = service.child("deployments")["spec"]["template"]["metadata"]["annotations"]
        return str(annotations.get("texttoimage.dev/environment-checksum", ""))

    assert environment() == ""
    _make(service, theirs="one")
    service.wait("CredentialsReady", "True")
    eventually(environment, "a checksum")
    before = environment()
    service.api.patch("secrets", service.namespace, "tokens", {"data": {"theirs": _encoded("another")}})
    eventually(lambda: environment() != before, "another checksum")


def test_a_change_to_a_key_that_is_not_used_rolls_nothing(service: Service) -> None:
    _make(service, {"texttoimage.dev/reload": ""}, replicate=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.ready()
    before = service.child("deployments")["metadata"]["generation"]

    service.api.patch("secrets", service.namespace, "tokens", {"data": {"unused": _encoded("x")}})
    service.edit(podDisruptionBudget={"mode": "Disabled"})
    service.ready()
    assert service.child("deployments")["metadata"]["generation"] == before


def test_a_secret_that_comes_later_is_found(service: Service) -> None:
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.wait("CredentialsReady", "False", "SecretMissing")

    _make(service, replicate=VALUE)
    service.ready()


def test_a_secret_that_vanishes_is_told_and_takes_no_pod_down(service: Service) -> None:
    _make(service, replicate=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.ready()
    generation = service.child("deployments")["metadata"]["generation"]

    service.api.delete("secrets", service.namespace, "tokens")
    service.wait("CredentialsReady", "False", "SecretMissing")
    assert service.child("secrets", "-secrets")["data"] == {"REPLICATE_API_TOKEN": _encoded(VALUE)}
    assert service.child("deployments")["metadata"]["generation"] == generation


def test_from_composed_to_in_place_the_composed_secret_is_pruned(service: Service) -> None:
    _make(service, replicate=VALUE, REPLICATE_API_TOKEN=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.ready()

    service.edit(credentials={"replicateApiToken": None, **IN_PLACE})
    gone = f"{service.name}-secrets"
    eventually(lambda: service.api.find("secrets", service.namespace, gone) is None, "the composed Secret to go")
    assert service.api.find("secrets", service.namespace, "tokens")


def test_pruning_releases_what_the_spec_refers_to(service: Service) -> None:
    _make(service, replicate=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.ready()

    kept = f"{service.name}-secrets"
    service.edit(credentials={"replicateApiToken": None, "secretRef": {"name": kept}})
    eventually(lambda: "ownerReferences" not in service.child("secrets", "-secrets")["metadata"], "it to be released")
    service.ready()
    released = service.child("secrets", "-secrets")
    assert released["data"] == {"REPLICATE_API_TOKEN": _encoded(VALUE)}
    assert "app.kubernetes.io/managed-by" not in released["metadata"].get("labels", {})


def test_beside_a_missing_key_a_change_of_another_rolls_the_pods(service: Service) -> None:
    _make(service, {"texttoimage.dev/reload": ""}, replicate=VALUE, langtrace=VALUE)
    langtrace = {"langtraceApiKey": {"secretKeyRef": {"name": "tokens", "key": "langtrace"}}}
    service.create(models=[REPLICATE], credentials={**COMPOSED, **langtrace})
    service.ready()
    before, generation = _checksum(service), service.child("deployments")["metadata"]["generation"]

    service.api.patch("secrets", service.namespace, "tokens", {"data": {"langtrace": None}})
    service.wait("CredentialsReady", "False", "KeyMissing")
    assert service.child("deployments")["metadata"]["generation"] == generation

    service.api.patch("secrets", service.namespace, "tokens", {"data": {"replicate": _encoded("another")}})
    eventually(lambda: _checksum(service) != before, "another checksum")
    composed = {"REPLICATE_API_TOKEN": _encoded("another"), "LANGTRACE_API_KEY": _encoded(VALUE)}
    assert service.child("secrets", "-secrets")["data"] == composed


def test_from_in_place_to_composed_and_back_no_secret_in_use_is_deleted(service: Service) -> None:
    _make(service, replicate=VALUE, REPLICATE_API_TOKEN=VALUE)
    service.create(models=[REPLICATE], credentials=IN_PLACE, replicas=1, **pods.PARKED)
    first = pods.say(service, ready=True)
    service.ready()

    composed = f"{service.name}-secrets"
    service.edit(credentials={"secretRef": None, **COMPOSED})
    eventually(lambda: len(pods.names(service)) == 2, "a new pod beside the one that serves")
    assert first < pods.names(service)
    service.wait("Available", "True")
    assert _token_source(service)["name"] == composed
    pods.say(service, ready=True)
    service.ready()
    second = pods.names(service)

    service.edit(credentials={"replicateApiToken": None, **IN_PLACE})
    eventually(lambda: len(pods.names(service)) == 2, "a new pod beside the one that serves")
    assert second < pods.names(service)
    eventually(lambda: "is deleted once" in service.conditions()["Reconciling"]["message"], "it to be kept")
    assert service.child("secrets", "-secrets")["data"] == {"REPLICATE_API_TOKEN": _encoded(VALUE)}
    pods.say(service, ready=True)
    service.ready()
    assert _token_source(service)["name"] == "tokens"
    eventually(lambda: service.api.find("secrets", service.namespace, composed) is None, "the composed Secret to go")
    assert service.api.get("secrets", service.namespace, "tokens")["data"]["replicate"] == _encoded(VALUE)


def test_pruning_releases_what_a_pod_template_or_a_receiver_names(service: Service) -> None:
    _make(service, replicate=VALUE, REPLICATE_API_TOKEN=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.ready()
    kept = f"{service.name}-secrets"
    hook = {"name": "hook", "webhook": {"url": {"secretKeyRef": {"name": kept, "key": "REPLICATE_API_TOKEN"}}}}
    service.edit(
        credentials={"replicateApiToken": None, **IN_PLACE},
        monitoring={"alerts": {"receivers": [hook]}},
        podTemplate={"spec": {"volumes": [{"name": "mine", "secret": {"secretName": kept}}]}},
    )
    eventually(lambda: "ownerReferences" not in service.child("secrets", "-secrets")["metadata"], "it to be released")
    service.ready()
    assert service.child("secrets", "-secrets")["data"] == {"REPLICATE_API_TOKEN": _encoded(VALUE)}


SEARCH = {"serverURLs": ["http://search:9200"], "credentialsSecretRef": {"name": "search"}}
STORED = {"mode": "Managed", "jaeger": {"storage": {"type": "OpenSearch", "openSearch": SEARCH}}}


@pytest.mark.parametrize("labels", [{"texttoimage.dev/reload": ""}, {}], ids=["labelled", "polled"])
def test_the_secret_of_jaeger_s_storage_is_followed(service: Service, labels: dict[str, str]) -> None:
    service.create(monitoring={**UNOBSERVED, "tracing": STORED})
    message = service.wait("TracingReady", "False", "SecretMissing")["message"]
    assert "Secret search" in message
    assert "spec.monitoring.tracing.jaeger.storage.openSearch.credentialsSecretRef" in message

    def checksum() -> str:
        template = service.child("deployments", "-jaeger")["spec"]["template"]
        found: str = template["metadata"]["annotations"].get(CHECKSUM, "")
        return found

    data = {"username": _encoded("u"), "password": _encoded(VALUE)}
    body = {"metadata": {"name": "search", "labels": labels}, "data": data}
    service.api.create("secrets", service.namespace, {"apiVersion": "v1", "kind": "Secret", **body})
    service.wait("TracingReady", "False", "JaegerNotReady")  # a pod of the cluster's without an OpenSearch
    first = eventually(checksum, "a checksum")
    service.api.patch("secrets", service.namespace, "search", {"data": {"password": _encoded("another")}})
    second = eventually(lambda: checksum() != first and checksum(), "another checksum")
    service.api.delete("secrets", service.namespace, "search")
    service.wait("TracingReady", "False", "SecretMissing")
    assert checksum() == second, "a pod that cannot start is not put in the place of one that runs"
    service.ready()


def test_the_secret_of_a_receiver_is_followed(service: Service) -> None:
    hook = {"name": "hook", "webhook": {"url": {"secretKeyRef": {"name": "hooks", "key": "url"}}}}
    service.create(monitoring={**UNOBSERVED, "alerts": {"receivers": [hook]}})
    assert "Secret hooks" in service.wait("AlertsReady", "False", "SecretMissing")["message"]
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hooks"}, "data": {}}
    service.api.create("secrets", service.namespace, body)
    assert "key url" in service.wait("AlertsReady", "False", "KeyMissing")["message"]
    service.api.patch("secrets", service.namespace, "hooks", {"data": {"url": _encoded("https://example.com")}})
    eventually(
        lambda: service.conditions()["AlertsReady"]["reason"] not in ("SecretMissing", "KeyMissing"), "it to be found"
    )
    service.ready()


def test_generated_keys_are_made_once(service: Service) -> None:
    service.create()
    service.ready()
    before = service.child("secrets", "-keys")["data"]
    service.edit(logging={"level": "DEBUG"})
    service.ready()

    assert service.child("secrets", "-keys")["data"] == before
    primary = base64.b64decode(before["primary"]).decode()
    assert len(base64.b64decode(base64.b64decode(before[primary]))) == 32


def test_a_key_is_added_to_the_generated_ones_and_then_signed_with(service: Service) -> None:
    """As docs/troubleshooting.md has it: either step rolls the pods, and nothing of it is put back."""
    service.create()
    service.ready()
    keys, made = f"{service.name}-keys", service.child("secrets", "-keys")["data"]

    def rolled_by(**data: str) -> None:
        generation = service.child("deployments")["metadata"]["generation"]
        service.api.patch("secrets", service.namespace, keys, {"stringData": data})
        eventually(lambda: service.child("deployments")["metadata"]["generation"] > generation, "a new pod template")

    added = base64.b64encode(b"k" * 32).decode()
    rolled_by(k2=added)
    assert service.child("secrets", "-keys")["data"] == {**made, "k2": _encoded(added)}
    rolled_by(primary="k2")
    assert service.child("secrets", "-keys")["data"] == {**made, "k2": _encoded(added), "primary": _encoded("k2")}


def test_the_value_is_nowhere_to_be_read(service: Service, operator: OperatorProcess, cluster: Layout) -> None:
    _make(service, replicate=VALUE)
    service.create(models=[REPLICATE], credentials=COMPOSED)
    service.ready()
    service.api.patch("secrets", service.namespace, "tokens", {"data": {"replicate": ""}})
    service.wait("CredentialsReady", "False", "KeyEmpty")

    plurals = ("events", "deployments", "configmaps", "replicasets")
    readable = [service.live(), *(service.api.list(plural, service.namespace) for plural in plurals)]
    for text in (json.dumps(readable), operator.log.read_text()):
        assert VALUE not in text
        assert _encoded(VALUE) not in text
        for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512):
            for told in (VALUE, _encoded(VALUE)):
                assert digest(told.encode()).hexdigest()[:16] not in text, "values could be tried out against it"
