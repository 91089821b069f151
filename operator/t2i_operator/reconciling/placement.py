"""Puts a resource's objects into place one after the other; what keeps one from its place does not keep the others."""

from collections.abc import Callable, Container

from t2i_operator import naming, spec
from t2i_operator.builders import strategic
from t2i_operator.known.faults import APPLY_FAILED, CONFLICT, condition_of, jaeger_of
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.targets import target
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE_ACCOUNT, VOLUME_CLAIM, Kind, Object
from t2i_operator.reconciling import volume
from t2i_operator.reconciling.objects import Objects

_MOUNTED = (SERVICE_ACCOUNT, SECRET, CONFIG_MAP, VOLUME_CLAIM)
_LATE_KINDS = 2


class _UnansweredKinds:
    """The kinds that had no answer in time in a pass, perhaps for a webhook that hangs: they alone wait for it.

    Two may be one webhook's, as PrometheusRules and AlertmanagerConfigs are. When a third kind has no answer either,
    the API server is taken to be in trouble as a whole.
    """

    def __init__(self) -> None:
        self._first: dict[Kind, tuple[Id, ApiError]] = {}

    def note_failure(self, identity: Id, error: ApiError) -> bool:
        """Take note of a failure; tell whether the API server is not to be asked for anything more in this pass."""
        if error.timed_out and len(self._first) < _LATE_KINDS:
            self._first[identity.kind] = identity, error
            return False
        return error.server_unavailable or error.timed_out

    def skip(self, identity: Id, outcome: Outcome) -> bool:
        """Tell whether an object would wait for the same webhook, and have the outcome say so."""
        if identity.kind not in self._first:
            return False
        first, error = self._first[identity.kind]
        message = f"{identity} was not tried: {first} had no answer in time; a webhook for its kind may hang"
        if identity == first:
            message = f"{identity}: {error.message}"
        outcome.fault(identity, APPLY_FAILED, message, error)
        return True


class Placement:
    """Goes through all objects in their order, which is that in which pods need them."""

    def __init__(self, cluster: Cluster, objects: Objects) -> None:
        self._cluster, self._objects = cluster, objects

    async def place(
        self, resource: spec.TextToImageService, wanted: list[Object], outcome: Outcome, before: Container[Id]
    ) -> dict[Id, bytes]:
        """Return the fingerprint of each object that is in place; of the others, `outcome.faults` tells.

        What it tells of already is left as it is: what that object is built of could not be read.

        Raises `strategic.InvalidPatchError` before anything is written when `spec.podTemplate` makes no pod.
        """
        unanswered, expected = _UnansweredKinds(), {}
        await self.check_template(resource, wanted, unanswered)
        await self._check_jaeger(resource, wanted, outcome, unanswered)
        left_alone = _left_alone(wanted, resource, outcome)
        for number, desired in enumerate(wanted, 1):
            identity = identify(desired)
            if not self._check_prerequisites(identity, resource, outcome) or identity in left_alone:
                continue
            if not self._objects.in_sync(desired) and unanswered.skip(identity, outcome):
                continue
            try:
                expected[identity] = await self._objects.place(desired, resource, outcome, again=identity in before)
            except ApiError as error:
                volume.add_advice(identity, error)
                outcome.failed(identity, APPLY_FAILED, error)
                if unanswered.note_failure(identity, error):
                    outcome.skip_rest(map(identify, wanted[number:]), error)
                    break
        return expected

    def _check_prerequisites(self, identity: Id, resource: spec.TextToImageService, outcome: Outcome) -> bool:
        """Tell whether what an object stands on, or acts on, is there; the outcome says for what it waits."""
        lacks = lacking(identity, resource, outcome, lambda each: self._objects.owns(each, resource))
        if lacks is None:
            return True
        if not outcome.faults:  # it went this moment: nothing may be pruned on that account
            outcome.waiting = f"{identity} waits for {lacks}"
        return False

    async def check_template(
        self, resource: spec.TextToImageService, wanted: list[Object], unanswered: _UnansweredKinds | None = None
    ) -> bool:
        """Have the API server look at a merged pod template first: a wrong one must leave everything as it is.

        Tells whether that is the last word: False after a failure that may pass. Raises `strategic.InvalidPatchError`
        with the API server's words; writes nothing, a dry run at most.

        Under a name that is nobody's, so that what is refused is the template and not what somebody else did to the
        live object; of anything but the content the apply itself will tell, unless a webhook hangs: it would again.
        """
        deployment = next(desired for desired in wanted if desired["kind"] == DEPLOYMENT.name)
        if not spec.to_wire(resource.spec.pod_template) or self._objects.in_sync(deployment):
            return True
        try:
            await self._try(deployment)
        except ApiError as error:
            if error.refuses_content:
                raise strategic.InvalidPatchError(f"spec.podTemplate: {error.message}") from error
            if error.server_unavailable and not error.timed_out:
                raise
            if unanswered is not None and error.timed_out:
                unanswered.note_failure(identify(deployment), error)
            return not error.transient
        return True

    async def _check_jaeger(
        self, resource: spec.TextToImageService, wanted: list[Object], outcome: Outcome, unanswered: _UnansweredKinds
    ) -> None:
        """Look at Jaeger's template likewise: its configuration is written first, and only its own pod suits that.

        Of a webhook or a policy that refuses the trial the apply itself will tell.
        """
        identity = jaeger_of(resource)
        jaeger = next((desired for desired in wanted if identify(desired) == identity), None)
        if jaeger is None or identity.kind != DEPLOYMENT or any(fault.identity == identity for fault in outcome.faults):
            return
        if not spec.to_wire(resource.spec.monitoring.tracing.jaeger.pod_template) or self._objects.in_sync(jaeger):
            return
        if unanswered.skip(identity, outcome):
            return
        try:
            await self._try(jaeger)
        except ApiError as error:
            if error.refuses_content or error.transient:
                outcome.failed(identity, APPLY_FAILED, error)

    async def _try(self, deployment: Object) -> None:
        """Apply it as a dry run under a name that is nobody's; the error speaks of the Deployment itself."""
        name = deployment["metadata"]["name"]
        trial = naming.trial(name)
        try:
            body = {**deployment, "metadata": {**deployment["metadata"], "name": trial}}
            await self._cluster.apply(DEPLOYMENT, body, dry_run=True)
        except ApiError as error:
            error.message = error.message.replace(trial, name)
            raise


def lacking(identity: Id, resource: spec.TextToImageService, outcome: Outcome, ours: Callable[[Id], bool]) -> Id | None:
    """Return what an object stands on, or acts on, and that is not in its place; None when nothing is missing.

    `ours` tells of an object whether it is the resource's.
    """
    if identity.kind == DEPLOYMENT and (mounted := _lacking_mount(identity, resource, outcome, ours)):
        return mounted
    acts_on = target(identity, resource.metadata.name)
    return None if acts_on is None or ours(acts_on) else acts_on


def _lacking_mount(
    deployment: Id, resource: spec.TextToImageService, outcome: Outcome, ours: Callable[[Id], bool]
) -> Id | None:
    """Pods must neither mount nor run as what somebody else made, nor be rolled for what is not there yet."""
    condition = condition_of(deployment, resource.metadata.name)
    for fault in outcome.of(CONFLICT, APPLY_FAILED, condition=condition):
        if fault.identity.kind in _MOUNTED and not (volume.is_usable(fault) and ours(fault.identity)):
            return fault.identity
    return None


def _left_alone(wanted: list[Object], resource: spec.TextToImageService, outcome: Outcome) -> set[Id]:
    """Return what must not be written: what has a fault, and what a Deployment that has one mounts into its pods.

    Its next pod would else start with half of a change.
    """
    name, unread = resource.metadata.name, {fault.identity for fault in outcome.faults}
    rolled = {condition_of(identity, name) for identity in unread if identity.kind == DEPLOYMENT}
    mounted = [identity for identity in map(identify, wanted) if identity.kind in _MOUNTED]
    return {*unread, *(identity for identity in mounted if condition_of(identity, name) in rolled)}
