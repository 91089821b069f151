"""`promptCharacters: 0`: a marked prompt goes through every way out, and no sink shows a word of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response

from tests.contract.conftest import SDXL
from tests.fakes.collector import FakeCollector, collecting
from tests.fakes.langtrace import KEY, FakeLangTrace
from tests.fakes.processes import serving
from tests.fakes.replicate import Knobs
from tests.fakes.replicate_wire import FAULTS, problem
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

# However the letter before the last one is spelled.
MARKS = ("zebrafish", "quagmire", "andutree")
PROMPT = 'A zebrafish in the "quagmire"\nunder a \u00f1andutree'
NEGATIVE = "no mudskipper"
SAID = (
    f"cannot draw {PROMPT!r}",
    json.dumps({"prompt": PROMPT, "negative": NEGATIVE}),
    "the words 'ZEBRAFISH', 'quagmire' and 'mudskipper' are flagged",
    "cannot write zebrafish_quagmire.png of zebrafishes",
    f"{'x' * 1990} {PROMPT}",
)
QUOTING: dict[str, Callable[[str], Response]] = {
    "400": lambda said: problem(400, said, said),
    "422": lambda said: problem(422, "Input validation failed", said),
    "version": lambda said: problem(422, "Invalid version", said),
    "404": lambda said: problem(404, said, said),
    "429": lambda said: problem(429, said, f"{said} Your rate limit resets in ~60s."),
    "500": lambda said: problem(500, said, said),
    "418": lambda said: problem(418, said, said),
    "html": lambda said: HTMLResponse(f"<h1>{said}</h1>", 502),
    "html200": lambda said: HTMLResponse(f"<h1>{said}</h1>"),
    "status": lambda said: JSONResponse({"id": "p", "status": said[-18:], "output": said}),
    "header": lambda said: Response("{}", 500, {"x-echo": said.encode("ascii", "replace").decode().replace("\n", " ")}),
}

# What is no HTTP, and quoted by who reads it.
MALFORMED = {
    "status_line": "{said}\r\n\r\n",
    "reason": "HTTP/1.1 2000 {said}\r\n\r\n",
    "header": "HTTP/1.1 201 Created\r\n{said}\r\n\r\n",
    "header_name": "HTTP/1.1 201 Created\r\n{said}: 1\r\n\r\n",
    "length": "HTTP/1.1 201 Created\r\ncontent-length: {said}\r\n\r\n",
    "chunk_size": "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n{said}\r\n",
    "half": "HTTP/1.1 201 Created\r\nx-echo: {said}\r\n",
}


@pytest.fixture(scope="module")
def collector() -> Iterator[FakeCollector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def langtrace() -> Iterator[tuple[FakeLangTrace, str]]:
    fake = FakeLangTrace()
    with serving(fake.app) as url:
        yield fake, url


@pytest.fixture(scope="module")
def silent(
    start: Callable[..., RunningService], collector: FakeCollector, langtrace: tuple[FakeLangTrace, str]
) -> RunningService:
    return start(
        SDXL | {"timeoutSeconds": 2},
        OTLP_ENDPOINT=collector.url,
        LANGTRACE_API_KEY=KEY,
        LANGTRACE_API_HOST=langtrace[1],
        T2I_PROMPT_CHARACTERS="0",
        LOG_LEVEL="DEBUG",
    )


class Asker:
    """Sends the marked prompt and keeps every answer."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self.answers: list[httpx.Response] = []

    def post(self, path: str = "/generate", timeout: float = 30, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        content = options.pop("content", None)
        body = {"prompt": PROMPT, "negative_prompt": NEGATIVE} | options
        with self._service.client() as client:
            sent = {"content": content} if content else {"json": body}
            answer = client.post(path, timeout=timeout, headers=headers, **sent)
        self.answers.append(answer)
        return answer

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._service.client() as client:
            self.answers.append(client.request(method, path, **options))
        return self.answers[-1]


@pytest.fixture
def asker(
    silent: RunningService, replicate: FakeReplicate, collector: FakeCollector, langtrace: tuple[FakeLangTrace, str]
) -> Iterator[Asker]:
    """Yield who asks; in the end, look into every sink."""
    asker = Asker(silent)
    asker.post()  # whatever was counted against the provider before is forgotten
    yield asker
    replicate.knobs = Knobs()
    last = asker.post("/generate", prompt="the end", negative_prompt="")
    wait_for(lambda: any(span.attributes.get("request_id") == last.headers["x-request-id"] for span in collector.spans))
    wait_for(lambda: any(last.headers["x-request-id"] in json.dumps(span) for span in langtrace[0].spans))
    with silent.client() as client:
        metrics = client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
    sinks = {
        "answers": [answer.text + str(answer.headers) for answer in asker.answers],
        "log": silent.lines,
        "spans": [str(span.span) for span in collector.spans],
        "langtrace": [json.dumps([langtrace[0].spans, langtrace[0].evaluations], ensure_ascii=False)],
        "metrics": [metrics],
    }
    for name, texts in sinks.items():
        assert shown(texts) == [], name


def shown(texts: list[str]) -> list[str]:
    return [text for text in texts if any(mark in text.casefold() for mark in (*MARKS, "mudskipper"))]


@contextmanager
def answering(answers: Iterator[bytes]) -> Iterator[str]:
    """Answer each request, once it is read, with the next of these bytes, and close; yield the URL."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n")).decode("latin-1").lower()
            self.rfile.read(int(head.partition("content-length:")[2].partition("\r\n")[0]))
            self.wfile.write(next(answers))

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_what_succeeds(asker: Asker, replicate: FakeReplicate) -> None:
    assert asker.post().status_code == 200
    assert asker.post(headers={"accept": "image/png"}).status_code == 200
    assert asker.post("/v1/images/generations").status_code == 200
    later = asker.post(headers={"prefer": "respond-async"})
    assert asker.ask("GET", later.headers["location"]).status_code == 200
    opinion = {"generation_id": later.json()["id"], "rating": "down", "comment": f"no {MARKS[0]} to be seen"}
    assert asker.ask("POST", "/feedback", json=opinion).status_code == 202


@pytest.mark.parametrize("kind", QUOTING)
def test_what_the_provider_quotes(
    asker: Asker, replicate: FakeReplicate, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for said in SAID:
        monkeypatch.setitem(FAULTS, "quoting", lambda _, said=said: QUOTING[kind](said))
        replicate.knobs.faults = {"create": ["quoting"], "file": ["quoting"]}
        assert asker.post().status_code >= 400
        later = asker.post(headers={"prefer": "respond-async"}).headers["location"]
        replicate.knobs.faults = {"get": ["quoting"], "cancel": ["quoting"]}
        asker.ask("GET", later)
        asker.ask("POST", f"{later}/cancel")
        asker.post()


def test_what_the_provider_says_that_is_no_http(start: Callable[..., RunningService]) -> None:
    said = PROMPT.replace("\n", " ")
    answers = (answer.format(said=said).encode() for answer in MALFORMED.values())
    with answering(answers) as url:
        service = start(SDXL, T2I_REPLICATE_API_URL=url, T2I_PROMPT_CHARACTERS="0", LOG_LEVEL="DEBUG")
        asker = Asker(service)
        asked = {kind: asker.post() for kind in MALFORMED}
    assert {kind: answer.status_code for kind, answer in asked.items()} == dict.fromkeys(MALFORMED, 502)
    cuts = wait_for(lambda: len(found := service.logged("Provider's answer cut")) == len(MALFORMED) and found)
    assert [line["request_id"] for line in cuts] == [answer.headers["x-request-id"] for answer in asked.values()]
    assert shown([*service.lines, *(answer.text + str(answer.headers) for answer in asker.answers)]) == []


@pytest.mark.parametrize("said", SAID)
def test_how_predictions_end(asker: Asker, replicate: FakeReplicate, said: str) -> None:
    for error in (said, f"NSFW: {said}"):
        replicate.knobs.outcome, replicate.knobs.error = "failed", error
        assert asker.post().status_code >= 400
        assert asker.post("/v1/images/generations").status_code >= 400
        later = asker.post(headers={"prefer": "respond-async"}).headers["location"]
        wait_for(lambda later=later: asker.ask("GET", later).json()["status"] == "failed")
    replicate.knobs.outcome = "succeeded"
    assert asker.post().status_code == 200
    for url in (f"https://example.com/{said}", f"https://replicate.delivery:{said}/a.png", f"data:image/png,{said}"):
        replicate.knobs.outputs = [url]
        assert asker.post().status_code == 502


def test_what_is_wrong_with_the_request(asker: Asker, replicate: FakeReplicate) -> None:
    for path in ("/generate", "/v1/images/generations"):
        for options in (
            {"prompt": PROMPT * 100},
            {"prompt": [PROMPT]},
            {"negative_prompt": {"a": PROMPT}},
            {"model": PROMPT},
            {"seed": PROMPT},
            {"steps": -1},
            {"response_format": PROMPT},
            {"content": json.dumps({"prompt": PROMPT})[:-3].encode()},
            {"content": json.dumps(PROMPT).encode()},
            {"content": PROMPT.encode(), "headers": {"content-type": "text/plain"}},
            {"prompt": PROMPT * 2000},
        ):
            assert asker.post(path, **options).status_code >= 400, options
    assert asker.post(num_outputs=2, headers={"accept": "image/png"}).status_code == 406
    assert asker.post(width=65).status_code == 422


def test_what_takes_too_long(asker: Asker, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 60
    assert asker.post().status_code == 504
    with pytest.raises(httpx.ReadTimeout):
        asker.post(timeout=0.3)
    wait_for(lambda: not replicate.running())
