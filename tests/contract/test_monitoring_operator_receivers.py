"""The sample of who hears of the alerts on the operator, on the real Alertmanager: it takes those, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.fakes.alertmanager import alerting
from tests.fakes.receivers import SLACK, FakeReceivers, receiving
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

MONITORING = Path(__file__).parents[2] / "manifests" / "monitoring"
SYSTEM = "text-to-image-system"
PATIENCE_SECONDS = 60


@pytest.fixture
def heard() -> Iterator[FakeReceivers]:
    with receiving() as fake:
        yield fake


def test_the_alerts_on_the_operator_are_heard_and_no_others(heard: FakeReceivers, tmp_path: Path) -> None:
    (group,) = yaml.safe_load((MONITORING / "prometheus_rule.yaml").read_text())["spec"]["groups"]
    alerts: list[dict[str, Any]] = [
        {
            "labels": {"alertname": rule["alert"], "namespace": SYSTEM, **rule["labels"]},
            "annotations": rule["annotations"],
        }
        for rule in group["rules"]
    ]
    theirs = [
        {**alerts[0], "labels": {**alerts[0]["labels"], "namespace": "elsewhere"}},
        {**alerts[0], "labels": {"alertname": "HighErrorRate", "namespace": SYSTEM}},
    ]
    config = yaml.safe_load((MONITORING / "alertmanager_config.yaml").read_text())
    assert config["metadata"]["namespace"] == SYSTEM
    with alerting(config, {"url": f"{heard.url}{SLACK}"}, heard, tmp_path) as alertmanager:
        alertmanager.send(*theirs)
        alertmanager.send(*alerts)
        wait_for(lambda: len(heard.messages) >= len(alerts), PATIENCE_SECONDS)
    told = [attachment for message in heard.messages for attachment in message["attachments"]]
    assert sorted(each["title"] for each in told) == sorted(
        f"{alert['labels']['alertname']} ({alert['labels']['severity']})" for alert in alerts
    )
    for alert in alerts:
        assert [each for each in told if alert["annotations"]["runbook_url"] in each["text"]]
