"""A pod template of Jaeger's that is refused leaves what its pods mount as it is."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, VOLUME_CLAIM

from tests.unit.operator.harness import JAEGER, KEY, Harness
from tests.unit.operator.refusals import READ_ERRORS, Refusing
from tests.unit.operator.resources import UNOBSERVED

DEPLOYED, *_ = JAEGER.values()
TRIAL = DEPLOYED._replace(name=f"{DEPLOYED.name}.trial")
CONFIG = Id(CONFIG_MAP, KEY.namespace, f"{DEPLOYED.name}-config")
REFUSED = ApiError(422, "Invalid", f'Deployment.apps "{TRIAL.name}" is invalid: spec.template.spec.restartPolicy')


def traced(**jaeger: Any) -> Any:
    return {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": jaeger}}}


@pytest.mark.parametrize("error", [REFUSED, READ_ERRORS[0]], ids=["for good", "may pass"])
async def test_its_configuration_waits_for_its_pod(monkeypatch: pytest.MonkeyPatch, error: ApiError) -> None:
    harness = Harness(**traced())
    await harness.look()
    webhook = Refusing(harness, DEPLOYED, TRIAL)
    webhook.error = error
    monkeypatch.setattr(harness.cluster, "apply", webhook.apply)
    harness.cluster.written.clear()
    template = {"spec": {"restartPolicy": "Sometimes"}}
    harness.edit(**traced(storage={"type": "Badger"}, podTemplate=template), logging={"level": "DEBUG"})
    said = await harness.look(error)
    assert said["Ready"].status == "True"
    assert CONFIG not in harness.cluster.written
    assert not [each for each in harness.cluster.written if each.kind == VOLUME_CLAIM]
    assert Id(DEPLOYMENT, *KEY) in harness.cluster.written, "all else is done"
    (fault,) = harness.outcome.faults
    assert fault.identity == DEPLOYED
    assert ".trial" not in fault.message
