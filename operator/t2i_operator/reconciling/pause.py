"""Looks at the objects of a paused resource, which must not be written: what is missing, and what would be refused."""

from typing import NamedTuple

from t2i_operator import spec
from t2i_operator.builders import strategic
from t2i_operator.known.faults import APPLY_FAILED, MISSING
from t2i_operator.known.identity import identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import Object
from t2i_operator.naming import Key
from t2i_operator.reconciling.objects import Objects
from t2i_operator.reconciling.placement import Placement


class _Checked(NamedTuple):
    """Which spec's pod template was looked at, and why it is refused; "" when it is not."""

    uid: str
    generation: int
    refusal: str


class Pause:
    """Finds without a write what a pass that may write would have met with."""

    def __init__(self, objects: Objects, placement: Placement) -> None:
        self._objects, self._placement = objects, placement
        self._checked: dict[Key, _Checked] = {}

    async def look(self, resource: spec.TextToImageService, wanted: list[Object], outcome: Outcome) -> None:
        """Note in `outcome.faults` which objects are missing or somebody else's; what was edited is meant to be.

        Raises `strategic.InvalidPatchError` when `spec.podTemplate` makes no pod.
        """
        for number, desired in enumerate(wanted, 1):
            identity = identify(desired)
            if self._objects.watched(identity, resource):
                continue
            try:
                live = await self._objects.read(identity, resource)
                if live is not None and await self._objects.is_leaving(live, resource):
                    live = None  # a pause keeps it from going, and ours from being made
                if live is not None:
                    await self._objects.check_owner(live, desired, resource, outcome)
            except ApiError as error:
                outcome.failed(identity, APPLY_FAILED, error)
                if error.server_unavailable:
                    outcome.skip_rest(map(identify, wanted[number:]), error)
                    break
                continue
            if live is None:
                outcome.fault(identity, MISSING, f"{identity} is missing, and spec.paused keeps it from being made")
        await self._check_template(resource, wanted)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource."""
        self._checked.pop(key, None)

    async def _check_template(self, resource: spec.TextToImageService, wanted: list[Object]) -> None:
        """Ask for each generation until there is an answer: a dry run at every look would say the same."""
        metadata = resource.metadata
        key, asked = Key(metadata.namespace, metadata.name), (metadata.uid, metadata.generation)
        known = self._checked.get(key)
        if known is None or (known.uid, known.generation) != asked:
            refusal = await self._refusal(resource, wanted)
            if refusal is None:
                return
            known = self._checked[key] = _Checked(*asked, refusal)
        if known.refusal:
            raise strategic.InvalidPatchError(known.refusal)

    async def _refusal(self, resource: spec.TextToImageService, wanted: list[Object]) -> str | None:
        """Return "" for a template that is accepted, and None while that could not be found out."""
        try:
            return "" if await self._placement.check_template(resource, wanted) else None
        except strategic.InvalidPatchError as error:
            return str(error)
