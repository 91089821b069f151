"""Every alert fires, stays quiet, and turns at its boundary, by Prometheus' own evaluation."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from t2i_operator.builders.monitoring.rules.slo import DEFAULT_BURN_RATES
from t2i_operator.spec.alerts import OWN_LABELS

from dev.stack.debian import program

if TYPE_CHECKING:
    from collections.abc import Callable

    Built = Callable[..., dict[str, Any]]

FILES = sorted(path for path in Path(__file__).parent.glob("*.yaml") if path.name != "golden.yaml")
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
# Weeks of synthetic traffic are written by code: test_anomalies.py holds the cases of these, and sees that it has all.
WRITTEN_ELSEWHERE = {"TextToImageAnomaly"}


@pytest.mark.parametrize("tests", FILES, ids=lambda path: path.stem)
def test_alerts(promtool: Callable[..., None], tests: Path) -> None:
    promtool(tests)


@pytest.mark.parametrize("availability", ["0.99", "0.9"])
def test_prometheus_accepts_the_rules(tmp_path: Path, built: Built, availability: str) -> None:
    """With a modest objective there are more: each has factors of its own."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(built(slo={"availability": availability})))
    command = [program("promtool"), "check", "rules", "--lint-fatal", rules]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_three_cases(built: Built, operator_rules: dict[str, Any]) -> None:
    seen: dict[str, set[str]] = {}
    for file in FILES:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for check in test["alert_rule_test"]:
                kinds = seen.setdefault(check["alertname"], set())
                kinds.add("fires" if check.get("exp_alerts") else "quiet")
                kinds.update({"boundary"} if "at the boundary" in test["name"] else ())
    own = {rule["alert"] for group in operator_rules["groups"] for rule in group["rules"]}
    alerts = own | {rule["alert"] for rule in _alerts(built)} - WRITTEN_ELSEWHERE
    wanted = {"fires", "quiet", "boundary"}
    assert not {alert: missing for alert in alerts if (missing := wanted - seen.get(alert, set()))}


def test_every_burn_rate_fires_for_both_objectives() -> None:
    """One alert's name stands for eight: each is tried from the fifth request on."""
    tests = [test for file in FILES for test in yaml.safe_load(file.read_text())["tests"] if "fifth" in test["name"]]
    alerts = [each for test in tests for check in test["alert_rule_test"] for each in check.get("exp_alerts", ())]
    labels = [each["exp_labels"] for each in alerts]
    fired = {(each["burn_rate"], each["slo"]) for each in labels if "burn_rate" in each}
    assert fired == {(pair.name, slo) for pair in DEFAULT_BURN_RATES for slo in ("availability", "latency")}


def test_no_label_that_an_alert_has_can_be_set_by_the_user(built: Built) -> None:
    """One that is part of what tells alerts apart would make them one, and Prometheus refuses such a rule."""
    tests = [test for file in FILES for test in yaml.safe_load(file.read_text())["tests"]]
    fired = [each for test in tests for check in test["alert_rule_test"] for each in check.get("exp_alerts", ())]
    labels = {label for each in fired if "service" in each["exp_labels"] for label in each["exp_labels"]}
    labels |= {label for rule in _alerts(built) for label in rule["labels"]}
    assert labels - {"team"} | {"alertname", "__name__"} == set(OWN_LABELS)


def test_every_alert_says_what_where_and_what_to_do(built: Built) -> None:
    for rule in _alerts(built):
        assert rule["labels"].keys() >= {"severity", "namespace", "service", "team"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url", "dashboard_url"}, rule["alert"]


def _alerts(built: Built) -> list[dict[str, Any]]:
    return [rule for group in built()["groups"] for rule in group["rules"] if "alert" in rule]


def test_every_alert_leads_to_a_runbook_that_exists(built: Built, operator_rules: dict[str, Any]) -> None:
    rules = [*_alerts(built), *(rule for group in operator_rules["groups"] for rule in group["rules"])]
    for rule in rules:
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{rule['alert']}.md")
    assert {rule["alert"] for rule in rules} | {"README"} == {path.stem for path in RUNBOOKS.glob("*.md")}
