"""The factory: settings in, an ASGI application out. Nothing runs before its lifespan starts."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from t2i_service.callers.access import Access
from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import AT_ONCE, CANCELS_A_MINUTE, QUESTIONS_A_MINUTE, ConcurrencyLimit
from t2i_service.callers.image_links import ImageLinks
from t2i_service.callers.keyring import Keyring
from t2i_service.callers.ratings import Ratings
from t2i_service.generating.admission import Admission
from t2i_service.generating.background import Background
from t2i_service.generating.breaker import Breaker
from t2i_service.generating.generation import Generator
from t2i_service.generating.recording import Recorder
from t2i_service.observing import logs
from t2i_service.observing.metrics import Metrics
from t2i_service.observing.unscraped import Unscraped
from t2i_service.offer.models import Models
from t2i_service.providers import upstream_errors
from t2i_service.providers.replicate import ReplicateProvider
from t2i_service.providers.replicate_client import ReplicateClient
from t2i_service.providers.sandbox import SandboxProvider
from t2i_service.routes import docs, feedback, generate, generations, openai, operations, page
from t2i_service.state import State
from t2i_service.tracing.langtrace import langtrace_of
from t2i_service.tracing.tracing import Tracing
from t2i_service.version import installed
from t2i_service.web import problems
from t2i_service.web.middleware import Middleware
from t2i_service.web.openapi import describe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from t2i_service.observing.privacy import Privacy
    from t2i_service.providers.base import Provider
    from t2i_service.settings import Settings

# For cancels and for links to images, beside the generations in flight.
SPARE_CONNECTIONS = 64
# For the callers who ask how a generation stands, and for those who follow links.
CALLERS_CONNECTIONS = 2 * AT_ONCE
# What is given up at the very end still has to be answered, and the provider told.
CLEANUP_SECONDS = 2.0
# FastAPI's own instruments name things differently from the guide and would double ours.
NO_NATIVE_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}

log = logs.get()


def create_state(settings: Settings, privacy: Privacy) -> State:
    """Put the parts together; raise `ModelsError` when the models file is wrong."""
    metrics, background = Metrics(installed(), settings.commit), Background()
    models, tracing = Models(settings.models_file), Tracing(settings, metrics)
    token = settings.replicate_api_token.get_secret_value()
    connections = settings.max_in_flight + SPARE_CONNECTIONS
    client = ReplicateClient(str(settings.replicate_api_url), token, connections, CALLERS_CONNECTIONS)
    providers: dict[str, Provider] = {"Sandbox": SandboxProvider(), "Replicate": ReplicateProvider(client, metrics)}
    # With a token it stays, models or not: what was begun before a model was taken away can be read and canceled.
    if not token and all(model.provider != "Replicate" for model in models):
        del providers["Replicate"]
    if langtrace := langtrace_of(settings, metrics):
        tracing.add(langtrace.export)
    admission = Admission(settings.max_in_flight, settings.max_queued, settings.max_queue_seconds, metrics)
    recorder, questions = Recorder(metrics, privacy, langtrace), Bucket(QUESTIONS_A_MINUTE)
    generator = Generator(providers, admission, recorder, background)
    for model in models:
        breaker = Breaker(model.name, fails_by_chance=model.provider == "Sandbox")
        generator.breakers[model.name] = breaker
        currency = model.price.currency if model.price else None
        metrics.init_model_series(model.name, providers[model.provider].name, currency)
        if model.provider == "Replicate":
            metrics.init_upstream_series(model.name, upstream_errors.reasons(), upstream_errors.worth_asking_again())
        metrics.breaker_state.labels(model.name).set_function(partial(getattr, breaker, "state"))
    return State(
        settings=settings,
        models=models,
        metrics=metrics,
        privacy=privacy,
        background=background,
        providers=providers,
        tracing=tracing,
        langtrace=langtrace,
        keyring=Keyring(settings.signing_keys_dir),
        access=Access(settings.api_keys_dir, settings.requests_per_minute, privacy, metrics),
        generator=generator,
        image_links=ImageLinks(metrics, questions),
        reads=ConcurrencyLimit(
            metrics, "reads", "More callers ask how a generation stands than can be told at once.", questions
        ),
        cancels=ConcurrencyLimit(
            metrics,
            "cancels",
            "More cancels are asked for than the provider can be told at once.",
            Bucket(CANCELS_A_MINUTE),
        ),
        ratings=Ratings(),
        unscraped=Unscraped(metrics),
    )


async def _drain(state: State) -> None:
    """Wait for what goes on behind answered requests; abandon it in time to cancel and count."""
    left = state.stop_by - time.monotonic() - CLEANUP_SECONDS
    await state.background.wait(max(0.0, min(left, state.settings.grace_seconds)))
    state.generator.abandon()
    if lost := await state.background.drain(CLEANUP_SECONDS):
        log.error("Background work lost at shutdown", tasks=lost)
    state.unscraped.tell()


def create_app(state: State) -> ASGIApp:
    """Return the whole application, the middleware outermost."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        state.tracing.start()
        follow = (state.models.follow_file, state.keyring.follow, state.access.follow)
        followers = [asyncio.create_task(work()) for work in follow]
        yield
        for follower in followers:
            follower.cancel()
        await _drain(state)
        if state.langtrace:
            await state.langtrace.aclose()
        for provider in state.providers.values():
            await provider.aclose()
        await asyncio.to_thread(state.tracing.shutdown)

    app = FastAPI(
        title="Text to image",
        version=installed(),
        lifespan=lifespan,
        telemetry=NO_NATIVE_TELEMETRY,
        # What is behind a proxy would send its callers to another scheme and port.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = state
    app.openapi = describe(app, state.models, open_to_all=state.access.is_open)  # type: ignore[method-assign]
    problems.add_to(app)
    generate.add_to(app)
    generations.add_to(app)
    openai.add_to(app)
    feedback.add_to(app)
    page.add_to(app)
    docs.add_to(app)
    operations.add_to(app)
    return Middleware(app, state)
