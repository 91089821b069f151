"""The PromQL that several panels share. Every selector names the dashboard's own service.

What tells a metric's series apart is what the alerts tell them apart by: `t2i_operator.builders.monitoring.promql`.
"""

SERVICE = 'namespace="$namespace",service="$service"'
UPSTREAM_ERRORS, RETRIES = "t2i_model_upstream_errors_total", "t2i_model_retries_total"
RATE = "$__rate_interval"


def select(metric: str, matchers: str = "") -> str:
    """Name the series of the dashboard's service."""
    return f"{metric}{{{SERVICE}{',' if matchers else ''}{matchers}}}"


def rate(metric: str, matchers: str = "", by: str = "", window: str = RATE) -> str:
    """Give the rate of a counter, over all pods."""
    return f"sum{f' by ({by})' if by else ''} (rate({select(metric, matchers)}[{window}]))"


def increase(metric: str, matchers: str = "", by: str = "", window: str = "$__range") -> str:
    """Give what a counter has grown by in a window, the dashboard's own if none is given."""
    return f"sum{f' by ({by})' if by else ''} (increase({select(metric, matchers)}[{window}]))"


def quantile(share: float, histogram: str, matchers: str = "", by: str = "", window: str = RATE) -> str:
    """Give a percentile of a histogram, over all pods."""
    labels = f"{by}, le" if by else "le"
    buckets = f"sum by ({labels}) (rate({select(f'{histogram}_bucket', matchers)}[{window}]))"
    return known(f"histogram_quantile({share}, {buckets})")


def known(expr: str) -> str:
    """Say nothing of nothing: a share or a percentile of no requests is NaN, which Grafana shows as a value."""
    return f"({expr} >= 0)"


def or_zero(expr: str) -> str:
    """Say 0 for what has never happened."""
    return f"({expr} or vector(0))"


def troubles(metric: str) -> str:
    """Give the rate of what went wrong with providers by its reason, of those there were: each is counted from 0 on."""
    return f"{rate(metric, by='model, reason')} > 0"
