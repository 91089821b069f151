"""What happens between a request and its answer, with the operator's real parts on the real API server.

The test stands in for the streams, so that it says in which order news and answers arrive.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config
from t2i_operator.known.cache import Cache
from t2i_operator.known.version_cache import VersionCache
from t2i_operator.kube.cluster import WRITE_SECONDS, Cluster
from t2i_operator.kube.connection import Connection
from t2i_operator.kube.kinds import CONFIG_MAP
from t2i_operator.naming import Key
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.runtime.queue import Queue
from t2i_operator.runtime.work import work
from t2i_operator.settings import read
from t2i_operator.status.metrics import Metrics
from t2i_operator.status.report import Reporter

from dev.cluster.paths import Layout
from tests.api import Api
from tests.cluster.operators import IMAGE, Service
from tests.waiting import eventually

CLASS = "races"


class Parts:
    """What an operator is made of, but for its streams; `seconds` are those that a write may take."""

    def __init__(self, cluster: Callable[..., Cluster]) -> None:
        self.cache, self.metrics, self.queue, self.seconds = Cache(), Metrics(), Queue[Key](), WRITE_SECONDS
        self._meanwhile: dict[str, Callable[[], object]] = {}
        client = cluster(time_left=lambda: self.seconds, observe=self._answered)
        secrets = VersionCache(client, max_age_seconds=1)
        reporter = Reporter(client, self.cache.resources, self.metrics, instance=CLASS)
        settings = read(["--service-image", IMAGE, "--class-name", CLASS])
        self.reconciler = Reconciler(client, self.cache, secrets, reporter, settings)

    def before_the_next(self, verb: str, then: Callable[[], object]) -> None:
        """Do something between the API server's next answer to such a request and our reading of it."""
        self._meanwhile[verb] = then

    def _answered(self, verb: str, code: str) -> None:
        self._meanwhile.pop(verb, lambda: None)()

    def show(self, service: Service) -> bool:
        """Tell of the resource what its stream would; return whether that would queue it."""
        return self.cache.resources.observe(service.live())

    def count(self, result: str) -> float:
        """How many reconciliations ended so."""
        return self.metrics.registry.get_sample_value("t2i_operator_reconciles_total", {"result": result}) or 0.0


@asynccontextmanager
async def _parts(kubeconfig: Path) -> AsyncIterator[Parts]:
    configuration = Configuration()

    async def load() -> None:
        await load_kube_config(str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]

    await load()
    connection = Connection(configuration, load, identity=CLASS)
    async with connection.session() as session:
        yield Parts(lambda **options: Cluster(session, **options))


Course = Callable[[Parts, Key], Awaitable[None]]
Run = Callable[[Course], None]


@pytest.fixture
def service(api: Api, namespace: str, crd: str) -> Service:
    """Return a resource that no operator but the test's own parts looks after."""
    return Service(api, namespace, CLASS)


@pytest.fixture
def run(service: Service, cluster: Layout) -> Run:
    """Bring the resource about, then let things take their course."""

    async def run(course: Course) -> None:
        async with _parts(cluster.kubeconfig) as parts:
            key = Key(service.namespace, service.name)
            service.create()
            parts.show(service)
            await parts.reconciler.reconcile(key)
            await course(parts, key)

    return lambda course: asyncio.run(run(course))


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for is on the API server
            await asyncio.sleep(0.05)


def _config(service: Service) -> str:
    found: str = service.child("configmaps", "-config")["data"].get("models.json", "")
    return found


def _other_model(service: Service, parts: Parts) -> None:
    """Edit the resource, so that its ConfigMap is the first object to be written."""
    service.edit(models=[{"name": "other", "provider": "Sandbox"}])
    parts.show(service)


def test_an_edit_that_is_told_before_the_answer_to_our_own_is_put_back(service: Service, run: Run) -> None:
    def edit(parts: Parts) -> None:
        change = {"data": {"models.json": "{}"}}
        edited = service.api.patch("configmaps", service.namespace, f"{service.name}-config", change)
        parts.cache.children.observe(CONFIG_MAP, edited)

    async def course(parts: Parts, key: Key) -> None:
        _other_model(service, parts)
        parts.before_the_next("patch", lambda: edit(parts))
        await parts.reconciler.reconcile(key)
        assert _config(service) == "{}"

        await parts.reconciler.reconcile(key)
        assert "other" in _config(service)

    run(course)


def test_a_deletion_that_is_told_before_the_answer_to_our_own_write_is_made_good(service: Service, run: Run) -> None:
    def delete(parts: Parts) -> None:
        live = service.child("configmaps", "-config")
        gone = service.api.request(
            "DELETE", service.api.path("configmaps", service.namespace, live["metadata"]["name"])
        )
        version = str(int(live["metadata"]["resourceVersion"]) + 1)
        parts.cache.children.forget(CONFIG_MAP, {**live, "metadata": {**live["metadata"], "resourceVersion": version}})
        assert gone["status"] == "Success"

    async def course(parts: Parts, key: Key) -> None:
        _other_model(service, parts)
        parts.before_the_next("patch", lambda: delete(parts))
        await parts.reconciler.reconcile(key)
        assert service.api.find("configmaps", service.namespace, f"{service.name}-config") is None

        await parts.reconciler.reconcile(key)
        assert "other" in _config(service)

    run(course)


def test_a_resource_that_is_replaced_during_a_pass_is_looked_after(service: Service, run: Run) -> None:
    def replace(parts: Parts) -> None:
        service.api.delete("texttoimageservices", service.namespace, service.name, propagationPolicy="Background")
        service.create()
        parts.show(service)

    async def course(parts: Parts, key: Key) -> None:
        service.api.delete("texttoimageservices", service.namespace, service.name, propagationPolicy="Background")
        service.create()
        parts.show(service)
        parts.before_the_next("get", lambda: replace(parts))
        assert await parts.reconciler.reconcile(key) is None

        assert await parts.reconciler.reconcile(key) is not None
        assert service.live()["status"]["conditions"]

    run(course)


def test_an_edit_just_before_our_status_is_followed_once_it_is_told(service: Service, run: Run) -> None:
    async def course(parts: Parts, key: Key) -> None:
        _other_model(service, parts)
        parts.before_the_next("patch", lambda: service.edit(models=[{"name": "third", "provider": "Sandbox"}]))
        await parts.reconciler.reconcile(key)
        live = service.live()
        assert live["status"]["observedGeneration"] == live["metadata"]["generation"] - 1
        assert "other" in _config(service)

        assert parts.show(service), "the only event that tells of the edit has to queue it"
        await parts.reconciler.reconcile(key)
        assert "third" in _config(service)
        assert service.conditions()

        assert not parts.show(service), "of what we wrote ourselves there is nothing to say"

    run(course)


def test_a_resource_that_was_due_while_the_lease_was_late_is_tried_again(service: Service, run: Run) -> None:
    async def course(parts: Parts, key: Key) -> None:
        _other_model(service, parts)
        parts.seconds = 0.0
        parts.queue.add(key)
        worker = asyncio.create_task(work(parts.queue, parts.reconciler, parts.metrics))
        await _until(lambda: parts.count("not_leading") >= 1)
        assert "other" not in _config(service)

        parts.seconds = WRITE_SECONDS
        await _until(lambda: "other" in _config(service))
        worker.cancel()

    run(course)


def test_an_object_that_others_made_anew_meanwhile_is_not_seized(service: Service, run: Run) -> None:
    async def course(parts: Parts, key: Key) -> None:
        name = f"{service.name}-config"
        service.api.delete("configmaps", service.namespace, name)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"models.json": "theirs"}}
        theirs = service.api.create("configmaps", service.namespace, body)
        _other_model(service, parts)
        await parts.reconciler.reconcile(key)

        assert service.child("configmaps", "-config")["metadata"] == theirs["metadata"]
        assert service.conditions()["Accepted"]["reason"] == "Conflict"

    run(course)


def test_an_object_whose_resource_is_deleted_and_lets_it_live_is_let_go(service: Service, run: Run) -> None:
    """What the garbage collector did to the object is told before the deletion of the resource that it did it for."""

    async def course(parts: Parts, key: Key) -> None:
        uid = service.live()["metadata"]["uid"]
        service.api.delete("texttoimageservices", service.namespace, service.name, propagationPolicy="Orphan")

        def orphaned() -> bool:
            return not service.child("configmaps", "-config")["metadata"].get("ownerReferences")

        eventually(orphaned, "the garbage collector to let it go", seconds=60)
        before = service.child("configmaps", "-config")["metadata"]
        assert before["annotations"]["texttoimage.dev/owner-uid"] == uid
        parts.cache.children.observe(CONFIG_MAP, service.child("configmaps", "-config"))
        assert await parts.reconciler.reconcile(key) is None
        assert service.child("configmaps", "-config")["metadata"] == before

    run(course)
