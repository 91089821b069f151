"""The PrometheusRule that the operator builds from golden.yaml, so that what is tested is what ships."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule

from dev.stack.debian import program

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden.yaml"
OPERATOR_RULES = Path(__file__).parents[2] / "manifests" / "monitoring" / "prometheus_rule.yaml"


@pytest.fixture
def built() -> Callable[..., dict[str, Any]]:
    """Build the rules of golden.yaml, scraped so often, with the given settings of `monitoring.alerts` over its own."""

    def build(interval: str = "30s", **alerts: Any) -> dict[str, Any]:
        body = yaml.safe_load(GOLDEN.read_text())
        body["spec"]["monitoring"]["metrics"] = {"interval": interval}
        body["spec"]["monitoring"]["alerts"] |= alerts
        rules: dict[str, Any] = prometheus_rule(spec.parse(body))["spec"]
        return rules

    return build


@pytest.fixture
def operator_rules() -> dict[str, Any]:
    """Read the rules on the operator itself."""
    rules: dict[str, Any] = yaml.safe_load(OPERATOR_RULES.read_text())["spec"]
    return rules


@pytest.fixture
def promtool(
    tmp_path: Path, built: Callable[..., dict[str, Any]], operator_rules: dict[str, Any]
) -> Callable[..., None]:
    """Run promtool on a file of tests, or on tests given as data; each built group lies beside in its own file."""

    def run(tests: Path | dict[str, Any], **alerts: Any) -> None:
        given = tmp_path / "tests.yaml"
        given.write_text(tests.read_text() if isinstance(tests, Path) else yaml.safe_dump(tests))
        for group in _read([*built(**alerts)["groups"], *operator_rules["groups"]], given.read_text()):
            name = group["name"].rpartition(".")[2]
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"groups": [group]}))
        command = [program("promtool"), "test", "rules", given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def _read(groups: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Keep the rules that the tests name, and those that these read: weeks of the others would only take time."""
    left = [rule for group in groups for rule in group["rules"]]
    while found := [rule for rule in left if (rule.get("record") or rule["alert"]) in text]:
        left = [rule for rule in left if rule not in found]
        text += " ".join(rule["expr"] for rule in found)
    return [{**group, "rules": [rule for rule in group["rules"] if rule not in left]} for group in groups]
