"""A pod template of Jaeger's that is refused leaves what its pods mount as it is."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, VOLUME_CLAIM

from tests.unit.operator.passes import KEY, Parts
from tests.unit.operator.resources import UNOBSERVED
from tests.unit.operator.test_refused_route import Refusing
from tests.unit.operator.test_unread import JAEGER, PASSING

DEPLOYED, *_ = JAEGER.values()
TRIAL = DEPLOYED._replace(name=f"{DEPLOYED.name}.trial")
CONFIG = Id(CONFIG_MAP, KEY.namespace, f"{DEPLOYED.name}-config")
REFUSED = ApiError(422, "Invalid", f'Deployment.apps "{TRIAL.name}" is invalid: spec.template.spec.restartPolicy')


def traced(**jaeger: Any) -> Any:
    return {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": jaeger}}}


@pytest.mark.parametrize("error", [REFUSED, PASSING[0]], ids=["for good", "may pass"])
async def test_its_configuration_waits_for_its_pod(monkeypatch: pytest.MonkeyPatch, error: ApiError) -> None:
    parts = Parts(**traced())
    await parts.look()
    webhook = Refusing(parts, DEPLOYED, TRIAL)
    webhook.error = error
    monkeypatch.setattr(parts.cluster, "apply", webhook.apply)
    parts.cluster.written.clear()
    template = {"spec": {"restartPolicy": "Sometimes"}}
    parts.edit(**traced(storage={"type": "Badger"}, podTemplate=template), logging={"level": "DEBUG"})
    said = await parts.look(error)
    assert said["Ready"].status == "True"
    assert CONFIG not in parts.cluster.written
    assert not [each for each in parts.cluster.written if each.kind == VOLUME_CLAIM]
    assert Id(DEPLOYMENT, *KEY) in parts.cluster.written, "all else is done"
    (fault,) = parts.outcome.faults
    assert fault.identity == DEPLOYED
    assert ".trial" not in fault.message
