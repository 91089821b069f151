"""What docs/troubleshooting.md has its reader write on OpenShift does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from t2i_operator import builders
from t2i_operator.kube.kinds import NETWORK_POLICY, Object

from tests.unit.operator.resources import WITH_JAEGER, body, resource

PAGE = Path(__file__).parents[3] / "docs" / "troubleshooting.md"
IDS = {"runAsUser", "runAsGroup", "fsGroup"}


@pytest.fixture
def blocks() -> list[Any]:
    """Return the specs of the chapter: the one without ids, and the one that reaches the DNS."""
    chapter = PAGE.read_text().partition("\n## On OpenShift\n")[2].partition("\n## ")[0]
    return [yaml.safe_load(text)["spec"] for text in re.findall(r"```yaml\n(.*?)```", chapter, re.DOTALL)]


def securities(**wanted: Any) -> dict[str, Object]:
    """Return the security contexts of the pods, by their Deployments."""
    made = builders.desired(resource(**wanted), WITH_JAEGER)
    pods = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in made if each["kind"] == "Deployment"}
    return {name: pod["securityContext"] for name, pod in pods.items()}


def test_no_pod_keeps_an_id_of_ours(blocks: list[Any]) -> None:
    ours = securities(monitoring={})
    assert set(ours) == {"pictures", "pictures-jaeger"}
    assert all(set(found) >= IDS for found in ours.values())
    left = {name: {key: found[key] for key in found if key not in IDS} for name, found in ours.items()}
    assert securities(**blocks[0]) == left


def test_the_dns_pods_are_reached_by_their_own_port(blocks: list[Any]) -> None:
    rule = body(NETWORK_POLICY, **blocks[1])["egress"][-1]
    assert rule["to"] == [{"namespaceSelector": {}}]
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {("UDP", 5353), ("TCP", 5353)}
