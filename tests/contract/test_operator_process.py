"""The process before there is anything to do: told to stop, or left waiting for its CRD, it must behave."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp.test_utils import make_mocked_request
from kubernetes.aio.client import Configuration
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.connection import Connection
from t2i_operator.naming import Key
from t2i_operator.reconciling.requeue import requeue_after
from t2i_operator.runtime.health import STREAM_LIMIT_SECONDS
from t2i_operator.runtime.process import Operator
from t2i_operator.settings import read

from tests.cluster.operators import OperatorProcess
from tests.unit.operator.resources import resource
from tests.waiting import eventually


class Bare(BaseHTTPRequestHandler):
    """An API server on which nothing is installed."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[OperatorProcess]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    threading.Thread(target=server.serve_forever).start()
    url = f"http://127.0.0.1:{server.server_port}"
    kubeconfig = tmp_path / "kubeconfig"
    config = {
        "clusters": [{"name": "bare", "cluster": {"server": url}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
        "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": "nobody"}}],
        "current-context": "bare",
    }
    kubeconfig.write_text(yaml.safe_dump(config))
    process = OperatorProcess(kubeconfig, tmp_path / "waiting.log", "none", leader_election=False)
    process.start()
    eventually(lambda: len(process.events("waiting for the CRD")) > 1, "the operator to wait for its CRD")
    yield process
    process.stop()
    server.shutdown()
    server.server_close()


def test_waiting_for_the_crd_can_be_ended(waiting: OperatorProcess) -> None:
    assert waiting.stop() == 0


def test_waiting_for_the_crd_is_no_silence_of_the_streams(waiting: OperatorProcess) -> None:
    assert set(waiting.get("/healthz").json()["stream_age_seconds"].values()) == {0.0}


def test_the_last_line_of_one_that_finds_no_cluster_is_json_as_all_others_are(tmp_path: Path) -> None:
    process = OperatorProcess(tmp_path / "nowhere", tmp_path / "lost.log", "none")
    process.start()
    eventually(lambda: not process.running(), "it to give up")
    assert process.stop() == 1
    last = json.loads(process.log.read_text().splitlines()[-1])
    assert (last["level"], last["logger"]) == ("critical", "t2i_operator.main")
    assert "no cluster to talk to" in last["event"]


def oldest_seconds(operator: Operator) -> float:
    operator._publish()
    value = operator._metrics.registry.get_sample_value("t2i_operator_queue_oldest_seconds")
    assert value is not None
    return value


@pytest.mark.parametrize("leading", [False, True])
async def test_only_the_queue_of_the_leader_grows_old(*, leading: bool) -> None:
    settings = read(["--service-image", "i"], {})
    async with aiohttp.ClientSession() as session:
        operator = Operator(settings, Connection(Configuration(), asyncio.Event().wait, identity="me"), session)
        if leading:
            operator._leader.leading.set()
        for stream in operator._cache_sync.streams:
            stream.synced.set()
        await operator._cache_sync._sync(None, operator._queue.release)
        operator._queue.add(Key("n", "a"))
        operator._queue._since[Key("n", "a")] -= 60
        assert (oldest_seconds(operator) >= 60) == leading


async def test_by_default_a_secret_without_the_label_is_looked_at_within_a_minute() -> None:
    """What the process makes of the setting; in tests/cluster the poll is a quick one wherever such a Secret is met."""
    settings = read(["--service-image", "i"], {})
    async with aiohttp.ClientSession() as session:
        operator = Operator(settings, Connection(Configuration(), asyncio.Event().wait, identity="me"), session)
    names_one = Outcome(generation=1, resource=resource(credentials={"secretRef": {"name": "s"}}))
    again = requeue_after(names_one, operator._reconciler._settings)
    assert again + operator._version_cache._max_age < 60


@pytest.mark.parametrize(("optional", "status"), [(True, 200), (False, 503)], ids=["optional", "required"])
async def test_an_optional_kind_that_is_not_heard_is_no_reason_for_a_restart(*, optional: bool, status: int) -> None:
    """A conversion webhook of another product's that stays broken would end each new process too."""
    settings = read(["--service-image", "i"], {})
    async with aiohttp.ClientSession() as session:
        operator = Operator(settings, Connection(Configuration(), asyncio.Event().wait, identity="me"), session)
        health = operator._health()
        for stream in operator._cache_sync.streams:
            if stream.optional is optional:
                stream._heard_at = time.monotonic() - 2 * STREAM_LIMIT_SECONDS
                assert health.ages[stream.name]() > STREAM_LIMIT_SECONDS, "an alert tells of it"
        answer = await health._healthz(make_mocked_request("GET", "/healthz"))
        assert answer.status == status
