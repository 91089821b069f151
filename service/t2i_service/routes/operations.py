"""What those who run the service ask it: is it alive, may it get traffic, what is it, what does it count."""

from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from t2i_service.errors import NotReadyError
from t2i_service.offer.models_config import Model
from t2i_service.state import State, state_of
from t2i_service.version import installed


def add_to(app: FastAPI) -> None:
    """Add these routes."""
    app.add_api_route("/health", health, methods=["GET"], summary="Is the process alive?", tags=["operations"])
    app.add_api_route("/ready", ready, methods=["GET"], summary="May it get traffic? If not, why?", tags=["operations"])
    app.add_api_route("/info", info, methods=["GET"], summary="Version, models and limits", tags=["operations"])
    app.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        summary="For Prometheus",
        tags=["operations"],
        response_model=None,
        responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
    )
    # For `curl -I` and for monitors from outside, which ask for no more than the status.
    for path, route in (("/health", health), ("/ready", ready), ("/info", info)):
        app.add_api_route(path, route, methods=["HEAD"], include_in_schema=False)


async def health() -> Response:
    """Answer while the event loop turns; a restart would cure nothing else."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def ready(request: Request) -> JSONResponse:
    """Answer 503 with the reason while traffic would only fail."""
    if reason := why_not_ready(state_of(request)):
        raise NotReadyError(reason)
    return JSONResponse({"status": "ready"})


def why_not_ready(state: State) -> str:
    """Return a sentence for `kubectl describe`, empty when ready; what an upstream does is no reason."""
    if state.draining:
        return "The service is shutting down."
    token = state.settings.replicate_api_token.get_secret_value()
    # What has no weight gets only requests that name it, and they are told what it lacks.
    needs = [model.name for model in state.models if model.provider == "Replicate" and model.weight]
    if needs and not token:
        return f"REPLICATE_API_TOKEN is not set, and {', '.join(needs)} cannot work without it."
    return ""


async def info(request: Request) -> Response:
    """Tell what runs here; never a secret."""
    state = state_of(request)
    settings = state.settings
    body: dict[str, Any] = {
        "service": settings.service_name,
        "version": installed(),
        "commit": settings.commit,
        "authentication": "none" if state.access.is_open else "api_key",
        "models": [
            _model(model) | {"state": state.generator.breakers[model.name].state.name.lower()} for model in state.models
        ],
        "trace_url": state.tracing.pages,
        "limits": {
            "max_in_flight": settings.max_in_flight,
            "max_queued": settings.max_queued,
            "max_queue_seconds": settings.max_queue_seconds,
            "requests_per_minute": settings.requests_per_minute or None,
        },
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


def _model(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "provider": model.provider.lower(),
        "version": model.version if model.provider == "Replicate" else None,
        "weight": model.weight,
        "timeout_seconds": model.timeout_seconds,
        "price": model.price.model_dump(mode="json", exclude_none=True) if model.price else None,
        "limits": model.limits.model_dump(),
        "defaults": model.defaults.model_dump(),
    }


async def metrics(request: Request) -> Response:
    """Serve OpenMetrics with exemplars to who asks for it, else Prometheus' plain text."""
    state = state_of(request)
    asked = "application/openmetrics-text" in request.headers.get("accept", "")
    write, media_type = (
        (openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST)
        if asked
        else (generate_latest, CONTENT_TYPE_LATEST)
    )
    text = write(state.metrics.registry)
    state.unscraped.scraped()
    return Response(text, media_type=media_type)
