"""Every name under which this service can be observed. What the guide names, it names; ours start with `t2i_`.

Rules, dashboards and the tests read this registry, so a name exists here or nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

DURATION_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120,
)  # fmt: skip


class Outcome(StrEnum):
    """The label values of `image_generation_total`; only `error` counts as failure."""

    SUCCESS = "success"
    ERROR = "error"
    CANCELED = "canceled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family as Prometheus shows it (a counter's name ends in `_total`)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


HTTP_REQUESTS = Metric("http_requests_total", "counter", "HTTP requests served", ("method", "endpoint", "status"))
HTTP_DURATION = Metric(
    "http_request_duration_seconds",
    "histogram",
    "Time to serve an HTTP request; of those for images, where a generation ran and was waited for",
    ("method", "endpoint"),
)
ACTIVE_REQUESTS = Metric("active_requests", "gauge", "HTTP requests being served, probes and scrapes left out")
GENERATIONS = Metric(
    "image_generation_total", "counter", "Generations by outcome: success, error, canceled or refused", ("status",)
)
GENERATION_DURATION = Metric(
    "image_generation_duration_seconds", "histogram", "Time of the generations that ran, queue included"
)

MODEL_GENERATIONS = Metric(
    "t2i_model_generations_total", "counter", "Generations by model and outcome", ("model", "provider", "status")
)
MODEL_DURATION = Metric(
    "t2i_model_duration_seconds", "histogram", "Time the provider took, from create to end", ("model",)
)
MODEL_COST = Metric(
    "t2i_model_cost_total", "counter", "What the provider charges, failed predictions included", ("model", "currency")
)
MODEL_TOKENS = Metric("t2i_model_tokens_total", "counter", "Tokens, where the provider reports them", ("model", "type"))
MODEL_RETRIES = Metric("t2i_model_retries_total", "counter", "Upstream requests sent again", ("model", "reason"))
UPSTREAM_ERRORS = Metric(
    "t2i_model_upstream_errors_total", "counter", "Upstream requests that failed, by reason", ("model", "reason")
)
POLL_GAP = Metric(
    "t2i_model_poll_gap_seconds", "histogram", "Time between a prediction's end and its being noticed", ("model",)
)
BREAKER_STATE = Metric("t2i_model_breaker_state", "gauge", "0 closed, 1 half open, 2 open", ("model",))
IN_FLIGHT = Metric("t2i_generations_in_flight", "gauge", "Generations that hold a slot")
QUEUED = Metric("t2i_generations_queued", "gauge", "Generations that wait for a slot")
QUEUE_WAIT = Metric("t2i_generation_queue_wait_seconds", "histogram", "Time a generation waited for its slot")
REJECTED = Metric(
    "t2i_generations_rejected_total",
    "counter",
    "Generations, links to images, reads and cancels refused for lack of capacity",
    ("reason",),
)
SPANS_EXPORTED = Metric("t2i_spans_exported_total", "counter", "Spans an exporter has delivered", ("exporter",))
SPANS_DROPPED = Metric(
    "t2i_spans_dropped_total", "counter", "Spans lost to a full queue or a failed export", ("exporter", "reason")
)
ABANDONED = Metric(
    "t2i_generations_abandoned_total",
    "counter",
    "Generations a stopping pod no longer waits for; no scrape sees the last, its log line does",
)
KEY_REQUESTS = Metric("t2i_key_requests_total", "counter", "Requests by the id of their API key", ("key",))
FEEDBACK = Metric("t2i_model_feedback_total", "counter", "Ratings of images, each once", ("model", "rating"))
BUILD_INFO = Metric("t2i_build_info", "gauge", "Always 1; says which build runs", ("version", "commit"))

METRICS = (
    HTTP_REQUESTS,
    HTTP_DURATION,
    ACTIVE_REQUESTS,
    GENERATIONS,
    GENERATION_DURATION,
    MODEL_GENERATIONS,
    MODEL_DURATION,
    MODEL_COST,
    MODEL_TOKENS,
    MODEL_RETRIES,
    UPSTREAM_ERRORS,
    POLL_GAP,
    BREAKER_STATE,
    IN_FLIGHT,
    QUEUED,
    QUEUE_WAIT,
    REJECTED,
    ABANDONED,
    KEY_REQUESTS,
    FEEDBACK,
    SPANS_EXPORTED,
    SPANS_DROPPED,
    BUILD_INFO,
)

# Probes and scrapes: no span, no log line, not in `active_requests`.
QUIET_ENDPOINTS = frozenset({"/health", "/ready", "/metrics"})
# What alerts and objectives are about: the routes that generate.
GENERATION_ENDPOINTS = ("/generate", "/v1/images/generations")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
OTHER = "other"

# Spans; beside these, each model has one of its own.
SPAN_GENERATE = "generate_image"
SPAN_QUEUE = "wait_for_slot"
SPAN_FETCH = "fetch_images"
SPANS_BY_PATH = {
    "/generate": SPAN_GENERATE,
    "/v1/images/generations": SPAN_GENERATE,
    "/feedback": "record_feedback",
}
SPANS_BY_PREFIX = {"/generations/": "access_generation"}
# OpenTelemetry's word for what is scrubbed of a URL.
HIDDEN_ID = "REDACTED"
SPANS = frozenset({SPAN_QUEUE, SPAN_FETCH, *SPANS_BY_PATH.values(), *SPANS_BY_PREFIX.values()})

# The guide's span attributes.
REQUEST_ID = "request_id"
PROMPT = "prompt"
MODEL = "model"
DURATION = "duration"
STATUS = "status"
ERROR = "error"

# OpenTelemetry's semantic conventions; the GenAI ones are spelled here because the package no longer holds them.
ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_PATH = "url.path"
SERVER_ADDRESS = "server.address"
GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_OUTPUT_TYPE = "gen_ai.output.type"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_REQUEST_SEED = "gen_ai.request.seed"
GEN_AI_REQUEST_COUNT = "gen_ai.request.choice.count"
GEN_AI_RESPONSE_ID = "gen_ai.response.id"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_COST_AMOUNT = "gen_ai.usage.cost.amount"
GEN_AI_COST_CURRENCY = "gen_ai.usage.cost.currency"
GEN_AI_TOKENS = {"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens"}
PREDICT_SECONDS = "t2i.predict_seconds"
POLL_GAP_SECONDS = "t2i.poll_gap_seconds"
# What LangTrace reads beside these, on its own copy of a model's span.
LANGTRACE_SERVICE_NAME = "langtrace.service.name"
LANGTRACE_SERVICE_TYPE = "langtrace.service.type"
LANGTRACE_SDK_NAME = "langtrace.sdk.name"
LANGTRACE_ATTRIBUTES = frozenset({LANGTRACE_SERVICE_NAME, LANGTRACE_SERVICE_TYPE, LANGTRACE_SDK_NAME})
EVENT_PROMPT = "gen_ai.content.prompt"
EVENT_PROMPT_TEXT = "gen_ai.prompt"

ATTRIBUTES = frozenset(
    {
        REQUEST_ID,
        PROMPT,
        MODEL,
        DURATION,
        STATUS,
        ERROR,
        ERROR_TYPE,
        HTTP_METHOD,
        HTTP_ROUTE,
        HTTP_STATUS,
        URL_PATH,
        SERVER_ADDRESS,
        GEN_AI_OPERATION,
        GEN_AI_OUTPUT_TYPE,
        GEN_AI_PROVIDER,
        GEN_AI_REQUEST_MODEL,
        GEN_AI_REQUEST_SEED,
        GEN_AI_REQUEST_COUNT,
        GEN_AI_RESPONSE_ID,
        GEN_AI_RESPONSE_MODEL,
        GEN_AI_COST_AMOUNT,
        GEN_AI_COST_CURRENCY,
        *GEN_AI_TOKENS.values(),
        PREDICT_SECONDS,
        POLL_GAP_SECONDS,
    }
)


def model_span_name(provider: str, model: str) -> str:
    """Return the name of a model's span, as the guide spells it."""
    return f"{provider}_{model}"


def span_name(path: str) -> str | None:
    """Return the name of a request's span, None where no span is made."""
    found = SPANS_BY_PATH.get(path)
    if found:
        return found
    return next((name for prefix, name in SPANS_BY_PREFIX.items() if path.startswith(prefix)), None)


def span_path(path: str) -> str:
    """Return a path as its span shows it: a caller chooses how long an id is, and who reads one may use it."""
    return next((f"{prefix}{HIDDEN_ID}" for prefix in SPANS_BY_PREFIX if path.startswith(prefix)), path)
