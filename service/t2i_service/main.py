"""`t2i-service`: read the environment, serve until told to stop, and lose nothing on the way out."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

import uvicorn
from typing_extensions import override

from t2i_service.app import CLEANUP_SECONDS, create_app, create_state
from t2i_service.callers.keyring import KeysError
from t2i_service.observing import logs
from t2i_service.observing.privacy import Privacy
from t2i_service.offer.models_config import ModelsError
from t2i_service.settings import Settings, SettingsError, load
from t2i_service.web.protocol import Protocol

if TYPE_CHECKING:
    from socket import socket
    from types import FrameType

    from t2i_service.state import State

WRONG_SETTINGS = 2
# A generation makes some 300 objects that can be in rings, and leaves none of them behind.
GC_THRESHOLDS = (10_000, 5, 100)
# How long an exporter's thread keeps the interpreter when the event loop wants it: docs/decisions/0061.
SWITCH_SECONDS = 0.0001


class Server(uvicorn.Server):
    """On SIGTERM it turns unready but keeps accepting until the endpoints of the Service have forgotten the pod."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None

    @override
    async def startup(self, sockets: list[socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        _collect_seldom()
        sys.setswitchinterval(SWITCH_SECONDS)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM or self._state.draining or self._loop is None:
            super().handle_exit(sig, frame)
            return
        self._state.draining = True
        self._loop.call_soon_threadsafe(self._stop_later)

    def _stop_later(self) -> None:
        seconds = self._state.settings.drain_seconds
        logs.get().info("Shutting down: unready now, still accepting", seconds=seconds)
        asyncio.get_running_loop().call_later(seconds, self._stop)

    def _stop(self) -> None:
        grace = self._state.settings.grace_seconds
        self._state.stop_by = time.monotonic() + grace
        asyncio.get_running_loop().call_later(max(0.0, grace - CLEANUP_SECONDS), self._state.generator.stop)
        self.should_exit = True


def _collect_seldom() -> None:
    """Keep the garbage collector from holding up requests: docs/decisions/0044 says what it took."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def main() -> None:
    """Serve; exit with 2 and one sentence per mistake when the settings are wrong."""
    try:
        settings = load()
        privacy = Privacy(settings.prompt_characters, secrets_of(settings))
        logs.configure(settings.log_level, privacy)
        state = create_state(settings, privacy)
    except (SettingsError, ModelsError, KeysError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(WRONG_SETTINGS)
    Server(config(settings, state), state).run()


def config(settings: Settings, state: State) -> uvicorn.Config:
    """Return uvicorn's settings: our log lines instead of its own, one worker a pod."""
    return uvicorn.Config(
        create_app(state),
        # None is all addresses as well, for which uvicorn has a name to log.
        host=settings.host or None,  # type: ignore[arg-type]
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # What a proxy says of the caller is read for links alone, from whatever address it comes: web/results.py.
        proxy_headers=False,
        # Load balancers keep idle connections for a minute; who closes first loses the other's next request.
        timeout_keep_alive=75,
        # The hard cut, for what does not even take its answer.
        timeout_graceful_shutdown=max(0, int(settings.grace_seconds - CLEANUP_SECONDS / 2)),
        loop="uvloop",
        http=Protocol,
        lifespan="on",
    )


def secrets_of(settings: Settings) -> list[str]:
    """Return what no log line may show."""
    headers = f"{settings.otlp_headers.get_secret_value()},{settings.otlp_traces_headers.get_secret_value()}"
    # A library may complain about a part of a value that has a comma in it, or about what it stands for.
    parts = [header.rpartition("=")[2].strip() for header in headers.split(",")]
    whole = [header.partition("=")[2].strip() for header in headers.split(",")]
    values = [spelled for value in (*whole, *parts) for spelled in (value, unquote(value))]
    return [settings.replicate_api_token.get_secret_value(), settings.langtrace_api_key.get_secret_value(), *values]
