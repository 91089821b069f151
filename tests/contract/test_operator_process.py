"""The process before there is anything to do: told to stop, or left waiting for its CRD, it must behave."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
import yaml
from kubernetes.aio.client import Configuration
from t2i_operator.kube.connection import Connection
from t2i_operator.naming import Key
from t2i_operator.runtime.process import Operator
from t2i_operator.settings import read

from tests.cluster.operators import OperatorProcess
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
        for stream in operator._picture.streams:
            stream.synced.set()
        await operator._picture._complete(None, operator._queue.release)
        operator._queue.add(Key("n", "a"))
        operator._queue._since[Key("n", "a")] -= 60
        assert (oldest_seconds(operator) >= 60) == leading
