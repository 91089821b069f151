"""`/healthz`, `/readyz` and `/metrics`."""

from collections.abc import Callable, Mapping

from aiohttp import web

from t2i_operator.metrics import Metrics

# Two bookmarks missed and a reconnect: nothing was heard though the server speaks once a minute.
STREAM_LIMIT_SECONDS = 200.0


class Health:
    """Alive as long as every stream hears from the API server; ready once all have been listed."""

    def __init__(self, ages: Mapping[str, Callable[[], float]], synced: Callable[[], bool], metrics: Metrics) -> None:
        self._ages, self._synced, self._metrics = ages, synced, metrics

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
        ages = {name: round(age(), 1) for name, age in self._ages.items()}
        silent = [name for name, age in ages.items() if age > STREAM_LIMIT_SECONDS]
        return web.json_response({"silent": silent, "stream_age_seconds": ages}, status=503 if silent else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._synced()
        return web.json_response({"synced": ready}, status=200 if ready else 503)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
