"""Another release brings other images: whose pods that restarts, and how one keeps them."""

from typing import Any

import msgspec
from t2i_operator.builders import desired
from t2i_operator.kube.kinds import Object

from tests.unit.operator.resources import OBSERVED, UNOBSERVED, resource

NEXT = {"image": "ghcr.io/text-to-image/service:9", "jaeger_image": "jaeger:9"}


def deployments(*, released: bool, **wanted: Any) -> dict[str, Object]:
    """Return them as this release makes them, or the next one."""
    observed = msgspec.structs.replace(OBSERVED, **(NEXT if released else {"jaeger_image": "jaeger:1"}))
    built = desired(resource(**wanted), observed)
    return {each["metadata"]["name"]: each for each in built if each["kind"] == "Deployment"}


def test_the_next_release_s_images_restart_the_pods_of_who_names_none() -> None:
    wanted = {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed"}}}
    before, after = (deployments(released=released, **wanted) for released in (False, True))
    assert before.keys() == after.keys() == {"pictures", "pictures-jaeger"}
    assert all(before[name]["spec"]["template"] != after[name]["spec"]["template"] for name in before)


def test_who_names_both_images_keeps_every_pod() -> None:
    jaeger = {"mode": "Managed", "jaeger": {"image": "mine/jaeger:1"}}
    wanted = {"image": "mine/service:1", "monitoring": {**UNOBSERVED, "tracing": jaeger}}
    assert deployments(released=False, **wanted) == deployments(released=True, **wanted)
