"""The workers: take a key, reconcile it, and translate the three kinds of error once."""

import secrets
import time

import structlog

from t2i_operator.kube.cluster import ApiError, NotLeadingError
from t2i_operator.naming import Key
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.runtime.queue import Queue
from t2i_operator.status.metrics import Metrics

log = structlog.get_logger(__name__)

# What may end by itself is tried again so often at least, so that an edit is followed within a minute of its end.
_SOON_SECONDS = 30.0


async def work(queue: Queue[Key], reconciler: Reconciler, metrics: Metrics) -> None:
    """Work until cancelled. The user's errors are conditions by now; the world's and our own are tried again."""
    while True:
        key = await queue.get()
        try:
            with structlog.contextvars.bound_contextvars(resource=str(key), reconcile=secrets.token_hex(4)):
                await _one(key, queue, reconciler, metrics)
        finally:
            queue.done(key)


async def _one(key: Key, queue: Queue[Key], reconciler: Reconciler, metrics: Metrics) -> None:
    started = time.perf_counter()
    result = "success"
    try:
        again = await reconciler.reconcile(key)
        queue.succeeded(key)
        if again is None:
            result = "nothing"  # it is gone, or another operator's
        else:
            queue.add_after(key, again)
    except NotLeadingError:
        result = "not_leading"
        queue.retry(key)  # a late renewal may still save the term; else the process ends
    except ApiError as error:
        result = "error"
        cap = _SOON_SECONDS if error.transient else reconciler.poll_seconds(key)
        delay = queue.retry(key, at_least=error.retry_after, cap_seconds=cap)
        log.warning("reconcile failed", status=error.status, error=error.message, retry_seconds=round(delay, 1))
    except Exception:
        result = "bug"
        log.exception("reconcile failed by a bug", retry_seconds=round(queue.retry(key), 1))
    finally:
        metrics.reconciles.labels(result).inc()
        metrics.seconds.observe(time.perf_counter() - started)
