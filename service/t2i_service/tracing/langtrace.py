"""LangTrace sees every model call: model, latency, prompt, cost, tokens where reported, and what users say of it.

`langtrace-python-sdk` is touched here alone, for its exporter, and never through `langtrace.init()`, which would take
the global tracer, print, and call home (docs/decisions/0041). It is imported in the exporter's own thread, with a key.
"""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from t2i_service.http_client import HttpClient, succeeded
from t2i_service.observing import logs
from t2i_service.tracing.span_export import Exporter, SpanExport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2i_service.callers.keyring import Reference
    from t2i_service.observing.metrics import Metrics
    from t2i_service.observing.spans import Span
    from t2i_service.offer.tasks import Task
    from t2i_service.settings import Settings

NAME = "langtrace"
TRACE_PATH = "/api/trace"
EVALUATION_PATH = "/api/evaluation"
EVALUATION_SECONDS = 10.0
EVALUATIONS_AT_ONCE = 20
SCORES = {"up": 1, "down": -1}

log = logs.get("app.langtrace")


class LangTrace:
    """The exporter's queue and the evaluations; made only when there is a key."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._key = settings.langtrace_api_key.get_secret_value()
        host = str(settings.langtrace_api_host).rstrip("/")
        self._base = host.removesuffix(TRACE_PATH)
        self._answered = ""
        self._full = settings.langtrace_prompts == "Full"
        self.export = SpanExport(NAME, self._exporter, metrics, self._why)
        # Proxies of the environment are for LangTrace alone, as the SDK has it.
        self._client = HttpClient(
            EVALUATIONS_AT_ONCE,
            EVALUATION_SECONDS,
            EVALUATION_SECONDS,
            headers={"x-api-key": self._key},
            trust_env=True,
        )
        log.info("langtrace is on", host=urlsplit(self._base).netloc, prompts=settings.langtrace_prompts)

    def record(self, span: Span, task: Task, shown: str) -> None:
        """Send a model's span, with the prompt as far as LangTrace may see it."""
        prompt = json.dumps([{"role": "user", "content": task.prompt if self._full else shown}])
        self.export.submit((span, task.model.provider, prompt))

    async def evaluate(self, reference: Reference, rating: str) -> None:
        """Tell what a user thinks of a generation; a second opinion replaces the first, as in the SDK's own client.

        The SDK's client waits without limit and prints, so its three calls are made here.
        """
        span_id = base64.b64encode(bytes.fromhex(reference.span_id)).decode()
        trace_id = base64.b64encode(bytes.fromhex(reference.trace_id)).decode()
        body = {"spanId": span_id, "traceId": trace_id, "userScore": SCORES[rating], "userId": reference.owner or None}
        url = URL(f"{self._base}{EVALUATION_PATH}").with_query(spanId=span_id)
        try:
            known = json.loads(await self._ask("GET", url)).get("evaluations")
            await self._ask("PUT" if known else "POST", url, json=body)
        except (aiohttp.ClientError, ValueError, AttributeError) as error:
            log.warning("langtrace took no feedback", error=f"{type(error).__name__}: {error}")

    async def aclose(self) -> None:
        """Close the connections of the evaluations."""
        await self._client.aclose()

    async def _ask(self, method: str, url: URL, **options: Any) -> bytes:
        async with self._client.request(method, url, **options) as response:
            if not succeeded(response.status):
                raise ValueError(f"it answered {response.status}")
            return await response.read()

    def _exporter(self) -> Exporter:
        # Imported here: the package takes seconds and 40 MB, for those alone who use it.
        from langtrace_python_sdk.extensions import langtrace_exporter  # type: ignore[import-untyped]  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

        from t2i_service.tracing.langtrace_span import ModelSpan, process  # noqa: PLC0415

        described = process()
        # All that it uses of `requests`.
        langtrace_exporter.requests = SimpleNamespace(post=self._post)
        url = f"{self._base}{TRACE_PATH}"
        sdk = langtrace_exporter.LangTraceExporter(api_host=url, api_key=self._key, disable_logging=True)

        class Quiet(Exporter):
            """The SDK's exporter; its `shutdown` only prints a farewell and is not called."""

            def export(self, spans: Sequence[Any]) -> bool:
                """Send a batch in the SDK's own shape."""
                readable = [ModelSpan(span, service, prompt, described) for span, service, prompt in spans]
                return sdk.export(readable) is SpanExportResult.SUCCESS

            def shutdown(self) -> None:
                """Say nothing."""

        return Quiet()

    def _why(self) -> str:
        return f"{self._base} did not take them{self._answered}"

    def _post(self, **request: Any) -> Any:
        """Follow no redirect, as the SDK would: with the key, without the spans, and as if they had arrived."""
        from requests import RequestException, post  # noqa: PLC0415 - with the SDK

        self._answered = ""
        response = post(**request, allow_redirects=False)  # noqa: S113 - the SDK sets one
        self._answered = f": it answered {response.status_code}"
        if not succeeded(response.status_code):
            raise RequestException(response.reason)
        return response


def langtrace_of(settings: Settings, metrics: Metrics) -> LangTrace | None:
    """Return LangTrace when its key is set; say so in the log either way, where people look for it."""
    if settings.langtrace_api_key.get_secret_value():
        return LangTrace(settings, metrics)
    log.info("langtrace is off", reason="LANGTRACE_API_KEY is not set")
    return None
