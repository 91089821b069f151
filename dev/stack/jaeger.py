"""The operator's own Jaeger without a pod: its configuration on free ports of the loopback interface."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from t2i_operator.builders.monitoring.jaeger import configuration as ports
from t2i_operator.builders.monitoring.jaeger.configuration import configuration

from dev.cluster.paths import Layout
from dev.cluster.workshop import workshop
from dev.stack.catalog import JAEGER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from t2i_operator import spec

PORTS = (ports.OTLP_GRPC, ports.OTLP_HTTP, ports.QUERY, ports.HEALTH, ports.METRICS, ports.SPAN_METRICS)


class Loopback(NamedTuple):
    """A configuration for this machine, and which free port stands for which of the pod's."""

    configuration: dict[str, Any]
    port: dict[int, int]


def binary() -> Path:
    """Return the program that the local cluster runs; a cold build takes minutes."""
    with workshop(Layout.of_this_checkout()) as shop:
        return shop.programs((JAEGER,))[JAEGER.name]


def on_loopback(
    resource: spec.TextToImageService, free_port: Callable[[], int], limit_mib: int | None = None
) -> Loopback:
    """Change nothing but addresses, and the memory limiter's shares: of the pod's limit, where one is given.

    In the pod the limiter reads the container's limit; here it would take shares of the whole machine.
    """
    port = {own: free_port() for own in PORTS}
    text = json.dumps(configuration(resource)).replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - replaced
    for own, free in port.items():
        text = text.replace(f"127.0.0.1:{own}", f"127.0.0.1:{free}").replace(f'"port": {own}', f'"port": {free}')
    body = copy.deepcopy(json.loads(text))
    body["extensions"]["jaeger_query"]["grpc"] = {"endpoint": f"127.0.0.1:{free_port()}"}
    if limit_mib:
        limiter = body["processors"]["memory_limiter"]
        limiter["limit_mib"] = limit_mib * limiter.pop("limit_percentage") // 100
        limiter["spike_limit_mib"] = limit_mib * limiter.pop("spike_limit_percentage") // 100
    return Loopback(body, port)
