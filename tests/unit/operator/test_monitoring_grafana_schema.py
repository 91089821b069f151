"""Dashboards by the schema that Grafana publishes, as its npm package has it (dev/tools/grafana)."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator
from t2i_operator.builders.monitoring.dashboard import content, topics

from dashboards.catalog import rendered
from tests.unit.operator.resources import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[3]
SCHEMA = json.loads((CHECKOUT / "dev" / "tools" / "grafana" / "schema.json").read_text())
PINNED = json.loads((CHECKOUT / "dev" / "tools" / "grafana" / "package.json").read_text())["dependencies"]


def faults(dashboard: dict[str, Any]) -> Iterator[str]:
    """Yield what the schema finds: in the dashboard, and in what each panel adds for its own kind."""
    yield from _faults("dashboard", _without_exceptions(dashboard))
    for panel in (panel for panel in dashboard["panels"] if panel["type"] != "row"):
        yield from _faults(f"{panel['type']}.options", panel.get("options", {}), panel["title"])
        if f"{panel['type']}.custom" in SCHEMA:
            custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
            yield from _faults(f"{panel['type']}.custom", custom, panel["title"])


def _without_exceptions(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Take out what Grafana reads though the schema leaves it open, and the names of limits, which are not shipped."""
    body = copy.deepcopy(dashboard)
    for each in body["annotations"].get("list", ()):
        for name in ("expr", "titleFormat", "tagKeys"):  # a Prometheus annotation's own, the schema's TODO
            each.pop(name, None)
    for panel in body["panels"]:
        for step in panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", ()):
            step.pop("of", None)
    return body


def _faults(kind: str, value: Any, where: str = "") -> Iterator[str]:
    for error in Draft7Validator(SCHEMA[kind]).iter_errors(value):
        path = "/".join(str(step) for step in error.absolute_path)
        yield f"{where}: {kind}/{path}: {error.message[:300]}"


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_what_is_committed_is_a_dashboard(topic: str) -> None:
    assert list(faults(json.loads(rendered()[topic]))) == []


@pytest.mark.parametrize("topic", topics(resource(monitoring={})))
def test_what_a_resource_makes_of_it_is_one_too(topic: str) -> None:
    linked = {"traceURL": "https://jaeger.example.com", "prometheusURL": "https://prometheus.example.com"}
    assert list(faults(json.loads(content(resource(monitoring={"dashboards": linked}), topic)))) == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [(("title",), 3), (("panels", 1, "gridPos"), {"x": 0}), (("links", 0, "typ"), "link"), (("refreshes",), "1m")],
)
def test_the_schema_finds_what_is_wrong(path: tuple[Any, ...], wrong: Any) -> None:
    """Or the tests above could not fail."""
    broken = copy.deepcopy(json.loads(rendered()["overview"]))
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    assert list(faults(broken))


def test_schema_and_sdk_are_of_one_grafana() -> None:
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    assert SCHEMA["version"] == PINNED["@grafana/schema"]
    assert groups["dashboards"][0].endswith(f"!{SCHEMA['version']}")
