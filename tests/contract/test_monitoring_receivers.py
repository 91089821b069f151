"""What receivers get from the real Alertmanager: all alerts of a group, told in words that PagerDuty takes."""

from __future__ import annotations

import hmac
import html
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator import spec
from t2i_operator.builders.monitoring.alertmanager_config import alertmanager_config
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule

from tests.fakes.alertmanager import OWN, Alertmanager, alerting
from tests.fakes.receivers import CHALLENGE, PAGERDUTY, SLACK, WEBHOOK, FakeReceivers, receiving
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRAFANA = "https://grafana.example.com/g"
BURN, ANOMALY = "TextToImageErrorBudgetBurn", "TextToImageAnomaly"
PASSWORD = "the team's own"
PATIENCE_SECONDS = 60

Alert = dict[str, Any]


def _resource(smarthost: str) -> spec.TextToImageService:
    def secret(key: str) -> dict[str, Any]:
        return {"secretKeyRef": {"name": "hooks", "key": key}}

    login = {"authUsername": "images", "authPassword": secret("mail")}
    receivers = [
        {"name": "pager", "pagerduty": {"routingKey": secret("pagerduty")}},
        {"name": "chat", "slack": {"apiURL": secret("slack"), "channel": "#images"}},
        {"name": "mail", "email": {"to": "team@example.com", "smarthost": smarthost, **login}},
        {"name": "hook", "webhook": {"url": secret("webhook")}},
    ]
    monitoring = {"alerts": {"receivers": receivers}, "dashboards": {"grafanaURL": f"{GRAFANA}/"}}
    models = [{"name": "sdxl", "provider": "Sandbox"}]
    return spec.parse(
        {"metadata": {"name": "pictures", "namespace": "studio"}, "spec": {"models": models, "monitoring": monitoring}}
    )


@pytest.fixture
def heard() -> Iterator[FakeReceivers]:
    with receiving() as fake:
        yield fake


@pytest.fixture
def alertmanager(heard: FakeReceivers, tmp_path: Path) -> Iterator[Alertmanager]:
    secrets = {"pagerduty": "key", "slack": f"{heard.url}{SLACK}", "webhook": f"{heard.url}{WEBHOOK}", "mail": PASSWORD}
    with alerting(alertmanager_config(_resource(heard.smarthost)), secrets, heard, tmp_path) as process:
        yield process


def _alert(name: str, *, ended: bool = False, **wanted: str) -> Alert:
    """Fire the rule that has these labels; those that it has not are its series' own."""
    groups = prometheus_rule(_resource("mail.example.com:25"))["spec"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule.get("alert") == name]
    rule = next(rule for rule in rules if all(rule["labels"].get(key, value) == value for key, value in wanted.items()))
    annotations = rule["annotations"] | {
        "summary": rule["annotations"]["summary"].replace("{{ $labels.slo }}", wanted.get("slo", ""))
    }
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, **rule["labels"], **wanted},
        "annotations": annotations,
        "startsAt": (now - timedelta(minutes=5)).isoformat(),
        "endsAt": (now + timedelta(minutes=-1 if ended else 5)).isoformat(),
    }


def _foreign(alert: str, **annotations: str) -> Alert:
    """Fire a rule of somebody else, on the same Service."""
    labels = {"alertname": alert, "namespace": "studio", "service": "pictures-service"}
    return {"labels": labels, "annotations": annotations}


def test_a_service_of_the_same_name_elsewhere_is_not_heard(heard: FakeReceivers, alertmanager: Alertmanager) -> None:
    """As where Alertmanager's matcher strategy is `None`: nobody but us says which namespace the route is for."""
    ours = _alert("HighErrorRate")
    theirs = {**ours, "labels": {**ours["labels"], "namespace": "staging"}, "annotations": {"summary": "staging fails"}}
    alertmanager.send(theirs)
    alertmanager.send(ours)
    summary = ours["annotations"]["summary"]
    wait_for(lambda: summary in [page["payload"]["summary"] for page in heard.pages], PATIENCE_SECONDS)
    assert [page["payload"]["summary"] for page in heard.pages] == [summary]


def test_both_objectives_at_once_are_two_incidents(heard: FakeReceivers, alertmanager: Alertmanager) -> None:
    """Their summaries differ, and what differs is missing from the group's common annotations."""
    alertmanager.send(*(_alert(BURN, burn_rate="fast", slo=slo) for slo in ("availability", "latency")))
    wait_for(lambda: len(heard.pages) + len(heard.refused) >= 2, PATIENCE_SECONDS)
    assert heard.refused == []
    summaries = {page["payload"]["summary"] for page in heard.pages}
    assert summaries == {
        f"studio/pictures-service spends its {slo} error budget too fast" for slo in ("availability", "latency")
    }
    assert len({page["dedup_key"] for page in heard.pages}) == 2


def test_a_critical_alert_is_not_taken_in_by_a_warning_s_incident(
    heard: FakeReceivers, alertmanager: Alertmanager
) -> None:
    """PagerDuty notifies nobody anew of an open incident's further events."""
    warning, critical = (_alert(BURN, burn_rate=pair, slo="latency") for pair in ("slow", "fast"))
    alertmanager.send(warning)
    wait_for(lambda: bool(heard.pages), PATIENCE_SECONDS)
    alertmanager.send(warning, critical)
    wait_for(lambda: len(heard.pages) + len(heard.refused) >= 2, PATIENCE_SECONDS)
    assert heard.refused == []
    assert len({(page["dedup_key"], page["payload"]["severity"]) for page in heard.pages}) == 2
    assert {page["payload"]["severity"] for page in heard.pages} == {"warning", "critical"}


def test_alerts_of_one_group_are_all_told_everywhere(heard: FakeReceivers, alertmanager: Alertmanager) -> None:
    # One that began before the time a group waits is told at once, and of two in one call it may be told alone.
    both = [_alert(ANOMALY, signal="requests", direction=direction) for direction in ("above", "below")]
    begun = datetime.now(UTC).isoformat()
    for each in both:
        each["startsAt"] = begun
    alertmanager.send(*both)
    wait_for(lambda: bool(heard.pages and heard.messages and heard.mails and heard.calls), PATIENCE_SECONDS)
    assert heard.refused == []
    (page,), (message,), (mail,) = heard.pages, heard.messages, heard.mails
    (attachment,) = message["attachments"]
    for each in (alert["annotations"] for alert in both):
        assert each["description"] in page["payload"]["custom_details"]["description"]
        assert each["summary"] in attachment["text"]
        assert each["summary"].rpartition(": ")[2] in mail.body
    assert page["payload"]["summary"] in {alert["annotations"]["summary"] for alert in both}
    assert attachment["title"] == mail.subject == "Firing: TextToImageAnomaly (warning), requests"
    assert len(heard.calls[0]["alerts"]) == 2


def test_no_destination_of_the_spec_sees_alertmanager_s_own_credentials(
    heard: FakeReceivers, alertmanager: Alertmanager
) -> None:
    alertmanager.send(_alert("HighErrorRate"))
    wait_for(lambda: bool(heard.pages and heard.messages and heard.mails and heard.calls), PATIENCE_SECONDS)
    assert heard.authorizations == {SLACK: None, WEBHOOK: None, PAGERDUTY: f"Bearer {OWN}"}, (
        "PagerDuty is the platform's"
    )
    proof = hmac.new(PASSWORD.encode(), CHALLENGE, "md5").hexdigest()
    assert heard.logins == [f"images {proof}"]


def test_links_lead_there_from_outside_grafana(heard: FakeReceivers, alertmanager: Alertmanager) -> None:
    alert = _alert("ImageGenerationFailure")
    alertmanager.send(alert)
    wait_for(lambda: bool(heard.pages and heard.messages and heard.mails and heard.calls), PATIENCE_SECONDS)
    dashboard, runbook = alert["annotations"]["dashboard_url"], alert["annotations"]["runbook_url"]
    assert dashboard.startswith(f"{GRAFANA}/d/t2i-models-")
    details = heard.pages[0]["payload"]["custom_details"]
    assert (details["dashboard"], details["runbook"]) == (dashboard, runbook)
    (attachment,) = heard.messages[0]["attachments"]
    assert f"Runbook: {runbook}\nDashboard: {dashboard}" in attachment["text"]
    assert dashboard in html.unescape(heard.mails[0].body)
    assert heard.calls[0]["alerts"][0]["annotations"]["dashboard_url"] == dashboard


def test_a_path_alone_is_said_to_be_one_of_grafana(heard: FakeReceivers, alertmanager: Alertmanager) -> None:
    alert = _alert("HighLatency")
    path = alert["annotations"]["dashboard_url"].removeprefix(GRAFANA)
    alert["annotations"]["dashboard_url"] = path
    alertmanager.send(alert)
    wait_for(lambda: bool(heard.messages), PATIENCE_SECONDS)
    assert f"Dashboard (in Grafana): {path}" in heard.messages[0]["attachments"][0]["text"]


def test_the_end_is_told_and_closes_the_same_incident(heard: FakeReceivers, alertmanager: Alertmanager) -> None:
    alertmanager.send(_alert("HighErrorRate"))
    wait_for(lambda: bool(heard.pages and heard.messages), PATIENCE_SECONDS)
    alertmanager.send(_alert("HighErrorRate", ended=True))
    wait_for(lambda: len(heard.pages) + len(heard.refused) >= 2 and len(heard.messages) >= 2, PATIENCE_SECONDS)
    assert heard.refused == []
    first, last = heard.pages
    assert (first["event_action"], last["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == last["dedup_key"]
    assert heard.messages[1]["attachments"][0]["text"].startswith("Resolved: ")


@pytest.mark.parametrize("severity", [None, "page"])
def test_alerts_of_others_on_the_service_are_no_bad_events(
    heard: FakeReceivers, alertmanager: Alertmanager, severity: str | None
) -> None:
    alert = _foreign("QuotaNearlyUsed", description="80 % of it is used.")
    alert["labels"] |= {"severity": severity} if severity else {}
    alertmanager.send(alert)
    wait_for(lambda: bool(heard.pages or heard.refused), PATIENCE_SECONDS)
    assert heard.refused == []
    (payload,) = (page["payload"] for page in heard.pages)
    assert (payload["summary"], payload["severity"]) == ("QuotaNearlyUsed", "error")
