"""What the builders make of a spec; whether programs understand it is for the contract and rule tests."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from t2i_operator import spec
from t2i_operator.builders.monitoring.alertmanager_config import alertmanager_config
from t2i_operator.builders.monitoring.desired import monitoring_objects
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_operator.builders.monitoring.service_monitor import jaeger_monitor, service_monitor

from tests.unit.operator.resources import WITH_JAEGER, resource

ROOT = Path(__file__).parents[3]
RECEIVERS = [
    {"name": "chat", "slack": {"apiURL": {"secretKeyRef": {"name": "hooks", "key": "slack"}}, "channel": "#images"}},
    {
        "name": "pager",
        "minimumSeverity": "Critical",
        "pagerduty": {"routingKey": {"secretKeyRef": {"name": "hooks", "key": "pagerduty"}}},
    },
    {
        "name": "mail",
        "email": {
            "to": "team@example.com",
            "smarthost": "mail.example.com:587",
            "authUsername": "images",
            "authPassword": {"secretKeyRef": {"name": "hooks", "key": "mail"}},
        },
    },
    {"name": "hook", "sendResolved": False, "webhook": {"url": {"secretKeyRef": {"name": "hooks", "key": "url"}}}},
]


def observed(**monitoring: Any) -> spec.TextToImageService:
    return resource(monitoring=monitoring)


def objects(wanted: spec.TextToImageService) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in monitoring_objects(wanted, WITH_JAEGER)}


def alerts_of(wanted: spec.TextToImageService) -> set[str]:
    groups = prometheus_rule(wanted)["spec"]["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_everything_is_there_by_default_under_its_name() -> None:
    dashboards = {
        ("ConfigMap", f"pictures-dashboard-{topic}") for topic in ("overview", "models", "business", "traces")
    }
    assert objects(observed()) == dashboards | {
        ("ServiceMonitor", "pictures-monitor"),
        ("ServiceMonitor", "pictures-jaeger-monitor"),
        ("PrometheusRule", "pictures-alerts"),
        ("ConfigMap", "pictures-jaeger-config"),
        ("Deployment", "pictures-jaeger"),
        ("Service", "pictures-jaeger-collector"),
        ("Service", "pictures-jaeger-query"),
    }


def test_each_block_can_be_switched_off() -> None:
    off = {"mode": "Disabled"}
    assert objects(observed(metrics=off, alerts=off, dashboards=off, tracing=off)) == set()
    assert ("ServiceMonitor", "pictures-jaeger-monitor") not in objects(observed(metrics=off))


def test_what_is_built_is_fresh_and_the_same_each_time() -> None:
    wanted = observed(alerts={"receivers": RECEIVERS, "budget": {"amount": "1"}})
    first = list(monitoring_objects(wanted, WITH_JAEGER))
    kept = copy.deepcopy(first)
    for each in first:
        each["metadata"]["labels"].clear()
        each.pop("spec", None)
    assert list(monitoring_objects(wanted, WITH_JAEGER)) == kept


def test_the_metrics_own_endpoint_label_survives_the_target_s() -> None:
    asked = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    endpoint = service_monitor(observed(metrics={"relabelings": [asked]}))["spec"]["endpoints"][0]
    own = [{"action": "labeldrop", "regex": "endpoint"}, {"action": "replace", **asked}]
    assert endpoint["relabelings"][:2] == own
    assert service_monitor(observed())["spec"]["endpoints"][0]["relabelings"] == own[:1]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/metrics", "30s")


@pytest.mark.parametrize("field", ["relabelings", "metricRelabelings"])
def test_no_relabelling_takes_a_series_from_its_service(field: str) -> None:
    """Without a label of the target's, the pod's own of that name would be taken: another service's."""
    dropped = {"action": "labeldrop", "regex": "namespace|service|job"}
    endpoint = service_monitor(observed(metrics={field: [dropped]}))["spec"]["endpoints"][0]
    written = {"namespace": "studio", "service": "pictures-service", "job": "pictures-service"}
    assert endpoint[field][endpoint[field].index(dropped) + 1 :] == [
        {"action": "replace", "targetLabel": label, "replacement": value} for label, value in written.items()
    ]


def test_service_and_jaeger_are_scraped_by_different_labels() -> None:
    """One selector for both would scrape Jaeger as the service, and the service would never be down."""
    of_service = service_monitor(observed())["spec"]["selector"]["matchLabels"]
    of_jaeger = jaeger_monitor(observed())["spec"]["selector"]["matchLabels"]
    services = {
        each["metadata"]["name"]: each
        for each in monitoring_objects(observed(), WITH_JAEGER)
        if each["kind"] == "Service"
    }
    matched = [name for name, each in services.items() if of_jaeger.items() <= each["metadata"]["labels"].items()]
    assert matched == ["pictures-jaeger-collector"]
    assert not any(of_service.items() <= each["metadata"]["labels"].items() for each in services.values())


@pytest.mark.parametrize(("stored", "told"), [("1ms", "2s"), ("1s999ms", "2s"), ("2000ms", "2000ms"), ("1m", "1m")])
def test_nobody_is_scraped_all_the_time_though_an_older_resource_says_so(stored: str, told: str) -> None:
    """The CRD refuses it, and lets be what was stored before."""
    built = monitoring_objects(observed(metrics={"interval": stored}), WITH_JAEGER)
    monitors = [each for each in built if each["kind"] == "ServiceMonitor"]
    assert len(monitors) == 2
    assert {each["interval"] for monitor in monitors for each in monitor["spec"]["endpoints"]} == {told}


def test_what_pods_show_is_limited_and_jaeger_may_show_more_with_more_models() -> None:
    """They may be another program than ours: its image, and both pods' templates, are the resource's."""

    def limits(count: int) -> dict[str, int]:
        models = [{"name": f"m{number}", "provider": "Sandbox"} for number in range(count)]
        built = monitoring_objects(resource(models=models, monitoring={}), WITH_JAEGER)
        monitors = (each for each in built if each["kind"] == "ServiceMonitor")
        return {each["metadata"]["name"]: each["spec"]["sampleLimit"] for each in monitors}

    assert limits(1) == {"pictures-monitor": 50_000, "pictures-jaeger-monitor": 2 * 20 * (100 + 1) * 23}
    assert limits(32) == {"pictures-monitor": 50_000, "pictures-jaeger-monitor": 2 * 20 * (720 + 1) * 23}


def test_a_collector_is_scraped_as_the_service_that_the_dashboard_asks_for() -> None:
    wanted = observed(
        metrics={"interval": "15s", "labels": {"release": "stack"}},
        tracing={"jaeger": {"format": "OpenTelemetryCollector"}},
    )
    built = {(each["kind"], each["metadata"]["name"]): each for each in monitoring_objects(wanted, WITH_JAEGER)}
    monitor, own = built["ServiceMonitor", "pictures-jaeger-monitor"], built["Service", "pictures-jaeger-metrics"]
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    services = [each for (kind, _), each in built.items() if kind == "Service"]
    assert [each for each in services if selected <= each["metadata"]["labels"].items()] == [own]
    assert monitor["metadata"]["labels"]["release"] == "stack"

    ports = {each["name"]: each["targetPort"] for each in own["spec"]["ports"]}
    assert ports == {"metrics": 8888, "span-metrics": 8889}
    assert {each["port"] for each in monitor["spec"]["endpoints"]} == ports.keys()
    named = {"action": "replace", "targetLabel": "service", "replacement": "pictures-jaeger-collector"}
    for each in monitor["spec"]["endpoints"]:
        assert named in each["relabelings"]
        assert each["interval"] == "15s"
        assert "otel_scope_" in each["metricRelabelings"][-1]["regex"]
    assert "observability" not in built["OpenTelemetryCollector", "pictures-jaeger"]["spec"], "scraped twice"


def test_of_what_a_collector_tells_of_itself_is_kept_what_is_asked_for() -> None:
    """Nobody reads what it tells of its process, its queues and its batches."""
    steps = {each["port"]: each["metricRelabelings"] for each in jaeger_monitor(observed())["spec"]["endpoints"]}
    (keep,) = (step for step in steps["metrics"] if step["action"] == "keep")
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "dashboards").glob("*.py")]
    asked = {name for page in pages for name in re.findall(r"otelcol_\w+", page.read_text())}
    assert len(asked) > 2
    assert not [name for name in asked if not re.fullmatch(keep["regex"], name)]
    assert not [step for step in steps["span-metrics"] if step["action"] == "keep"]


@pytest.mark.parametrize(
    ("namespace", "instance"),
    [("studio", "studio.pictures-jaeger"), ("n" * 63, f"{'n' * 47}.pictures-jaeger")],
)
def test_services_select_a_collector_s_pods_by_what_never_changes(namespace: str, instance: str) -> None:
    """As `SelectorLabels` of the OpenTelemetry operator writes it, which cuts a namespace that is too long."""
    body = {
        "models": [{"name": "sdxl", "provider": "Sandbox"}],
        "monitoring": {"tracing": {"jaeger": {"format": "OpenTelemetryCollector"}}},
    }
    wanted = spec.parse({"metadata": {"name": "pictures", "namespace": namespace}, "spec": body})
    selectors = [
        each["spec"]["selector"] for each in monitoring_objects(wanted, WITH_JAEGER) if each["kind"] == "Service"
    ]
    assert len(selectors) == 2
    for each in selectors:
        assert each == {
            "app.kubernetes.io/instance": instance,
            "app.kubernetes.io/component": "opentelemetry-collector",
            "app.kubernetes.io/managed-by": "opentelemetry-operator",
        }
        assert len(instance) <= 63


@pytest.mark.parametrize(
    ("wanted", "missed"),
    [({}, True), ({"replicas": 0}, False), ({"replicas": 0, "autoscaling": {"maxReplicas": 2}}, True)],
)
def test_nobody_misses_a_service_that_is_to_have_no_pods(wanted: dict[str, Any], *, missed: bool) -> None:
    """Nor its callers; that there are too many of them would be told."""
    stopped = resource(monitoring={}, **wanted)
    found = {"TextToImageDown", "TextToImageAbsent"} & alerts_of(stopped)
    assert bool(found) == missed
    rules = (rule for group in prometheus_rule(stopped)["spec"]["groups"] for rule in group["rules"])
    directions = {rule["labels"]["direction"] for rule in rules if rule.get("alert") == "TextToImageAnomaly"}
    assert directions == ({"above", "below"} if missed else {"above"})


def test_what_is_not_scraped_is_not_missed() -> None:
    assert "TextToImageAbsent" not in alerts_of(observed(metrics={"mode": "Disabled"}))


def test_objectives_and_bands_can_be_left_out() -> None:
    off = {"mode": "Disabled"}
    left = alerts_of(observed(alerts={"slo": off, "anomalies": off}))
    assert left == {
        "HighErrorRate",
        "HighLatency",
        "ImageGenerationFailure",
        "TextToImageDown",
        "TextToImageAbsent",
        "TextToImageBreakerOpen",
    }


def test_what_looks_back_for_long_is_all_that_its_rule_selects() -> None:
    """Prometheus would look up the rest over as long a time, in every block of it."""
    budget = {"amount": "50", "period": "Month"}
    groups = prometheus_rule(observed(alerts={"budget": budget}))["spec"]["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    far = [expr for expr in expressions if re.search(r"\[\d+[dw]\]|\[(6|24|72)h\]|offset \d+d", expr)]
    assert {expr.count("{") for expr in far} == {1}
    assert len(far) == 3 + 1 + 2 * 2 + 1 + 1  # windows, the month, references, the week's mean, the month's cost


def test_windows_are_counted_anew_where_minutes_matter() -> None:
    """Those of a pair of an hour at most, and short ones: no recorded five minutes might lie in them."""
    pairs = [
        {
            "name": "quick",
            "severity": "Critical",
            "factor": "14",
            "longWindow": "1h",
            "shortWindow": "45m",
            "for": "1m",
        },
        {"name": "calm", "severity": "Warning", "factor": "2", "longWindow": "12h", "shortWindow": "2m", "for": "1h"},
        {"name": "slow", "severity": "Warning", "factor": "1", "longWindow": "24h", "shortWindow": "40m", "for": "1h"},
    ]
    groups = prometheus_rule(observed(alerts={"burnRates": pairs}))["spec"]["groups"]
    sums = [rule for group in groups for rule in group["rules"] if rule.get("record") == "t2i:slo:increase"]
    counted = {rule["labels"]["window"] for rule in sums if "http_requests_total" in rule["expr"]}
    assert counted == {"2m", "45m", "1h"}
    assert {rule["labels"]["window"] for rule in sums} - counted == {"40m", "12h", "24h", "30d"}


@pytest.mark.parametrize(
    ("target", "asked"),
    [("0.94", [None]), ("0.9", ["availability"])],
    ids=["both reach it", "latency cannot"],
)
def test_a_factor_that_was_asked_for_alerts_on_the_objectives_that_reach_it(
    target: str, asked: list[str | None]
) -> None:
    pair = {"name": "fast", "severity": "Critical", "factor": "10", "longWindow": "1h", "shortWindow": "5m"}
    groups = prometheus_rule(observed(alerts={"burnRates": [pair], "slo": {"latency": {"target": target}}}))["spec"]
    rules = [rule for group in groups["groups"] for rule in group["rules"] if "ErrorBudget" in rule.get("alert", "")]
    assert [rule["labels"].get("slo") for rule in rules] == asked
    assert all("> 10\n" in rule["expr"] for rule in rules)


def test_routing_labels_are_the_user_s_but_not_the_service_s_own() -> None:
    asked = {"labels": {"release": "kps"}, "alertLabels": {"team": "images", "namespace": "elsewhere", "severity": "x"}}
    built = prometheus_rule(observed(alerts=asked))
    assert built["metadata"]["labels"]["release"] == "kps"
    for group in built["spec"]["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["namespace"] == "studio"
            if "alert" in rule:
                assert rule["labels"]["team"] == "images"
                assert rule["labels"]["severity"] in ("warning", "critical")


def links_of(annotation: str, **monitoring: Any) -> dict[str, str]:
    groups = prometheus_rule(observed(**monitoring))["spec"]["groups"]
    alerts = (rule for group in groups for rule in group["rules"] if "alert" in rule)
    return {alert["alert"]: alert["annotations"].get(annotation, "") for alert in alerts}


def test_runbooks_can_be_the_user_s_own() -> None:
    links = links_of("runbook_url", alerts={"runbookURL": "https://wiki.example.com/runbooks/"})
    assert links["HighLatency"] == "https://wiki.example.com/runbooks/HighLatency.md"


@pytest.mark.parametrize("grafana", ["https://grafana.example.com", "https://example.com/grafana/"])
def test_alerts_lead_to_dashboards_where_grafana_is(grafana: str) -> None:
    paths = links_of("dashboard_url")
    chosen = "?var-namespace=studio&var-service=pictures-service"
    assert all(path.startswith("/d/t2i-") and path.endswith(chosen) for path in paths.values())
    expected = {alert: f"{grafana.rstrip('/')}{path}" for alert, path in paths.items()}
    assert links_of("dashboard_url", dashboards={"grafanaURL": grafana}) == expected
    off = links_of("dashboard_url", dashboards={"grafanaURL": grafana, "mode": "Disabled"})
    assert set(off.values()) == {""}


def test_every_receiver_hears_what_it_asked_for() -> None:
    built = alertmanager_config(observed(alerts={"receivers": RECEIVERS}))["spec"]
    critical = {"name": "severity", "value": "critical", "matchType": "="}
    assert [(each["receiver"], each.get("matchers", [])) for each in built["route"]["routes"]] == [
        ("chat", []),
        ("pager", [critical]),
        ("mail", []),
        ("hook", []),
    ]
    assert all(each["continue"] for each in built["route"]["routes"])
    assert {each["name"] for each in built["receivers"]} == {"_nobody", "chat", "pager", "mail", "hook"}


def test_a_receiver_called_nobody_is_one_like_others() -> None:
    receivers = [{**RECEIVERS[0], "name": "nobody"}]
    names = [
        each["name"] for each in alertmanager_config(observed(alerts={"receivers": receivers}))["spec"]["receivers"]
    ]
    assert len(set(names)) == len(names) == 2


def test_no_receiver_no_configuration() -> None:
    assert ("AlertmanagerConfig", "pictures-alerts") not in objects(observed())


def test_alertmanager_selects_by_the_labels_of_the_alerts() -> None:
    labels = alertmanager_config(observed(alerts={"receivers": RECEIVERS, "labels": {"team": "x"}}))["metadata"][
        "labels"
    ]
    assert labels == {"team": "x", **alertmanager_config(observed())["metadata"]["labels"]}


def test_only_alerts_of_this_service_are_routed() -> None:
    matchers = alertmanager_config(observed(alerts={"receivers": RECEIVERS}))["spec"]["route"]["matchers"]
    assert matchers == [
        {"name": "namespace", "value": "studio", "matchType": "="},
        {"name": "service", "value": "pictures-service", "matchType": "="},
    ]
