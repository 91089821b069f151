"""The embedded cluster has nobody who makes volumes: what the stack claims is there beforehand."""

from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import yaml

from dev.stack.install import ETC, MONITORING

ROOT = Path(__file__).parents[3]


def claims() -> Iterator[tuple[str, Any]]:
    """Yield the name that the Prometheus Operator gives each claim, and what is claimed."""
    for body in yaml.safe_load_all((ROOT / MONITORING).read_text()):
        if storage := body.get("spec", {}).get("storage"):
            program = f"{body['kind'].lower()}-{body['metadata']['name']}"
            yield f"{program}-db-{program}-0", storage["volumeClaimTemplate"]["spec"]["resources"]["requests"]


def test_every_claim_of_the_stack_has_its_volume() -> None:
    text = Template((ETC / "volumes.yaml").read_text()).substitute(VOLUMES="/volumes")
    volumes = [body["spec"] for body in yaml.safe_load_all(text)]
    assert {each["claimRef"]["namespace"] for each in volumes} == {"monitoring"}
    assert {each["claimRef"]["name"]: each["capacity"] for each in volumes} == dict(claims())
    assert len({each["hostPath"]["path"] for each in volumes}) == len(volumes) == 2
