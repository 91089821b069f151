"""The service with its picture drawn beforehand, and with one of its instruments, or all of them, left out.

Only the benchmark can do this: `python -m dev.bench.subject --without metrics`. Everything else is the service's own,
its settings included. `--without all` leaves FastAPI, the route, the access check, admission, the breaker, the
provider and the signed ids: what a request costs when nobody watches.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

from prometheus_client.metrics import MetricWrapperBase
from starlette.responses import PlainTextResponse
from t2i_service import main
from t2i_service.app import create_state
from t2i_service.generating.recording import Recorder
from t2i_service.observing import logs
from t2i_service.observing.context import RequestContext, current
from t2i_service.observing.privacy import Privacy
from t2i_service.observing.spans import Kind, Span
from t2i_service.providers.base import unbounded
from t2i_service.providers.pictures import image_from
from t2i_service.providers.sandbox import SandboxProvider
from t2i_service.settings import load
from typing_extensions import override

from tests.fakes.replicate_wire import blank_png

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send
    from t2i_service.callers.access import Access
    from t2i_service.observing.metrics import Metrics
    from t2i_service.providers.base import Image, Prediction
    from t2i_service.state import State


class Drawn(SandboxProvider):
    """Hands out one picture: drawing would drown what is measured."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self._image = image

    @override
    async def fetch(
        self, label: str, prediction: Prediction, index: int, claim: Callable[[int], object] = unbounded
    ) -> Image:
        return self._image


class NoSpan(Span):
    """Has no children and no end."""

    def __init__(self) -> None:
        nobody: Any = lambda _: None  # noqa: E731
        super().__init__(
            "", Kind.INTERNAL, trace_id=0, parent_id=0, sampled=False, recorded=False, on_end=nobody, attributes={}
        )

    @override
    def child(self, *_args: object, **_kwargs: object) -> Span:
        return self


NO_SPAN = NoSpan()


class NoTracer:
    """Starts no span."""

    def start(self, *_: object) -> Span:
        """Return the span that is none."""
        return NO_SPAN


class NoMetric:
    """Counts nothing."""

    def labels(self, *_: object) -> NoMetric:
        """Return itself."""
        return self

    def inc(self, *_: object) -> None:
        """Do nothing."""

    dec = observe = inc


class NoRecorder(Recorder):
    """Leaves nothing behind."""

    @override
    def model_span(self, *_: object) -> Span:
        return NO_SPAN

    def began(self, *_: object) -> None:
        """Do nothing, like all the others."""

    waited: Any = began
    model_answered: Any = began
    ended: Any = began
    abandoned: Any = began
    charged: Any = began


class Bare:
    """Stands where the middleware stands: checks access and says which request is being served."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            context = RequestContext("none", time.perf_counter(), span=NO_SPAN)
            current.set(context)
            context.key_id = self._access.admit(scope["path"], None)
        await self._app(scope, receive, send)


class TaskCount:
    """Says how many tasks the event loop has, its own among them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != "/_tasks":
            return await self._app(scope, receive, send)
        return await PlainTextResponse(str(len(asyncio.all_tasks())))(scope, receive, send)


def silence(metrics: Metrics) -> None:
    """Put what counts nothing in every metric's place; exporters keep their own, so that drops stay known."""
    for name, value in vars(metrics).items():
        if isinstance(value, MetricWrapperBase):
            setattr(metrics, name, NoMetric())
    metrics._http_children.clear()


def strip(app: Any, state: State) -> ASGIApp:
    """Return the application without what stands around it."""
    silence(state.metrics)
    # The very object: it is not the generator alone that has it.
    state.generator._recorder.__class__ = NoRecorder
    return Bare(app._app, state.access)


def serve() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", choices=["tracing", "metrics", "logs", "all"])
    parser.add_argument("--image-bytes", type=int, default=1024)
    parser.add_argument("--tasks", action="store_true", help="answer /_tasks with how many tasks the loop has")
    options = parser.parse_args()
    settings = load()
    privacy = Privacy(settings.prompt_characters, main.secrets_of(settings))
    logs.configure("ERROR" if options.without in ("logs", "all") else settings.log_level, privacy)
    state = create_state(settings, privacy)
    cast("dict[str, Any]", state.providers)["Sandbox"] = Drawn(image_from(blank_png(64, 64, options.image_bytes)))
    config = main.config(settings, state)
    if options.without == "all":
        config.app = strip(config.app, state)
    elif options.without == "metrics":
        silence(state.metrics)
    elif options.without == "tracing":
        state.tracing.tracer = cast("Any", NoTracer())
    if options.tasks:
        config.app = TaskCount(cast("ASGIApp", config.app))
    main.Server(config, state).run()


if __name__ == "__main__":
    serve()
