"""`make up STACK=off` on a machine without a cluster: the service, and not one object of the monitoring stack."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster.paths import Layout
from dev.stack.install import ETC, MONITORING
from tests.machine.conftest import UP, Command

# Of the Prometheus Operator, whose custom resources are the first that the stack brings.
GROUP = "monitoring.coreos.com"


@pytest.mark.timeout(600)  # the last of its suite: the whole stack is brought up again within its time
def test_without_the_stack_nothing_of_it_is_made(
    command: Command, cluster: Layout, checkout: Path, kubectl: Callable[..., str]
) -> None:
    assert command("down").returncode == 0
    (cluster.local / "picture.png").unlink(missing_ok=True)
    result = command(*UP, "--no-stack")
    assert result.returncode == 0, result.stderr
    assert (cluster.local / "picture.png").exists()
    assert GROUP not in kubectl("api-versions")
    wanted = [each for each in objects(checkout) if not each["apiVersion"].startswith(GROUP)]
    assert {"Namespace", "Deployment", "APIService"} <= {each["kind"] for each in wanted}
    assert [each["metadata"] for each in wanted if there(kubectl, each)] == []


def objects(checkout: Path) -> list[dict[str, Any]]:
    """Return what the stack applies; no name in it is filled in."""
    files = (*sorted(ETC.glob("*.yaml")), checkout / MONITORING)
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]


def there(kubectl: Callable[..., str], body: dict[str, Any]) -> bool:
    """Tell whether the cluster has an object of that kind and name."""
    where = [f"--namespace={body['metadata']['namespace']}"] if "namespace" in body["metadata"] else []
    return bool(kubectl("get", body["kind"], body["metadata"]["name"], *where, "--ignore-not-found", "--output=name"))
