"""What the fire drill holds an alert to: whoever is called must know which service, what is wrong and where."""

import copy
import json

import httpx
import pytest

from dev.cluster.errors import UnfitError
from dev.stack import webhook
from dev.stack.drilled import NAME, Alert, check

ALERT: Alert = {
    "status": "firing",
    "labels": {"alertname": "HighLatency", "namespace": "here", "service": f"{NAME}-service", "severity": "warning"},
    "annotations": {
        "summary": "here/drill answers slowly",
        "description": "The slowest 5 % took 3s.",
        "runbook_url": "https://example.com/runbooks/HighLatency.md",
        "dashboard_url": "https://grafana.example.com/d/t2i-overview-0123456789abcdef",
    },
}


def test_an_alert_with_labels_words_and_links_will_do() -> None:
    check("HighLatency", ALERT, "here")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("labels", "namespace", "there"),
        ("labels", "service", "another-service"),
        ("labels", "severity", None),
        ("annotations", "summary", ""),
        ("annotations", "description", None),
        ("annotations", "runbook_url", "https://example.com/runbooks/HighErrorRate.md"),
        ("annotations", "runbook_url", "/runbooks/HighLatency.md"),
        ("annotations", "dashboard_url", None),
        ("annotations", "dashboard_url", "/d/t2i-overview-0123456789abcdef"),
        ("annotations", "dashboard_url", "https://grafana.example.com/"),
    ],
)
def test_one_that_lacks_any_of_them_will_not(part: str, key: str, value: str | None) -> None:
    alert = copy.deepcopy(ALERT)
    alert[part] = {name: word for name, word in (alert[part] | {key: value}).items() if word is not None}
    with pytest.raises(UnfitError):
        check("HighLatency", alert, "here")


def test_the_webhook_tells_what_fires_from_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "NODE_IP", "127.0.0.1")
    with webhook.listening() as listener:
        sent = [ALERT, ALERT | {"status": "resolved"}, ALERT | {"labels": ALERT["labels"] | {"namespace": "there"}}]
        body = json.dumps({"version": "4", "alerts": sent})
        assert httpx.post(listener.url, content=body, trust_env=False).status_code == 200
        assert listener.heard("HighLatency", "firing", "here") == [ALERT]
        assert listener.heard("HighLatency", "resolved", "here") == [ALERT | {"status": "resolved"}]
        assert not listener.heard("HighErrorRate", "firing", "here")
