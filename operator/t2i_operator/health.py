"""`/healthz`, `/readyz` and `/metrics`."""

from collections.abc import Callable, Mapping

from aiohttp import web

from t2i_operator.metrics import Metrics
from t2i_operator.picture import Picture

# Two bookmarks missed and a reconnect: nothing was heard though the server speaks once a minute.
STREAM_LIMIT_SECONDS = 200.0


class Health:
    """Alive as long as every stream hears from the API server; ready once there is a namespace to serve.

    What is refused has been heard, and is in `silences` but not in `ages`: a restart would end the service of the
    other namespaces and bring no right back.
    """

    def __init__(
        self,
        ages: Mapping[str, Callable[[], float]],
        silences: Mapping[str, Callable[[], float]],
        refused: Callable[[], set[str]],
        picture: Picture,
        metrics: Metrics,
    ) -> None:
        self._ages, self._silences, self._refused = ages, silences, refused
        self._picture, self._metrics = picture, metrics

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
        silent = [name for name, silence in self._silences.items() if silence() > STREAM_LIMIT_SECONDS]
        body = {"silent": silent, "refused": sorted(self._refused()), "stream_age_seconds": ages}
        return web.json_response(body, status=503 if silent else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._picture.ready
        body = {"ready": ready, "never_listed": self._picture.lacking(), "refused": sorted(self._refused())}
        return web.json_response(body, status=200 if ready else 503)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
