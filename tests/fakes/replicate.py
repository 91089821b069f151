"""A wire-true stand-in for Replicate's HTTP API, run by a real uvicorn: what is paid for cannot be called from tests.

True to the documentation, and checked by the published client (tests/contract/test_service_replicate.py), since no
answer of the real API is at hand: the six statuses, `Prefer: wait`, `Cancel-After` (aborted before the prediction runs,
canceled after), RFC 7807 errors, throttling, outputs behind links that are deleted after an hour.
`python -m tests.fakes.replicate --port 9000` runs it alone; `PUT /_knobs` turns its knobs then.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.replicate_wire import FAULTS, UNWELL, Cut, blank_png, iso, problem, seconds_of, undrawable, wrong_input

if TYPE_CHECKING:
    from starlette.requests import Request

TOKEN = "r8_FakeTokenOfTheFakeReplicate0000000000"
VERSION = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
RUNNING = frozenset({"starting", "processing"})


@dataclass
class Knobs:
    """How the fake behaves; `faults` are taken one a request, by its kind: create, created, get, cancel, file.

    Of predictions the `failing_share` ends failed; of creates and gets the `faulty_share` is not answered as asked.
    No file is answered for as long as `hold_files` is set.
    """

    queue_seconds: float = 0.0
    predict_seconds: float = 0.01
    outcome: str = "succeeded"
    failing_share: float = 0.0
    faulty_share: float = 0.0
    error: str = "CUDA out of memory"
    image_bytes: int = 0
    hold_files: bool = False
    outputs: Any = None
    file_lifetime_seconds: float = 3600.0
    throttle_seconds: int = 1
    tokens: dict[str, int] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Record:
    """One prediction; how it stands follows from the clock, unless it was cancelled."""

    id: str
    input: dict[str, Any]
    knobs: Knobs
    headers: dict[str, str]
    created: float = field(default_factory=time.time)
    deadline: float | None = None
    canceled: float | None = None

    @property
    def started(self) -> float:
        return self.created + self.knobs.queue_seconds

    @property
    def ended(self) -> float:
        ends = [self.started + self.knobs.predict_seconds]
        ends += [moment for moment in (self.deadline, self.canceled) if moment is not None]
        return min(ends)

    def status(self) -> str:
        now = time.time()
        if now < self.ended:
            return "starting" if now < self.started else "processing"
        if self.ended < self.started + self.knobs.predict_seconds:
            before = self.ended < self.started and self.ended == self.deadline
            return "aborted" if before else "canceled"
        return self.knobs.outcome


class FakeReplicate:
    """The API's state and its application."""

    def __init__(self, base_url: str = "") -> None:
        self.base_url = base_url
        self.knobs = Knobs()
        self.predictions: dict[str, Record] = {}
        self.requests: list[tuple[str, str]] = []
        self._expected = {"authorization": f"Bearer {TOKEN}"}
        self.app = Starlette(
            routes=[
                Route("/v1/predictions", self.create, methods=["POST"]),
                Route("/v1/predictions/{id}", self.get, methods=["GET"]),
                Route("/v1/predictions/{id}/cancel", self.cancel, methods=["POST"]),
                Route("/v1/models/{owner}/{name}/versions/{id}", self.version, methods=["GET"]),
                Route("/files/{id}/{name}", self.file, methods=["GET"]),
                Route("/_knobs", self.turn, methods=["PUT"]),
                Route("/_predictions", self.listed, methods=["GET"]),
                Route("/_statuses", self.counted, methods=["GET"]),
                Route("/_calls", self.called, methods=["GET"]),
            ]
        )

    def running(self) -> list[str]:
        """Return the ids of what still costs money."""
        return [record.id for record in self.predictions.values() if record.status() in RUNNING]

    def finish(self) -> None:
        """End what runs, as its outcome says: who looks at it while it runs may take as long as it takes."""
        for record in self.predictions.values():
            if record.status() in RUNNING:
                record.knobs.predict_seconds = time.time() - record.started

    def statuses(self) -> list[str]:
        return [record.status() for record in self.predictions.values()]

    async def create(self, request: Request) -> Response:
        self.requests.append(("create", request.headers.get("user-agent", "")))
        if trouble := self._unauthorized(request) or await self._fault("create"):
            return trouble
        body = await request.json()
        if body.get("version", "").rpartition(":")[2] != VERSION:
            detail = "The specified version does not exist (or perhaps you don't have permission to use it?)"
            return problem(422, "Invalid version or not permitted", detail)
        if wrong := wrong_input(body.get("input", {})):
            detail = "\n".join(f"- {item['field']}: {item['description']}" for item in wrong)
            return JSONResponse(
                {"title": "Input validation failed", "detail": detail, "status": 422, "invalid_fields": wrong}, 422
            )
        record = self._record(body["input"], request)
        if await self._fault("created"):
            return Cut()
        if wait := re.fullmatch(r"wait(?:=(\d+))?", request.headers.get("prefer", "")):
            await self._until(record, float(wait[1] or 60))
        return JSONResponse(self._json(record), 201 if record.status() not in RUNNING else 202)

    async def get(self, request: Request) -> Response:
        self.requests.append(("get", request.path_params["id"]))
        if trouble := self._unauthorized(request) or await self._fault("get"):
            return trouble
        record = self.predictions.get(request.path_params["id"])
        return JSONResponse(self._json(record)) if record else problem(404, "Not found", "Not found")

    async def cancel(self, request: Request) -> Response:
        self.requests.append(("cancel", request.path_params["id"]))
        if trouble := self._unauthorized(request) or await self._fault("cancel"):
            return trouble
        record = self.predictions.get(request.path_params["id"])
        if record is None:
            return problem(404, "Not found", "Not found")
        if record.status() in RUNNING:
            record.canceled = time.time()
        return JSONResponse(self._json(record))

    async def version(self, request: Request) -> Response:
        self.requests.append(("version", request.path_params["id"]))
        schema = {"components": {"schemas": {"Output": {"type": "array", "items": {"type": "string"}}}}}
        return JSONResponse({"id": VERSION, "created_at": iso(0.0), "cog_version": "0.8.6", "openapi_schema": schema})

    async def file(self, request: Request) -> Response:
        self.requests.append(("file", request.headers.get("authorization", "")))
        if trouble := await self._fault("file"):
            return trouble
        while self.knobs.hold_files:  # noqa: ASYNC110 - a knob is turned from another thread
            await asyncio.sleep(0.01)
        record = self.predictions.get(request.path_params["id"])
        if record is None or time.time() > record.ended + self.knobs.file_lifetime_seconds:
            return Response("Not found", 404)
        png = blank_png(record.input.get("width", 1024), record.input.get("height", 1024), record.knobs.image_bytes)
        return Response(png, media_type="image/png")

    async def turn(self, request: Request) -> Response:
        self.knobs = replace(self.knobs, **await request.json())
        return JSONResponse({item.name: getattr(self.knobs, item.name) for item in fields(Knobs)})

    async def listed(self, _request: Request) -> Response:
        return JSONResponse([self._json(record) for record in self.predictions.values()])

    async def counted(self, _request: Request) -> Response:
        return JSONResponse(Counter(self.statuses()))

    async def called(self, _request: Request) -> Response:
        return JSONResponse(Counter(kind for kind, _ in self.requests))

    def _record(self, inputs: dict[str, Any], request: Request) -> Record:
        prediction_id = "".join(secrets.choice("abcdefghjkmnpqrstvwxyz0123456789") for _ in range(26))
        failing = random.random() < self.knobs.failing_share  # noqa: S311 - chance, not a secret
        knobs = replace(self.knobs, outcome="failed" if failing else self.knobs.outcome)
        if error := undrawable(inputs):
            knobs = replace(knobs, outcome="failed", error=error)
        record = Record(prediction_id, inputs, knobs, dict(request.headers))
        if after := request.headers.get("cancel-after"):
            record.deadline = record.created + seconds_of(after)
        self.predictions[prediction_id] = record
        return record

    async def _until(self, record: Record, seconds: float) -> None:
        end = time.time() + seconds
        while time.time() < end and record.status() in RUNNING:  # noqa: ASYNC110 - only the clock ends a prediction
            await asyncio.sleep(0.01)

    def _json(self, record: Record) -> dict[str, Any]:
        status, url = record.status(), f"{self.base_url}/v1/predictions/{record.id}"
        over = status not in RUNNING
        ran = max(0.0, record.ended - record.started)
        count = record.input.get("num_outputs", 1)
        files = record.knobs.outputs
        if files is None:
            files = [f"{self.base_url}/files/{record.id}/out-{n}.png" for n in range(count)]
        return {
            "id": record.id,
            "model": "stability-ai/sdxl",
            "version": VERSION,
            "input": record.input,
            "logs": "Using seed: 1\n" if over else "",
            "output": files if status == "succeeded" else None,
            "data_removed": False,
            "error": record.knobs.error if status == "failed" else None,
            "status": status,
            "created_at": iso(record.created),
            "started_at": iso(record.started) if status not in {"starting", "aborted"} else None,
            "completed_at": iso(record.ended) if over else None,
            "metrics": self._metrics(record) if over and ran else {},
            "urls": {"get": url, "cancel": f"{url}/cancel", "web": f"https://replicate.com/p/{record.id}"},
        }

    def _metrics(self, record: Record) -> dict[str, float]:
        ran, total = record.ended - record.started, record.ended - record.created
        return {"predict_time": ran, "total_time": total, **record.knobs.tokens}

    def _unauthorized(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == self._expected["authorization"]:
            return None
        return problem(401, "Unauthenticated", "You did not pass a valid authentication token")

    async def _fault(self, kind: str) -> Response | None:
        if waiting := self.knobs.faults.get(kind):
            fault = waiting.pop(0)
        elif kind in {"create", "get"} and random.random() < self.knobs.faulty_share:  # noqa: S311 - chance
            fault = random.choice(UNWELL)  # noqa: S311 - chance
        else:
            return None
        if fault.startswith("slow:"):
            await asyncio.sleep(float(fault.removeprefix("slow:")))
            return None
        return FAULTS[fault](self.knobs.throttle_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    options = parser.parse_args()
    fake = FakeReplicate(f"http://{options.host}:{options.port}")
    uvicorn.run(fake.app, host=options.host, port=options.port, access_log=False)


if __name__ == "__main__":
    main()
