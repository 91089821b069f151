"""A recording stand-in for LangTrace's HTTP endpoints, as the published SDK calls them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

KEY = "langtrace-key-of-the-tests"


@dataclass
class FakeLangTrace:
    """Keeps spans and evaluations, and who follows where `/moved` sends them; `/same` answers neither yes nor no.

    The next `refused` questions about evaluations are a 500.
    """

    spans: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    followed: list[dict[str, str]] = field(default_factory=list)
    refused: int = 0

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/trace", self.trace, methods=["POST"]),
                Route("/api/evaluation", self.evaluation, methods=["GET", "POST", "PUT"]),
                Route("/moved/api/{what}", lambda _: RedirectResponse("/elsewhere", 302), methods=["GET", "POST"]),
                Route("/same/api/{what}", lambda _: Response(status_code=304), methods=["GET", "POST"]),
                Route("/elsewhere", self.elsewhere, methods=["GET", "POST"]),
            ]
        )

    async def trace(self, request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"error": "Invalid API key"}, 401)
        self.headers.append(dict(request.headers))
        self.spans += await request.json()
        return JSONResponse({"message": "ok"})

    async def elsewhere(self, request: Request) -> Response:
        self.followed.append(dict(request.headers))
        return JSONResponse({})

    async def evaluation(self, request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"error": "Invalid API key"}, 401)
        if self.refused:
            self.refused -= 1
            return JSONResponse({"error": "Internal error"}, 500)
        span_id = request.query_params["spanId"]
        self.methods.append(request.method)
        if request.method == "GET":
            known = self.evaluations.get(span_id)
            return JSONResponse({"evaluations": [known] if known else []})
        self.evaluations[span_id] = await request.json()
        return JSONResponse({"message": "ok"})
