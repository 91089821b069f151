"""What docs/troubleshooting.md has its reader paste into a resource does what the page says."""

import re
from pathlib import Path
from typing import Any

import yaml
from t2i_operator import builders
from t2i_operator.kube.kinds import NETWORK_POLICY, Object

from tests.unit.operator.resources import WITH_JAEGER, body, resource

PAGE = Path(__file__).parents[3] / "docs" / "troubleshooting.md"
IDS = {"runAsUser", "runAsGroup", "fsGroup"}
NODE_LOCAL = "169.254.20.10/32"


def pasted(chapter: str) -> Any:
    """Return the spec that stands in a chapter."""
    text = PAGE.read_text().partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return yaml.safe_load(block)["spec"]


def securities(**wanted: Any) -> dict[str, Object]:
    """Return the security contexts of the pods, by their Deployments."""
    made = builders.desired(resource(**wanted), WITH_JAEGER)
    pods = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in made if each["kind"] == "Deployment"}
    return {name: pod["securityContext"] for name, pod in pods.items()}


def test_on_openshift_no_pod_keeps_an_id_of_ours() -> None:
    ours = securities(monitoring={})
    assert set(ours) == {"pictures", "pictures-jaeger"}
    assert all(set(found) >= IDS for found in ours.values())
    left = {name: {key: found[key] for key in found if key not in IDS} for name, found in ours.items()}
    assert securities(**pasted("On OpenShift")) == left


def test_node_local_dns_is_reached() -> None:
    *_, rule = body(NETWORK_POLICY, **pasted("No name is resolved under a network policy"))["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": NODE_LOCAL}}]
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {("UDP", 53), ("TCP", 53)}
