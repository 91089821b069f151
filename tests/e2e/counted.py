"""Which queries and rules are held to what was sent, how, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e import expected
from tests.e2e.expected import (
    Expected,
    a_second,
    all_spans,
    cost,
    cost_of_one,
    each,
    failed_a_second,
    failures,
    model,
    model_time,
    nothing,
    one,
    only,
    percentile,
    response_time,
    spans,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# What of a wait of more than 1 s and less than 2.5 s is the 95th percentile: those two are its bucket's bounds.
WAIT = 1 + 0.95 * (2.5 - 1)

# By topic, title and legend: a dashboard may ask under one title for several things.
COUNTED: dict[tuple[str, str, str], Expected] = {
    ("overview", "Pods answering", "Pods answering"): one(lambda _: 1.0),
    ("overview", "Availability", "Availability"): one(lambda books: books.success),
    ("overview", "Uptime", "Uptime"): one(lambda _: 1.0),
    ("overview", "Request rate", "Request rate"): one(a_second),
    # Few of two hundred decide these: callers that wait for a processor themselves, more often than the service.
    ("overview", "Response time", "Response time"): one(response_time(0.95))._replace(bounded=True),
    ("overview", "Generation success", "Generation success"): one(lambda books: books.success),
    ("overview", "Request rate", "{{endpoint}}"): Expected(("endpoint",), expected.by_endpoint),
    ("overview", "Response time", "median"): one(response_time(0.5))._replace(bounded=True),
    ("overview", "Response time", "95th percentile"): one(response_time(0.95))._replace(bounded=True),
    ("overview", "Response time", "99th percentile"): one(response_time(0.99))._replace(bounded=True),
    ("overview", "Success rate", "success"): one(lambda books: books.success),
    ("overview", "Success rate", "error"): one(failures),
    ("overview", "Errors by status", "{{status}} {{endpoint}}"): Expected(("status",), expected.errors),
    ("overview", "Errors by their cause", "{{model}}: {{reason}}"): Expected(("model", "reason"), expected.refusals),
    ("overview", "Waiting and turned away", "turned away: {{reason}}"): nothing("reason"),  # but see `TURNED_AWAY`
    ("overview", "Spans lost", "{{exporter}}: {{reason}}"): nothing("exporter"),
    ("overview", "Error budget left", "{{slo}}"): Expected(("slo",), expected.budgets, bounded=True),
    ("overview", "Burn rate", "{{slo}} {{window}}"): Expected(
        ("slo", "window"), expected.burn_rates, whole=False, bounded=True
    ),
    ("overview", "Requests and what is usual", "upper end of the usual"): only(expected.upper, "requests"),
    ("overview", "Requests and what is usual", "lower end of the usual"): only(expected.lower, "requests"),
    ("models", "Model against model", "Invocations"): each("model", model, len),
    ("models", "Model against model", "Success"): each("model", model, lambda books: books.success),
    ("models", "Model against model", "Median"): model_time(0.5),
    ("models", "Model against model", "95th percentile"): model_time(0.95),
    ("models", "Model against model", "Cost a request"): each("model", model, cost_of_one),
    ("models", "Invocations", "{{model}}"): each("model", model, a_second),
    ("models", "Latency", "{{model}} median"): model_time(0.5),
    ("models", "Latency", "{{model}} 95th percentile"): model_time(0.95),
    ("models", "Success", "{{model}}"): each("model", model, lambda books: books.success),
    ("models", "Outcomes", "{{model}} {{status}}"): Expected(("model", "status"), expected.outcomes),
    ("models", "Cost a request", "{{model}} in {{currency}}"): each("model", model, cost_of_one),
    ("models", "Tokens", "{{model}} {{type}}"): Expected(("model", "type"), expected.tokens),
    ("models", "Feedback", "{{model}} {{rating}}"): Expected(("model", "rating"), expected.feedback),
    ("models", "Requests to providers that failed", "{{model}}: {{reason}}"): Expected(
        ("model", "reason"), expected.refusals
    ),
    ("models", "Retries", "{{model}}: {{reason}}"): Expected(("model", "reason"), expected.retries),
    ("models", "Circuit breakers", "{{model}}"): Expected(("model",), expected.breakers),
    ("business", "Pictures today", "Pictures today"): one(lambda books: len(books.good), ever=True),
    ("business", "Pictures this week", "Pictures this week"): one(lambda books: len(books.good), ever=True),
    ("business", "Against last week", "Against last week"): Expected((), expected.against_last_week),
    ("business", "Requests, this week and last", "this week"): one(lambda books: len(books) / 3600, ever=True),
    ("business", "Requests, this week and last", "last week"): Expected((), expected.last_week),
    ("business", "Pictures a day", "{{model}}"): each("model", model, lambda books: len(books.good), ever=True),
    ("business", "Requests by key", "{{key}}"): Expected(("key",), expected.by_key),
    ("business", "Active callers", "Active callers"): one(lambda books: len(books.by(expected.caller)), ever=True),
    ("business", "Models in demand", "Generations"): each("model", model, len),
    ("business", "Cost a day", "{{model}} in {{currency}}"): each("model", model, cost, ever=True),
    ("business", "Cost a week", "{{currency}}"): each("currency", lambda _: "USD", cost, ever=True),
    ("traces", "Steps", "Spans a second"): spans(a_second, a_second),
    ("traces", "Steps", "95th percentile"): spans(percentile(0.95), percentile(0.95))._replace(bounded=True),
    ("traces", "Spans", "{{service_name}} {{span_name}}"): spans(a_second, a_second),
    ("traces", "Slow steps", "{{service_name}} {{span_name}}"): spans(percentile(0.95), percentile(0.95))._replace(
        bounded=True
    ),
    ("traces", "Failed steps", "{{service_name}} {{span_name}}"): spans(failed_a_second, failed_a_second),
    ("traces", "Calls to others", "{{service_name}} to {{span_name}}"): spans(a_second, None),
    ("traces", "Spans taken in", "{{transport}}"): one(all_spans),
}
# What only says something while requests are being served, by the least and the most that it says of a crowd: of so
# many callers so many are served. Nobody is served beyond that; of the callers two may be between two requests.
CROWDED: dict[tuple[str, str, str], Callable[[int, int], tuple[float, float]]] = {
    ("overview", "Active requests", "Active requests"): lambda callers, slots: (callers - 2, callers),
    ("overview", "Active requests", "{{pod}}"): lambda callers, slots: (callers - 2, callers),
    ("overview", "Generations at the same time", "running"): lambda callers, slots: (slots, slots),
    ("overview", "Generations at the same time", "waiting"): lambda callers, slots: (
        callers - slots - 2,
        callers - slots,
    ),
    # All wait 1.05 s or so. On a machine that stands still for a moment, all wait longer: into the next bucket, to 5 s.
    ("overview", "Waiting and turned away", "wait, 95th percentile"): lambda callers, slots: (0.95 * WAIT, 5.0),
}
# Who found no room in the crowd.
TURNED_AWAY = ("overview", "Waiting and turned away", "turned away: {{reason}}")
# What no count of requests can tell, and why.
UNCOUNTED = {
    ("overview", "CPU", "{{pod}}"): "the pod's",
    ("overview", "Memory", "{{pod}}"): "the pod's",
    ("overview", "Requests and what is usual", "requests"): "recorded every two minutes; compared with the rules",
    ("models", "Polling gap", "{{model}} 95th percentile"): "of a few that are long, one at the window's edge decides",
}
# What is zero in both phases, as it should be, and said to be.
ZERO = {("overview", "Spans lost", "{{exporter}}: {{reason}}"), TURNED_AWAY}
# What stays as it is while the traffic changes, or may stay: the few slowest, whom the machine kept waiting, decide it.
CONSTANT = ZERO | {
    ("overview", "Pods answering", "Pods answering"),
    ("overview", "Uptime", "Uptime"),
    ("overview", "Response time", "Response time"),
    ("overview", "Response time", "95th percentile"),
    ("overview", "Response time", "99th percentile"),
    ("business", "Active callers", "Active callers"),
    ("business", "Requests, this week and last", "last week"),
    ("overview", "Requests and what is usual", "upper end of the usual"),
    ("overview", "Requests and what is usual", "lower end of the usual"),
}
# What falls back to the last hour while there is no month: once an hour has been summed, that stands for the month.
OF_THE_MONTH = {("overview", "Error budget left", "{{slo}}"), ("t2i:slo_budget:remaining_ratio", "")}

# By name, and by those labels that tell rules of one name apart.
RULES: dict[tuple[str, str], Expected] = {
    ("HighErrorRate", ""): one(failures),
    ("HighLatency", ""): one(response_time(0.95))._replace(bounded=True),
    ("ImageGenerationFailure", ""): one(failures),
    ("TextToImageDown", ""): nothing(),  # these two fire in the drill
    ("TextToImageAbsent", ""): nothing(),
    ("TextToImageBreakerOpen", ""): Expected(("model",), expected.breakers),
    ("TextToImageErrorBudgetBurn", "1h fast"): Expected(("slo",), expected.burns, bounded=True),
    **{
        (record, f"{slo} {window}{count}"): only(values, slo)._replace(bounded=True)
        for record, window in (("t2i:slo:increase5m", ""), ("t2i:slo:increase", "5m "), ("t2i:slo:increase", "1h "))
        for slo in ("availability", "latency")
        for count, values in (("events", expected.slo_events), ("errors", expected.slo_errors))
    },
    ("t2i:slo_burn:rate", ""): Expected(("slo", "window"), expected.burn_rates, whole=False, bounded=True),
    ("t2i:slo_budget:remaining_ratio", ""): Expected(("slo",), expected.budgets, bounded=True),
    ("t2i:cost:increase5m", ""): one(cost, ever=True),
    ("t2i:signal", "requests"): one(len, ever=True),
    ("t2i:signal", "cost"): each("currency", lambda _: "USD", cost, ever=True),
}
# What of these stays: of pods that are there nothing is said, and only the crowd was too slow.
CONSTANT_RULES = {("TextToImageDown", ""), ("TextToImageAbsent", ""), ("HighLatency", "")} | {
    (record, name) for record, name in RULES if name.startswith("latency") and name.endswith("errors")
}
# What is compared once the half hour has been recorded.
RECORDED: dict[tuple[str, str], Expected] = {
    ("t2i:signal", "latency"): one(response_time(0.95), ever=True),
    ("t2i:signal", "errors"): one(failures, ever=True),
}
# What goes by the weeks before.
REMEMBERED: dict[tuple[str, str], Expected] = {
    ("t2i:signal:usual", "1w"): Expected(("signal",), expected.usual),
    ("t2i:signal:usual", "2w"): Expected(("signal",), expected.usual_before),
    ("t2i:signal:usual", "mean"): Expected(("signal",), expected.usual),
    ("t2i:signal:varied", "1w"): expected.varied(expected.usual),
    ("t2i:signal:varied", "2w"): expected.varied(expected.usual_before),
    ("t2i:signal:high", ""): Expected(("signal",), expected.high),
    ("t2i:signal:deviation", ""): Expected(("signal",), expected.deviation),
    ("t2i:signal:upper", ""): Expected(("signal",), expected.upper),
    ("t2i:signal:lower", ""): Expected(("signal",), expected.lower),
    **{
        ("TextToImageAnomaly", f"{signal} above"): expected.above(signal)
        for signal in ("requests", "latency", "errors", "cost")
    },
}
UNCOMPARED = {
    ("TextToImageCostAboveBudget", ""): "sums what is recorded every five minutes; fires in the drill",
    ("t2i:slo:increase1h", ""): "sums an hour once an hour; tests/rules plays it",
    ("t2i:slo:increase", "30d"): "sums those hours; tests/rules plays it",
    ("t2i:signal:mean1h", ""): "the mean of an hour, once an hour",
    ("t2i:signal:varied", "errors least"): "a constant",
    ("TextToImageAnomaly", "requests below"): "takes pods that are half an hour old; tests/rules plays it",
}
