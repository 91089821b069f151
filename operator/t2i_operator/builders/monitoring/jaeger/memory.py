"""What Jaeger may use of its memory, and how many traces have room in it.

Jaeger's storage and its tail sampling count traces, not bytes, and its memory limiter refuses every span once they have
filled the memory: it would refuse for ever, for what is held is not let go. So their numbers come from the memory.
"""

from t2i_operator import spec
from t2i_operator.kube.kinds import Object
from t2i_operator.spec.jaeger import (
    DEFAULT_MEMORY,
    DEFAULT_TRACES_A_MEBIBYTE,
    MOST_TRACES_BY_DEFAULT,
    TRACES_A_MEBIBYTE,
    MemoryStorage,
)

_RESOURCES: Object = {"requests": {"cpu": "100m", "memory": DEFAULT_MEMORY}, "limits": {"memory": DEFAULT_MEMORY}}
_MEBIBYTE = 2**20
_STORAGE = MemoryStorage()
# Shares of the container's limit in percent. The heap is held below the first by refusing spans, after a collection of
# garbage; the runtime collects so often that the process stays below the second; the kernel kills it at 100.
_REFUSING, _ABOVE_IT, _RUNTIME = 75, 5, 85


def resources(resource: spec.TextToImageService) -> Object:
    """Return the container's resources."""
    return spec.to_wire(resource.spec.monitoring.tracing.jaeger.resources) or _RESOURCES


def limiter() -> Object:
    """Return what refuses spans before the kernel kills the pod; the service counts what is refused.

    What it sees above its limit is mostly garbage, so it may have that collected more often than every ten seconds.
    """
    return {
        "check_interval": "1s",
        "limit_percentage": _REFUSING + _ABOVE_IT,
        "spike_limit_percentage": _ABOVE_IT,
        "min_gc_interval_when_soft_limited": "2s",
    }


def environment(resource: spec.TextToImageService) -> list[Object]:
    """Return what makes Go's runtime collect garbage in time; left alone, it lets the heap double first."""
    limit = _mebibytes(resource)
    return [{"name": "GOMEMLIMIT", "value": f"{limit * _RUNTIME // 100}MiB"}] if limit and limit > 1 else []


def kept_traces(resource: spec.TextToImageService) -> int:
    """Return how many traces the memory storage keeps: no more than have room, by whatever CRD they were asked for."""
    storage, room = resource.spec.monitoring.tracing.jaeger.storage, _mebibytes(resource)
    wanted = (storage.memory or _STORAGE).max_traces
    if room is None:
        return wanted or MOST_TRACES_BY_DEFAULT
    if wanted is None:
        return max(1, min(MOST_TRACES_BY_DEFAULT, room * DEFAULT_TRACES_A_MEBIBYTE))
    return max(1, min(wanted, room * (DEFAULT_TRACES_A_MEBIBYTE if samples(resource) else TRACES_A_MEBIBYTE)))


def undecided_traces(resource: spec.TextToImageService) -> int:
    """Return how many traces tail sampling holds until it decides; where more come, the oldest are lost undecided."""
    room = _mebibytes(resource)
    if room is None:
        return MOST_TRACES_BY_DEFAULT
    in_memory = resource.spec.monitoring.tracing.jaeger.storage.type == "Memory"
    return max(1, room * (DEFAULT_TRACES_A_MEBIBYTE if in_memory else TRACES_A_MEBIBYTE))


def samples(resource: spec.TextToImageService) -> bool:
    """Tell whether the collector decides which traces are kept."""
    return resource.spec.monitoring.tracing.jaeger.tail_sampling.mode == "Enabled"


def _mebibytes(resource: spec.TextToImageService) -> int | None:
    """Return the container's memory limit; None: it has none."""
    limit = resources(resource).get("limits", {}).get("memory")
    return None if limit is None else int(spec.amount(limit) / _MEBIBYTE)
