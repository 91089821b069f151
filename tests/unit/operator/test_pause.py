"""What is said of a paused resource, all of whose objects are left as they are."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import aiohttp
import pytest
from t2i_operator import builders, spec
from t2i_operator.known.cache import Cache
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, SERVICE, SERVICE_MONITOR, Kind, Object
from t2i_operator.naming import FIELD_MANAGER, MANAGED_BY_LABEL, Key
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.settings import read
from t2i_operator.status.conditions import Condition, conditions

from tests.unit.operator.resources import OBSERVED, UNOBSERVED

KEY = Key("studio", "pictures")
SERVING = Id(SERVICE, KEY.namespace, "pictures-service")
DEPLOYED = Id(DEPLOYMENT, KEY.namespace, "pictures")
METRICS = {"monitoring": {**UNOBSERVED, "metrics": {"mode": "Managed"}}}
WRONG = {"podTemplate": {"spec": {"restartPolicy": "Sometimes"}}}
REFUSAL = ApiError(422, "Invalid", 'Deployment "pictures.trial" is invalid: restartPolicy: Unsupported value')
READY = {
    "replicas": 1,
    "updatedReplicas": 1,
    "readyReplicas": 1,
    "availableReplicas": 1,
    "observedGeneration": 1,
}


class Standing(Cluster):
    """Holds objects that nobody writes: a write fails the test, and dry runs are counted."""

    def __init__(self) -> None:
        super().__init__(MagicMock(spec=aiohttp.ClientSession))
        self.live: dict[Id, Object] = {}
        self.refused: dict[Id, ApiError] = {}
        self.template: ApiError | None = None
        self.reads: list[Id] = []
        self.dry_runs = 0

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        identity = Id(kind, namespace, name)
        self.reads.append(identity)
        if identity in self.refused:
            raise self.refused[identity]
        return self.live.get(identity)

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        assert dry_run, body
        self.dry_runs += 1
        if self.template is not None:
            raise self.template
        return body


class Paused:
    """A resource that was in place and ready before it was paused."""

    def __init__(self, **wanted: Any) -> None:
        models = [{"name": "sdxl", "provider": "Sandbox"}]
        metadata: Object = {"name": KEY.name, "namespace": KEY.namespace, "uid": "0f0f", "generation": 1}
        fields = {"replicas": 1, "models": models, "monitoring": UNOBSERVED, **wanted}
        self.body: Object = {"metadata": {**metadata, "resourceVersion": "1"}, "spec": fields}
        self.cluster, self.cache, self.reporter = (
            Standing(),
            Cache(),
            MagicMock(report=AsyncMock(), report_deeds=AsyncMock()),
        )
        before = spec.parse({"metadata": metadata, "spec": {**fields, "podTemplate": {}}})
        for desired in builders.desired(before, OBSERVED):
            self.cluster.live[identify(desired)] = live = {**desired, "metadata": {**desired["metadata"]}}
            live["metadata"] |= {"uid": desired["kind"], "resourceVersion": "1", "generation": 1}
            if desired["kind"] == DEPLOYMENT.name:
                live["status"] = READY
            self.cache.children.observe(identify(desired).kind, live)
        fields["paused"] = True
        self.cache.resources.observe(self.body)
        secrets = MagicMock(versions=AsyncMock(return_value={}))
        settings = read(["--service-image=service:1", "--resync-seconds=600"], {})
        self.reconciler = Reconciler(self.cluster, self.cache, secrets, self.reporter, settings)
        self.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]

    def lose(self, identity: Id) -> None:
        del self.cluster.live[identity]
        self.cache.children.drop(identity)

    def unlabel(self, identity: Id, **status: Any) -> None:
        """Take our label off an object, which its stream shows as its end; `status` is known by a read only."""
        live = self.cluster.live[identity]
        labels = {name: value for name, value in live["metadata"]["labels"].items() if name != MANAGED_BY_LABEL}
        version = str(int(live["metadata"]["resourceVersion"]) + 1)
        live = {**live, "metadata": {**live["metadata"], "labels": labels, "resourceVersion": version}}
        self.cluster.live[identity] = live | ({"status": {**live["status"], **status}} if status else {})
        self.cache.children.forget(identity.kind, live)

    def edit(self, **wanted: Any) -> None:
        metadata = self.body["metadata"]
        version = str(int(metadata["resourceVersion"]) + 1)
        metadata = {**metadata, "generation": metadata["generation"] + 1, "resourceVersion": version}
        self.body = {"metadata": metadata, "spec": {**self.body["spec"], **wanted}}
        self.cache.resources.observe(self.body)

    async def look(self) -> float | None:
        return await self.reconciler.reconcile(KEY)

    @property
    def outcome(self) -> Outcome:
        found: Outcome = self.reporter.report.await_args.args[2]
        return found

    async def said(self) -> dict[str, Condition]:
        await self.look()
        return {each.type: each for each in conditions(self.outcome)}


async def test_all_that_is_there_is_ready_and_costs_a_single_read() -> None:
    paused = Paused(**METRICS)
    assert await paused.look() == 600
    said = {each.type: each for each in conditions(paused.outcome)}
    assert {said[each].status for each in ("Ready", "Accepted", "Progressing", "MetricsReady")} == {"True"}
    assert said["Reconciling"].reason == "Paused"
    assert [each.name for each in paused.cluster.reads] == ["pictures-keys"]
    assert paused.cluster.dry_runs == 0


async def test_what_is_missing_is_named_and_its_event_waited_for() -> None:
    paused = Paused()
    paused.lose(SERVING)
    assert await paused.look() == 600, "not to be asked for again and again"
    said = {each.type: each for each in conditions(paused.outcome)}
    assert said["Progressing"][1:3] == ("False", "Missing")
    assert "Service pictures-service" in said["Progressing"].message
    assert (said["Ready"].reason, said["Available"].status, said["Stalled"].status) == ("Missing", "True", "False")
    assert SERVING not in paused.outcome.objects
    assert DEPLOYED in paused.outcome.objects


async def test_what_an_edit_wants_beside_what_serves_is_named_and_lowers_nothing() -> None:
    paused = Paused()
    paused.lose(Id(CONFIG_MAP, KEY.namespace, "pictures-config"))
    paused.edit(replicas=3)
    said = await paused.said()
    assert {said[each].status for each in ("Ready", "Progressing")} == {"True"}
    assert said["Reconciling"][1:3] == ("False", "Paused")
    assert said["Reconciling"].message.endswith("ConfigMap pictures-config, PodDisruptionBudget pictures")


async def test_what_only_observes_does_not_lower_ready_by_being_missing() -> None:
    paused = Paused(**METRICS)
    paused.lose(Id(SERVICE_MONITOR, KEY.namespace, "pictures-monitor"))
    said = await paused.said()
    assert said["MetricsReady"][1:3] == ("False", "Missing")
    assert said["Ready"].status == "True"


async def test_a_foreign_object_stays_a_conflict() -> None:
    paused = Paused()
    paused.lose(SERVING)
    paused.cluster.live[SERVING] = {"metadata": {"name": SERVING.name, "namespace": SERVING.namespace, "uid": "theirs"}}
    assert await paused.look() == 30, "its going is no event of ours"
    said = {each.type: each for each in conditions(paused.outcome)}
    assert said["Accepted"][1:3] == ("False", "Conflict")
    assert said["Stalled"][1:3] == ("True", "Conflict")
    assert said["Ready"].reason == "Conflict"
    assert said["Reconciling"].reason == "Paused"


async def test_a_pod_template_is_asked_about_once_for_each_generation() -> None:
    paused = Paused(**WRONG)
    paused.cluster.template = REFUSAL
    for _ in range(3):
        said = await paused.said()
        assert said["Accepted"][1:3] == ("False", "InvalidSpec")
        assert "restartPolicy" in said["Accepted"].message
    assert paused.cluster.dry_runs == 1

    paused.edit(podTemplate={"spec": {"restartPolicy": "Always"}})
    paused.cluster.template = None
    for _ in range(3):
        assert (await paused.said())["Accepted"].status == "True"
    assert paused.cluster.dry_runs == 2


async def test_a_refused_template_does_not_hide_what_is_missing() -> None:
    paused = Paused(**WRONG)
    paused.cluster.template = REFUSAL
    paused.lose(SERVING)
    said = await paused.said()
    assert (said["Accepted"].reason, said["Progressing"].reason) == ("InvalidSpec", "Missing")


@pytest.mark.parametrize(
    ("status", "ends"),
    [(503, pytest.raises(ApiError)), (500, nullcontext()), (504, nullcontext()), (401, nullcontext())],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_a_template_that_could_not_be_asked_about_is_asked_about_again(
    status: int, ends: AbstractContextManager[object]
) -> None:
    paused = Paused(**WRONG)
    paused.cluster.template = ApiError(status, "Unknown", "not now")
    with ends:
        await paused.look()
    paused.cluster.template = REFUSAL
    assert (await paused.said())["Accepted"].reason == "InvalidSpec"


async def test_a_policy_that_refuses_the_trial_is_asked_once() -> None:
    paused = Paused(**WRONG)
    paused.cluster.template = ApiError(403, "Forbidden", 'admission webhook "x" denied the request')
    for _ in range(2):
        assert (await paused.said())["Accepted"].status == "True"
    assert paused.cluster.dry_runs == 1


async def test_an_object_that_cannot_be_looked_at_counts_for_its_own_condition() -> None:
    paused, monitor = Paused(**METRICS), Id(SERVICE_MONITOR, KEY.namespace, "pictures-monitor")
    paused.lose(SERVING)
    paused.lose(monitor)
    paused.cluster.refused[monitor] = ApiError(403, "Forbidden", "servicemonitors is forbidden")
    with pytest.raises(ApiError):
        await paused.look()
    said = {each.type: each for each in conditions(paused.outcome)}
    assert (said["MetricsReady"].reason, said["Ready"].reason) == ("ApplyFailed", "Missing")


async def test_a_server_that_does_not_answer_is_asked_for_nothing_more() -> None:
    paused, config = Paused(), Id(CONFIG_MAP, KEY.namespace, "pictures-config")
    paused.lose(config)
    paused.lose(SERVING)
    paused.cluster.refused[config] = ApiError(0, "Unreachable", "no answer in time")
    with pytest.raises(ApiError):
        await paused.look()
    assert SERVING not in paused.cluster.reads
    assert not paused.reporter.report.await_count, "it may pass"


async def test_what_was_edited_during_a_pause_is_meant_to_be() -> None:
    paused = Paused()
    live = paused.cluster.live[DEPLOYED]
    metadata = {**live["metadata"], "resourceVersion": "2"}
    paused.cache.children.observe(
        DEPLOYMENT, {**live, "metadata": metadata, "spec": {**live["spec"], "minReadySeconds": 9}}
    )
    assert (await paused.said())["Ready"].status == "True"


async def test_a_deployment_that_lost_its_label_still_serves() -> None:
    paused = Paused()
    paused.unlabel(DEPLOYED)
    assert await paused.look() == 30, "no event tells what becomes of it"
    said = {each.type: each.status for each in conditions(paused.outcome)}
    assert (said["Available"], said["Ready"]) == ("True", "True")
    assert DEPLOYED in paused.outcome.objects

    paused.unlabel(DEPLOYED, readyReplicas=0, availableReplicas=0)
    assert (await paused.said())["Available"].status == "False"

    paused.lose(DEPLOYED)
    assert (await paused.said())["Progressing"].reason == "Missing"


async def test_an_object_that_lost_its_label_and_went_is_missing() -> None:
    paused = Paused()
    paused.unlabel(SERVING)
    assert (await paused.said())["Ready"].status == "True"
    del paused.cluster.live[SERVING]  # the stream has nothing to say of it
    assert (await paused.said())["Progressing"].reason == "Missing"


@pytest.mark.parametrize(
    "wrong",
    [{"models": "none"}, {"podTemplate": {"spec": {"containers": [{"image": "x"}]}}}],
    ids=["unreadable", "unmergeable"],
)
@pytest.mark.parametrize("is_paused", [True, False], ids=["paused", "running"])
async def test_a_spec_that_is_refused_hides_no_pods(wrong: Object, *, is_paused: bool) -> None:
    paused = Paused()
    paused.unlabel(DEPLOYED)
    paused.edit(**wrong, paused=is_paused)
    said = await paused.said()
    assert (said["Accepted"].reason, said["Available"].status) == ("InvalidSpec", "True")


async def test_a_deployment_that_cannot_be_looked_for_is_waited_for() -> None:
    paused = Paused()
    paused.unlabel(DEPLOYED)
    paused.edit(models="none")
    paused.cluster.refused[DEPLOYED] = ApiError(500, "InternalError", "etcdserver: leader changed")
    with pytest.raises(ApiError):
        await paused.look()
    assert not paused.reporter.report.await_count, "it may pass"


async def test_another_s_deployment_of_that_name_is_not_the_resource_s() -> None:
    paused = Paused()
    paused.lose(DEPLOYED)
    paused.cluster.live[DEPLOYED] = {"metadata": {"name": DEPLOYED.name, "namespace": DEPLOYED.namespace, "uid": "b"}}
    paused.edit(models="none")
    assert (await paused.said())["Available"].message == "there is no Deployment"
