"""Which model answers a request, and the sandbox's knobs as they are at this moment."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from t2i_service.observing import logs
from t2i_service.offer.models_config import MULTIPLE, Limits, Model, ModelsError, default_models, read, widest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL_SECONDS = 1.0

log = logs.get("app.models")


class Models:
    """The configured models by name; only the sandbox knobs of a model change while the service runs."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._by_name = {model.name: model for model in (read(path) if path else default_models())}
        self._stamp = self._stat()
        for model in self:
            limits, defaults = model.limits, model.defaults
            drawn = min(defaults.width, limits.max_width), min(defaults.height, limits.max_height)
            if sides := model.uneven_sides(*drawn):
                why = f"no multiple of {MULTIPLE}: requests that do not name the side are refused"
                log.warning("Default size cannot be drawn", model=model.name, sides=sides, reason=why)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Model | None:
        """Return the model a request names."""
        return self._by_name.get(name)

    def limits_for(self, name: object) -> Limits:
        """Return the limits of the model a request names, else the widest that are offered to one that names none."""
        named = self._by_name.get(name) if isinstance(name, str) else None
        return named.limits if named else widest(model.limits for model in self if model.weight)

    @property
    def names(self) -> list[str]:
        """What a request may name."""
        return list(self._by_name)

    def pick(self, takes: Callable[[Model], bool]) -> Model:
        """Choose by weight for a request that names no model: among those that take it, among all when none does."""
        offered = [model for model in self if model.weight]
        if len(offered) == 1:
            return offered[0]
        able = [model for model in offered if takes(model)] or offered
        return random.choices(able, [model.weight for model in able])[0]  # noqa: S311 - balance, not secrecy

    async def follow_file(self) -> None:
        """Take over new sandbox knobs as soon as the kubelet has written them; anything else waits for the rollout."""
        while self._path:
            await asyncio.sleep(POLL_SECONDS)
            if (stamp := self._stat()) != self._stamp:
                self._stamp = stamp
                self._reload(self._path)

    def _reload(self, path: Path) -> None:
        try:
            fresh = {model.name: model for model in read(path)}
        except ModelsError as error:
            log.warning("Models file not taken over", reason=str(error))
            return
        for name, model in self._by_name.items():
            if name in fresh and fresh[name].sandbox != model.sandbox:
                self._by_name[name] = model.model_copy(update={"sandbox": fresh[name].sandbox})
                log.info("Sandbox knobs changed", model=name, **fresh[name].sandbox.model_dump())

    def _stat(self) -> int:
        try:
            return self._path.stat().st_mtime_ns if self._path else 0
        except OSError:
            return 0
