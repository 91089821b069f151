"""The whole process against an API server that has stored what the real one stores: see tests/cluster for that one."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from tests.cluster.operators import OperatorProcess
from tests.waiting import eventually

GROUP = "/apis/texttoimage.dev/v1alpha1"
VERSION = {"version": "v1alpha1"}


def served(plural: str, kind: str, *, namespaced: bool = True) -> dict[str, Any]:
    words = {"singularName": "", "shortNames": [], "categories": [], "verbs": ["get", "list", "watch", "patch"]}
    return {"name": plural, "kind": kind, "namespaced": namespaced, **words}


FOUND = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [served("namespaces", "Namespace", namespaced=False)]},
    "/apis": {"groups": [{"name": "texttoimage.dev", "preferredVersion": VERSION, "versions": [VERSION]}]},
    GROUP: {"resources": [served("texttoimageservices", "TextToImageService")]},
}
MISSING = json.dumps({"kind": "Status", "reason": "NotFound", "code": 404})
DEEP = '{"a":' * 1_500 + "1" + "}" * 1_500


def resource(name: str, pod: str, **more: Any) -> str:
    metadata = {"name": name, "namespace": "n", "uid": name, "generation": 1, "resourceVersion": "5", **more}
    models = '[{"name":"s","provider":"Sandbox"}]'
    spec = f'{{"className":"none","models":{models},"podTemplate":{{"spec":{pod}}}}}'
    return f'{{"kind":"TextToImageService","metadata":{json.dumps(metadata)},"spec":{spec}}}'


class Hostile(BaseHTTPRequestHandler):
    """Lists and streams what the test says; every other kind is empty, and nothing can be written."""

    listed: ClassVar[list[str]] = []
    streamed: ClassVar[list[str]] = []
    children: ClassVar[list[str]] = []
    patched: ClassVar[dict[str, Any]] = {}
    done: ClassVar = threading.Event()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        own = path == f"{GROUP}/texttoimageservices"
        if path in FOUND:
            self._answer(200, json.dumps(FOUND[path]))
        elif "watch=true" in query:
            self._answer(200, "".join(f"{line}\n" for line in self.streamed) if own else "")
            self.wfile.flush()
            self.done.wait(60)
        elif "limit=" in query:
            items = self.listed if own else self.children if path == "/api/v1/configmaps" else []
            self._answer(200, f'{{"metadata":{{"resourceVersion":"9"}},"items":[{",".join(items)}]}}')
        else:
            self._answer(404, MISSING)

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.patched[body["metadata"]["name"]] = body
        self._answer(404, MISSING)

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Lets all streams connect at once; those that are turned away come again after a second only."""

    request_queue_size = 100


Start = Callable[..., OperatorProcess]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    done = threading.Event()
    server = Server(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever).start()
    kubeconfig = tmp_path / "kubeconfig"
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "none"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(yaml.safe_dump(config))
    process = OperatorProcess(kubeconfig, tmp_path / "operator.log", "none", leader_election=False)

    def started(**given: list[str]) -> OperatorProcess:
        state: dict[str, Any] = {"listed": [], "streamed": [], "children": [], "patched": {}, "done": done, **given}
        for name, value in state.items():
            monkeypatch.setattr(Hostile, name, value)
        process.start()
        return process

    yield started
    process.stop()
    done.set()
    server.shutdown()
    server.server_close()


def accepted(name: str) -> dict[str, Any]:
    conditions = {each["type"]: each for each in Hostile.patched[name]["status"]["conditions"]}
    found: dict[str, Any] = conditions["Accepted"]
    return found


@pytest.mark.parametrize("way", ["listed", "streamed"])
def test_a_nested_resource_harms_only_itself(start: Start, way: str) -> None:
    found = [resource("deep", DEEP), resource("plain", '{"volumes":"no","$patch":"odd"}')]
    operator = start(**{way: found if way == "listed" else [f'{{"type":"ADDED","object":{each}}}' for each in found]})

    told = eventually(lambda: [accepted(name) for name in ("deep", "plain")], "both to be judged")
    assert [each["reason"] for each in told] == ["InvalidSpec", "InvalidSpec"]
    assert "more than 50 levels" in told[0]["message"]
    assert operator.running()
    assert not operator.events("by a bug")


@pytest.mark.parametrize(
    "large",
    [
        resource("large", f'{{"$patch":"odd","nodeName":"{"a" * 200_000}"}}'),
        resource("large", '{"$patch":"odd"}', annotations={"a": "a" * 140_000}),
    ],
    ids=["template", "annotations"],
)
def test_a_large_event_is_told_from_the_next(start: Start, large: str) -> None:
    found = [large, resource("plain", '{"$patch":"odd"}')]
    bookmark = '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6"}}}'
    first, second = (f'{{"type":"ADDED","object":{each}}}' for each in found)
    operator = start(streamed=[first, bookmark, second])

    told = eventually(lambda: [accepted(name) for name in ("large", "plain")], "both to be judged")
    assert [each["reason"] for each in told] == ["InvalidSpec", "InvalidSpec"]
    assert operator.running()


def test_a_nested_child_harms_nobody(start: Start) -> None:
    """As anyone may write one who may write any object at all: `managedFields` of every kind have no bound."""
    labels = {"app.kubernetes.io/managed-by": "text-to-image-operator", "app.kubernetes.io/instance": "plain"}
    metadata = json.dumps({"name": "c", "namespace": "n", "uid": "c", "resourceVersion": "5", "labels": labels})
    fields = DEEP.replace('"a"', '"f:a"').replace("1", "{}")
    entry = f'{{"manager":"text-to-image-operator","operation":"Apply","fieldsV1":{fields}}}'
    child = f'{{"metadata":{metadata[:-1]},"managedFields":[{entry}]}}}}'
    operator = start(listed=[resource("plain", '{"$patch":"odd"}')], children=[child])

    assert eventually(lambda: accepted("plain"), "it to be judged")["reason"] == "InvalidSpec"
    assert not operator.events("stream broken")
    assert operator.running()


def test_an_end_that_was_not_asked_for_is_a_failure(start: Start) -> None:
    """Kopf ends at a line of a watch that is no JSON."""
    operator = start(streamed=["etcd is ill"])
    eventually(lambda: not operator.running(), "the process to end")
    assert operator.stop() == 1
    assert "JSONDecodeError: " in operator.log.read_text().splitlines()[-1]
