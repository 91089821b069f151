"""Which condition speaks of which object: the rows that no cluster can be brought to one by one."""

import base64
from typing import Any

import pytest
from t2i_operator import spec
from t2i_operator.known import references
from t2i_operator.known.credentials import Problem, Secrets
from t2i_operator.known.faults import APPLY_FAILED, CONFLICT, CONTESTED, DELETE_FAILED, REPLACING
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Verdict
from t2i_operator.known.rollout import Rollout, collector_rollout
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    CONFIG_MAP,
    DEPLOYMENT,
    GRAFANA_DASHBOARD,
    NETWORK_POLICY,
    OPENTELEMETRY_COLLECTOR,
    PROMETHEUS_RULE,
    SERVICE,
    SERVICE_MONITOR,
    VOLUME_CLAIM,
    Kind,
)
from t2i_operator.status.conditions import conditions

NAME = "a-b"
SERVES = Rollout(replicas=1, updated=1, ready=1, available=1, observed=True)
MONITORING = [
    (SERVICE_MONITOR, "-monitor", "MetricsReady"),
    (SERVICE_MONITOR, "-jaeger-monitor", "MetricsReady"),
    (PROMETHEUS_RULE, "-alerts", "AlertsReady"),
    (ALERTMANAGER_CONFIG, "-alerts", "AlertsReady"),
    (CONFIG_MAP, "-dashboard-overview", "DashboardsReady"),
    (GRAFANA_DASHBOARD, "-dashboard-cost", "DashboardsReady"),
    (DEPLOYMENT, "-jaeger", "TracingReady"),
    (VOLUME_CLAIM, "-jaeger", "TracingReady"),
    (OPENTELEMETRY_COLLECTOR, "-jaeger", "TracingReady"),
    (CONFIG_MAP, "-jaeger-config", "TracingReady"),
    (SERVICE, "-jaeger-collector", "TracingReady"),
    (SERVICE, "-jaeger-metrics", "TracingReady"),
]
BURN = {"name": "fast", "severity": "Critical", "factor": "14.4", "longWindow": "1h"}
TLS = {"clientSecretRef": {"name": "c"}}
PEM = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
REASONS = (CONFLICT, CONTESTED, APPLY_FAILED, DELETE_FAILED, REPLACING)


def service(**fields: Any) -> spec.TextToImageService:
    models = [{"name": "sdxl", "provider": "Sandbox"}]
    return spec.parse({"metadata": {"name": NAME, "namespace": "n"}, "spec": {"models": models, **fields}})


def said(kind: Kind, suffix: str, reason: str) -> dict[str, tuple[str, str]]:
    outcome = Outcome(generation=1, resource=service(), rollout=SERVES)
    outcome.fault(Id(kind, "n", NAME + suffix), reason, "the sentence")
    return {each.type: (each.status, each.reason) for each in conditions(outcome)}


@pytest.mark.parametrize(("kind", "suffix", "condition"), MONITORING, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("reason", REASONS)
def test_monitoring_never_lowers_ready(kind: Kind, suffix: str, condition: str, reason: str) -> None:
    found = said(kind, suffix, reason)
    assert found[condition] == ("False", reason)
    assert found["Monitored"][0] != "True"
    assert {found[name][0] for name in ("Ready", "Accepted", "Available", "Progressing")} == {"True"}
    assert found["Stalled"][0] == "False"


def resource(**monitoring: object) -> spec.TextToImageService:
    models = [{"name": "sdxl", "provider": "Sandbox"}]
    body = {"metadata": {"name": NAME, "namespace": "n"}, "spec": {"models": models, "monitoring": monitoring}}
    return spec.parse(body)


def test_a_secret_that_vanishes_under_running_pods_ends_the_wait_for_them() -> None:
    problem = Problem("SecretMissing", "there is no Secret keys")
    outcome = Outcome(generation=1, resource=resource(), rollout=SERVES, credentials=problem)
    found = {each.type: each for each in conditions(outcome)}
    assert (found["Ready"].status, found["Stalled"].status) == ("False", "False")
    assert found["Reconciling"] == ("Reconciling", "False", "SecretMissing", "there is no Secret keys")


def test_a_rollout_without_its_secret_is_still_under_way() -> None:
    problem = Problem("SecretMissing", "there is no Secret keys")
    outcome = Outcome(generation=1, resource=resource(), rollout=Rollout(wanted=1), credentials=problem)
    assert {each.type: each.status for each in conditions(outcome)}["Reconciling"] == "True"


def test_what_waits_for_another_object_is_not_settled() -> None:
    outcome = Outcome(generation=1, resource=resource(), rollout=SERVES, waiting="Service a-b-service is collected")
    found = {each.type: (each.status, each.message) for each in conditions(outcome)}
    assert found["Reconciling"] == ("True", "Service a-b-service is collected")


@pytest.mark.parametrize(
    ("absence", "status", "reason"),
    [(Absence.MISSING, "False", "PrometheusOperatorMissing"), (Absence.FORBIDDEN, "Unknown", "NotVisible")],
)
def test_alerts_that_can_reach_nobody_are_not_ready(absence: Absence, status: str, reason: str) -> None:
    hook = {"name": "hook", "webhook": {"url": {"secretKeyRef": {"name": "hooks", "key": "url"}}}}
    outcome = Outcome(
        generation=1,
        resource=resource(alerts={"receivers": [hook]}),
        rollout=SERVES,
        objects=[Id(PROMETHEUS_RULE, "n", "a-b-alerts")],
        absent={ALERTMANAGER_CONFIG: absence},
    )
    found = {each.type: (each.status, each.reason) for each in conditions(outcome)}
    assert found["AlertsReady"] == (status, reason)


def test_a_kind_that_cannot_be_listed_is_told_in_the_api_servers_own_words() -> None:
    absent = {SERVICE_MONITOR: Absence.failing("conversion webhook failed: connection refused")}
    outcome = Outcome(generation=1, resource=service(), rollout=SERVES, absent=absent)
    found = next(each for each in conditions(outcome) if each.type == "MetricsReady")
    assert (found.status, found.reason) == ("Unknown", "NotVisible")
    assert "servicemonitors" in found.message
    assert "connection refused" in found.message


@pytest.mark.parametrize("of_receivers", [("False", "NotSelected", "no"), ("Unknown", "NotVisible", "no")])
def test_receivers_that_no_alertmanager_takes_in_are_not_ready(of_receivers: tuple[str, str, str]) -> None:
    outcome = Outcome(
        generation=1,
        resource=resource(alerts={"receivers": [{"name": "mail", "email": {"to": "team@example.com"}}]}),
        rollout=SERVES,
        objects=[Id(kind, "n", "a-b-alerts") for kind in (PROMETHEUS_RULE, ALERTMANAGER_CONFIG)],
        selected={PROMETHEUS_RULE: Verdict("True", "Selected", "yes"), ALERTMANAGER_CONFIG: Verdict(*of_receivers)},
    )
    found = next(each for each in conditions(outcome) if each.type == "AlertsReady")
    assert found[1:] == (*of_receivers[:2], "AlertmanagerConfig a-b-alerts: no")


@pytest.mark.parametrize(
    ("dashboards", "said"),
    [
        ({"format": "GrafanaDashboard", "instanceSelector": {"matchLabels": {"a": "b"}}}, ("False", "NotSelected")),
        ({"format": "ConfigMap"}, ("True", "InPlace")),
    ],
    ids=["asked for", "left over"],
)
def test_dashboards_that_no_grafana_shows_are_not_ready(dashboards: dict[str, Any], said: tuple[str, str]) -> None:
    placed = [Id(kind, "n", "a-b-dashboard-overview") for kind in (GRAFANA_DASHBOARD, CONFIG_MAP)]
    unsynced = [Id(GRAFANA_DASHBOARD, "n", "a-b-dashboard-models")]
    wanted = resource(dashboards=dashboards)
    outcome = Outcome(generation=1, resource=wanted, rollout=SERVES, objects=placed, unsynced_dashboards=unsynced)
    found = next(each for each in conditions(outcome) if each.type == "DashboardsReady")
    assert (found.status, found.reason) == said
    assert ("instanceSelector" in found.message) == (said[0] == "False")


@pytest.mark.parametrize("unsynced", [False, True], ids=["not known", "no Grafana"])
def test_dashboards_that_stay_for_want_of_a_grafana_are_named(*, unsynced: bool) -> None:
    """Where no Grafana operator runs, nobody else would ever say why nothing goes on."""
    selector = {"matchLabels": {"a": "b"}}
    made, stays = Id(GRAFANA_DASHBOARD, "n", "a-b-dashboard-overview"), Id(CONFIG_MAP, "n", "a-b-dashboard-models")
    outcome = Outcome(
        generation=1,
        resource=resource(dashboards={"format": "GrafanaDashboard", "instanceSelector": selector}),
        rollout=SERVES,
        objects=[made, stays, Id(CONFIG_MAP, "n", "a-b-config")],
        fallback_dashboards=[stays],
        unsynced_dashboards=[made] if unsynced else [],
        untaken_dashboards=[] if unsynced else [made],
    )
    found = {each.type: each for each in conditions(outcome)}
    said = found["DashboardsReady"]
    assert (said.status, said.reason) == (("False", "NotSelected") if unsynced else ("Unknown", "Pending"))
    assert said.message.endswith(f"; {stays} is kept until one has")
    assert found["Ready"].holds


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metrics": {"interval": "1m15s"}}, "InPlace"),
        ({"metrics": {"interval": "1m16s"}, "alerts": {"thresholds": {"window": "1h"}}}, "ScrapedTooSeldom"),
        ({"alerts": {"thresholds": {"window": "2m"}}}, "InPlace"),
        ({"alerts": {"thresholds": {"window": "1m59s"}}}, "ScrapedTooSeldom"),
        ({"alerts": {"burnRates": [BURN | {"shortWindow": "2m"}]}}, "InPlace"),
        ({"alerts": {"burnRates": [BURN | {"shortWindow": "119s"}]}}, "ScrapedTooSeldom"),
        ({"metrics": {"mode": "Disabled", "interval": "10m"}}, "InPlace"),
        ({"metrics": {"interval": "10m"}, "alerts": {"mode": "Disabled"}}, "Disabled"),
    ],
)
def test_alerts_that_too_few_scrapes_would_keep_silent_are_not_ready(fields: dict[str, Any], said: str) -> None:
    """The CRD refuses them, but not in a resource that was stored before it did."""
    placed = [] if said == "Disabled" else [Id(PROMETHEUS_RULE, "n", "a-b-alerts")]
    outcome = Outcome(generation=1, resource=service(monitoring=fields), rollout=SERVES, objects=placed)
    found = next(each for each in conditions(outcome) if each.type == "AlertsReady")
    assert (found.reason, found.status) == (said, "False" if said == "ScrapedTooSeldom" else "True")


@pytest.mark.parametrize(
    ("reason", "condition", "status"),
    [
        (CONFLICT, "Accepted", "False"),
        (CONTESTED, "Stalled", "True"),
        (APPLY_FAILED, "Progressing", "False"),
        (DELETE_FAILED, "Progressing", "False"),
    ],
)
def test_what_serves_is_told_by_its_own_conditions(reason: str, condition: str, status: str) -> None:
    for kind, suffix in ((CONFIG_MAP, "-config"), (NETWORK_POLICY, ""), (SERVICE, "-service"), (DEPLOYMENT, "")):
        found = said(kind, suffix, reason)
        assert found[condition] == (status, reason)
        assert found["DashboardsReady"][1] != reason


def collector(**status: Any) -> Rollout:
    """Return what is kept of an OpenTelemetryCollector of generation 2."""
    return collector_rollout({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status})


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (None, ("False", "JaegerNotReady")),
        (collector(), ("False", "JaegerNotReady")),
        (collector(scale={"replicas": 1, "statusReplicas": "0/1"}), ("False", "JaegerNotReady")),
        (collector(scale={"statusReplicas": "1/1"}), ("True", "InPlace")),
        (collector(scale={"statusReplicas": "1/1"}, observedGeneration=2), ("True", "InPlace")),
        (collector(scale={"statusReplicas": "1/1"}, observedGeneration=1), ("False", "JaegerNotReady")),
        (collector(scale={"statusReplicas": "1/2"}), ("False", "JaegerNotReady")),
        (collector(scale={"statusReplicas": "words"}), ("False", "JaegerNotReady")),
    ],
)
def test_a_collector_is_ready_when_its_pod_is(seen: Rollout | None, said: tuple[str, str]) -> None:
    wanted = resource(tracing={"jaeger": {"format": "OpenTelemetryCollector"}})
    placed = [Id(OPENTELEMETRY_COLLECTOR, "n", "a-b-jaeger")]
    outcome = Outcome(generation=1, resource=wanted, objects=placed, jaeger=seen)
    found = next(each for each in conditions(outcome) if each.type == "TracingReady")
    assert (found.status, found.reason) == said
    assert found.message.startswith("OpenTelemetryCollector a-b-jaeger ")


QUOTA = 'pods "a-b-jaeger-0" is forbidden: exceeded quota: few'
RESUME = "somebody paused the rollout; it goes on after: kubectl rollout resume deployment/a-b-jaeger -n n"
TIMED_OUT = 'ReplicaSet "a-b-jaeger-0" has timed out progressing.'


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Rollout(observed=True), "its pods' events say why"),
        (Rollout(observed=True, replica_failure=QUOTA), QUOTA),
        (Rollout(observed=True, replica_failure=QUOTA, deadline_exceeded=TIMED_OUT), QUOTA),
        (Rollout(observed=True, paused=RESUME), RESUME),
        (Rollout(observed=True, deadline_exceeded=TIMED_OUT), f"{TIMED_OUT}; its pods' events say why"),
    ],
    ids=["pods", "no pods", "no pods for long", "paused", "pods for long"],
)
def test_a_jaeger_that_has_no_pods_is_not_explained_by_their_events(seen: Rollout, why: str) -> None:
    placed = [Id(DEPLOYMENT, "n", "a-b-jaeger")]
    outcome = Outcome(generation=1, resource=resource(), objects=placed, jaeger=seen)
    found = next(each for each in conditions(outcome) if each.type == "TracingReady")
    assert (found.status, found.reason) == ("False", "JaegerNotReady")
    assert found.message == f"Deployment a-b-jaeger has no ready pod; {why}"


@pytest.mark.parametrize(
    ("fields", "secrets", "said"),
    [
        ({}, {}, ("True", "External")),
        ({"headersSecretRef": {"name": "h"}}, {"h": {}}, ("True", "External")),
        ({"headersSecretRef": {"name": "h"}}, {"h": None}, ("False", "SecretMissing")),
        ({"headersSecretRef": {"name": "h"}}, {"h": dict.fromkeys(map(str, range(64)), "")}, ("True", "External")),
        ({"headersSecretRef": {"name": "h"}}, {"h": dict.fromkeys(map(str, range(65)), "")}, ("False", "TooManyKeys")),
        ({"protocol": "http/protobuf"}, {}, ("True", "External")),
        ({"tls": {}}, {}, ("True", "External")),
        ({"tls": TLS}, {"c": {"tls.crt": PEM, "tls.key": PEM}}, ("True", "External")),
        ({"tls": TLS}, {"c": None}, ("False", "SecretMissing")),
        ({"tls": TLS}, {"c": {"tls.crt": PEM}}, ("False", "KeyMissing")),
        ({"tls": TLS}, {"c": {"tls.crt": PEM, "tls.key": "eA=="}}, ("False", "KeyInvalid")),
    ],
)
def test_tracing_says_what_is_missing(fields: dict[str, Any], secrets: Secrets, said: tuple[str, str]) -> None:
    tracing = {"mode": "External", "endpoint": "https://o:4317", **fields}
    sent = service(monitoring={"tracing": tracing})
    outcome = Outcome(generation=1, resource=sent, lacks=references.lacks(sent, secrets))
    found = next(each for each in conditions(outcome) if each.type == "TracingReady")
    assert (found.status, found.reason) == said


def test_alerts_name_who_evaluates_them_and_who_sends_them() -> None:
    mail = {"name": "mail", "email": {"to": "t@e.com", "from": "a@e.com"}}
    placed = [Id(kind, "n", f"{NAME}-alerts") for kind in (PROMETHEUS_RULE, ALERTMANAGER_CONFIG)]
    selected = {
        PROMETHEUS_RULE: Verdict("True", "Selected", "Prometheus m/main selects it"),
        ALERTMANAGER_CONFIG: Verdict("True", "Selected", "Alertmanager m/main selects it"),
    }
    sent = service(monitoring={"alerts": {"receivers": [mail]}})
    outcome = Outcome(generation=1, resource=sent, objects=placed, selected=selected)
    found = next(each for each in conditions(outcome) if each.type == "AlertsReady")
    assert (found.status, found.reason) == ("True", "Selected")
    assert all(verdict.message in found.message for verdict in selected.values())
