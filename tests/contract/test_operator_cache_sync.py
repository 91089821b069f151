"""An operator that lacks rights: in some of its namespaces, where it serves the others, or on its Lease. It says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.operators import OperatorProcess
from tests.fakes.api_server import ApiServer, api_server
from tests.waiting import eventually

BROKEN = ("opentelemetrycollectors", "servicemonitors")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server("kept") as server:
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    config = {
        "clusters": [{"name": "fake", "cluster": {"server": server.url}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "nobody"}}],
        "current-context": "fake",
    }
    path.write_text(yaml.safe_dump(config))
    return path


def _running(process: OperatorProcess) -> Iterator[OperatorProcess]:
    process.start()
    yield process
    assert process.stop() == 0


@pytest.fixture
def confined(kubeconfig: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Run an operator for two namespaces, one of which is gone with the rights in it."""
    log = tmp_path / "confined.log"
    yield from _running(OperatorProcess(kubeconfig, log, "", namespaces="gone,kept", leader_election=False))


@pytest.fixture
def leaseless(kubeconfig: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Run an operator that may look after its namespace, and has no right on the Lease by which it would lead."""
    log = tmp_path / "leaseless.log"
    yield from _running(OperatorProcess(kubeconfig, log, "red", namespaces="kept", lease_namespace="gone"))


@pytest.fixture
def unconverted(server: ApiServer, kubeconfig: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Run an operator that another product's broken webhook keeps from ever listing two kinds."""
    server.broken = set(BROKEN)
    log = tmp_path / "unconverted.log"
    yield from _running(OperatorProcess(kubeconfig, log, "", namespaces="kept", leader_election=False))


def test_a_namespace_that_may_not_be_seen_does_not_hold_up_the_others(
    server: ApiServer, confined: OperatorProcess
) -> None:
    eventually(lambda: server.written, "something to be written")
    assert {path.split("/namespaces/")[1].split("/")[0] for path in server.written} == {"kept"}

    def refused() -> bool:
        health = confined.get("/healthz").json()
        kinds = {name.split("@")[0] for name in health["refused"] if "@gone" in name}
        return kinds >= {"texttoimageservices", "deployments", "pods", "secrets"} and not health["silent"]

    eventually(refused, "what may not be seen to be named")
    eventually(lambda: confined.get("/readyz").status_code == 200, "it to be ready all the same")
    never_listed = confined.get("/readyz").json()["never_listed"]
    assert {name.split("?")[0] for name in never_listed} > {"deployments@gone", "pods@gone"}


def test_a_namespace_that_may_be_seen_again_is_served(server: ApiServer, confined: OperatorProcess) -> None:
    eventually(lambda: server.written, "something to be written")
    server.visible = {"kept", "gone"}
    eventually(lambda: any("/namespaces/gone/" in path for path in server.written), "the other to be served, too")
    eventually(lambda: not confined.get("/readyz").json()["refused"], "nothing to be refused any more")


def test_who_may_not_have_the_lease_is_not_ready_until_it_may(server: ApiServer, leaseless: OperatorProcess) -> None:
    def waits() -> bool:
        told = leaseless.get("/readyz")
        return (told.status_code, told.json()["may_lead"], told.json()["never_listed"]) == (503, False, [])

    eventually(waits, "all to be listed, and it not to be ready all the same")
    (told,) = leaseless.events("may not have its Lease")
    assert (told["level"], told["namespace"], told["lease"]) == ("error", "gone", "text-to-image-operator-red")
    server.visible = {"kept", "gone"}
    eventually(lambda: leaseless.get("/readyz").status_code == 200, "it to be ready once it may")


def test_a_kind_that_cannot_be_listed_holds_nothing_up(server: ApiServer, unconverted: OperatorProcess) -> None:
    eventually(lambda: server.written, "something to be written all the same", seconds=120)
    eventually(lambda: unconverted.get("/readyz").status_code == 200, "it to be ready")
    assert unconverted.get("/readyz").json()["never_listed"] == []
    ages = unconverted.get("/healthz").json()["stream_age_seconds"]
    assert {name.split("@")[0] for name, age in ages.items() if age > 5} >= set(BROKEN), "which an alert tells of"


def test_every_watch_is_counted_kopfs_among_them(server: ApiServer, leaseless: OperatorProcess) -> None:
    def counted() -> bool:
        metric = 't2i_operator_api_requests_total{code="200",verb="watch"} '
        lines = leaseless.get("/metrics").text.splitlines()
        watched = [path.rsplit("/", 1)[-1] for path in server.watched]
        told = [float(line.removeprefix(metric)) for line in lines if line.startswith(metric)]
        return {"texttoimageservices", "pods"} <= set(watched) and told == [len(watched)]

    eventually(counted, "as many watches to be counted as there are")
