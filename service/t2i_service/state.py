"""What the routes work with, typed, made by the factory and handed over by the lifespan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

    from t2i_service.callers.access import Access
    from t2i_service.callers.concurrency_limit import ConcurrencyLimit
    from t2i_service.callers.image_links import ImageLinks
    from t2i_service.callers.keyring import Keyring
    from t2i_service.callers.ratings import Ratings
    from t2i_service.generating.background import Background
    from t2i_service.generating.generation import Generator
    from t2i_service.observing.metrics import Metrics
    from t2i_service.observing.privacy import Privacy
    from t2i_service.observing.unscraped import Unscraped
    from t2i_service.offer.models import Models
    from t2i_service.providers.base import Provider
    from t2i_service.settings import Settings
    from t2i_service.tracing.langtrace import LangTrace
    from t2i_service.tracing.tracing import Tracing


@dataclass(slots=True)
class State:
    """One process' worth of parts; `draining` and `stop_by` are all that changes."""

    settings: Settings
    models: Models
    metrics: Metrics
    privacy: Privacy
    background: Background
    tracing: Tracing
    langtrace: LangTrace | None
    keyring: Keyring
    access: Access
    providers: Mapping[str, Provider]
    generator: Generator
    image_links: ImageLinks
    reads: ConcurrencyLimit
    cancels: ConcurrencyLimit
    ratings: Ratings
    unscraped: Unscraped
    draining: bool = False
    stop_by: float = math.inf


def state_of(request: Request) -> State:
    """Return the parts behind a request."""
    return cast("State", request.app.state.parts)
