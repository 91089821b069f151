"""What monitoring costs: rules, series, dashboards' queries, span metrics, on the real Prometheus and Jaeger.

`make bench-monitoring`; the bars are the issue's, docs/performance.md has the figures. Parts may be named:
`python -m dev.bench.monitoring rules series`.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from dev.bench.dashboards import dashboard_queries
from dev.bench.evaluation import evaluation
from dev.bench.measure import save
from dev.bench.series import series
from dev.bench.span_metrics import span_metrics

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="series, rules, dashboards, spans; all of them when none is named")
    parser.add_argument("--services", type=int, default=100, help="how many services have rules")
    parser.add_argument("--seconds", type=float, default=660, help="how long their rules are evaluated")
    parser.add_argument("--hours", type=float, default=1 / 60, help="how long spans are sent; a minute by default")
    options = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "series": series,
        "rules": lambda: evaluation(options.services, options.seconds),
        "dashboards": dashboard_queries,
        "spans": lambda: span_metrics(options.hours * 3600),
    }
    figures = {}
    for name in options.parts or parts:
        figures[name] = parts[name]()
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    print(f"written to {save('-'.join(['monitoring', *options.parts]), figures)}")


if __name__ == "__main__":
    main()
