"""The stack's Prometheus as the tests ask it: through the API server, which finds its pod wherever that is now."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx

Result = dict[str, Any]
_PROXY = "/api/v1/namespaces/monitoring/pods/prometheus-text-to-image-0:9090/proxy/api/v1/"


class Prometheus(NamedTuple):
    """Raises KubectlError with the API's own words."""

    kubectl: Callable[..., str]

    def query(self, expr: str, *, at: float | None = None) -> list[Result]:
        """Return the vector that an instant query gives, now or at a moment in Unix seconds."""
        result: list[Result] = self.get("query", query=expr, **({"time": at} if at else {}))["result"]
        return result

    def exemplars(self, series: str) -> list[dict[str, str]]:
        """Return the labels of the last ten minutes' exemplars of these series."""
        now = time.time()
        found = self.get("query_exemplars", query=series, start=now - 600, end=now)
        return [exemplar["labels"] for each in found for exemplar in each["exemplars"]]

    def get(self, path: str, **params: Any) -> Any:
        """Return the data of any page of the API."""
        return json.loads(self.kubectl("get", "--raw", f"{_PROXY}{path}?{httpx.QueryParams(params)}"))["data"]
