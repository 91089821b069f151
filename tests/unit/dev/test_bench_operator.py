"""What the bare client sends is what the operator sent, and the audit log's times are read as they were written."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml
from aiohttp import ClientSession, web

from dev.bench.audit import Audit, lines
from dev.bench.client import session
from dev.bench.recorder import Recorder, Subject, replay

MODEL, OTHER = Subject("pictures-1", "recorded", "uid-1"), Subject("pictures-7", "measured", "uid-7")


class Server:
    """Stands where the API server stands, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, str]] = []

    async def start(self, place: Path) -> Path:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        server = {"server": f"http://127.0.0.1:{self._runner.addresses[0][1]}"}
        config = {"clusters": [{"cluster": server}], "users": [{"user": {"token": "secret"}}]}
        kubeconfig = place / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        return kubeconfig

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        kind = request.headers.get("Content-Type", "")
        self.asked.append((request.method, request.path_qs, kind, await request.text()))
        return web.json_response({"token": request.headers["Authorization"]}, status=404 if kind == "" else 200)


async def _ask(server: str) -> str:
    """Ask as an operator does for one resource, and once for all of them."""
    headers = {"Authorization": "Bearer operator's"}
    async with ClientSession(base_url=server, headers=headers, skip_auto_headers=("Content-Type",)) as client:
        for path in ("/apis/x/prometheuses", "/api/v1/namespaces/recorded/services/pictures-1-service"):
            await client.get(path)
        body = b'{"metadata":{"name":"pictures-1-service","uid":"uid-1"}}'
        path = "/api/v1/namespaces/recorded/services/pictures-1-service?fieldManager=f&force=true"
        kind = {"Content-Type": "application/apply-patch+yaml"}
        async with client.patch(path, data=body, headers=kind) as answer:
            token: str = (await answer.json())["token"]
            return token


def _server(kubeconfig: Path) -> str:
    server: str = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return server


async def test_the_bare_client_sends_what_was_recorded_under_another_name(tmp_path: Path) -> None:
    server = Server()
    kubeconfig = await server.start(tmp_path)
    recorder = Recorder(kubeconfig)
    assert await _ask(_server(await recorder.start())) == "Bearer operator's"
    recorded = recorder.about(MODEL.name)
    server.asked.clear()

    async with session(kubeconfig) as client:
        done = await replay(client, recorded, MODEL, [OTHER])
    await recorder.stop()
    await server.stop()

    assert (done.resources, done.requests) == (1, 2)
    path, kind = "/api/v1/namespaces/measured/services/pictures-7-service", "application/apply-patch+yaml"
    body = '{"metadata":{"name":"pictures-7-service","uid":"uid-7"}}'
    assert server.asked == [("GET", path, "", ""), ("PATCH", f"{path}?fieldManager=f&force=true", kind, body)]


async def test_the_audit_log_says_who_wrote_to_a_namespace_and_when(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.touch()
    audit = Audit(log, "measured")
    _append(log, "early", "measured", "2026-11-23T06:00:00.000000Z")
    offset = audit.now()
    _append(log, "elsewhere", "measured-too", "2026-11-23T06:00:01.000000Z")
    _append(log, "operator", "measured", "2026-11-23T06:00:01.250000Z")

    (write,) = audit.since(offset)
    assert (write.user, write.verb, write.resource, write.name, write.code) == (
        "operator", "patch", "services", "pictures-1-service", 201,
    )  # fmt: skip
    assert write.at % 60 == 1.25
    assert audit.since(offset, "somebody else") == []
    async with asyncio.timeout(5):
        assert await audit.first(offset, lambda each: each.user == "operator") == write


def _append(log: Path, user: str, namespace: str, at: str) -> None:
    entry = {
        "verb": "patch",
        "user": {"username": user},
        "objectRef": {"resource": "services", "namespace": namespace, "name": "pictures-1-service"},
        "responseStatus": {"code": 201},
        "stageTimestamp": at,
    }
    with log.open("a") as file:
        file.write(json.dumps(entry, separators=(",", ":")) + "\n")


@pytest.mark.parametrize("offset", [0, 5, 6, 9])
def test_the_audit_log_is_read_from_a_whole_line_on(tmp_path: Path, offset: int) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"first\nsecond\nthird\nhalf")
    whole = [b"first\n", b"second\n", b"third\n"]
    assert list(lines(log, offset)) == whole[{0: 0, 5: 1, 6: 1, 9: 2}[offset] :]
