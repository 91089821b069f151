"""`/healthz`, `/readyz` and `/metrics`."""

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web

from t2i_operator.runtime.cache_sync import CacheSync
from t2i_operator.status.metrics import Metrics

# Several watches that could not be resumed: nothing was heard though the server speaks twice a minute.
STREAM_LIMIT_SECONDS = 200.0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Alive as long as every stream hears from the API server; ready with a namespace to serve and a right to lead.

    What is refused has been heard, and is in `silences` but not in `ages`: a restart would end the service of the
    other namespaces and bring no right back. Nor are optional kinds in `silences`: while another product's conversion
    webhook is broken, each new process would be restarted too.
    """

    ages: Mapping[str, Callable[[], float]]
    silences: Mapping[str, Callable[[], float]]
    refused: Callable[[], set[str]]
    cache_sync: CacheSync
    may_lead: Callable[[], bool]
    metrics: Metrics

    async def serve(self, port: int) -> web.AppRunner:
        """Start to answer; the caller cleans up what is returned."""
        app = web.Application()
        app.add_routes(
            [web.get("/healthz", self._healthz), web.get("/readyz", self._readyz), web.get("/metrics", self._scrape)]
        )
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, None, port).start()
        return runner

    async def _healthz(self, _: web.Request) -> web.Response:
        ages = {name: round(age(), 1) for name, age in self.ages.items()}
        silent = [name for name, silence in self.silences.items() if silence() > STREAM_LIMIT_SECONDS]
        body = {"silent": silent, "refused": sorted(self.refused()), "stream_age_seconds": ages}
        return web.json_response(body, status=503 if silent else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        may_lead = self.may_lead()
        ready = self.cache_sync.ready and may_lead
        body = {
            "ready": ready,
            "may_lead": may_lead,
            "never_listed": self.cache_sync.unsynced(),
            "refused": sorted(self.refused()),
        }
        return web.json_response(body, status=200 if ready else 503)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self.metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
