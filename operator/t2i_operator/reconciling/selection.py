"""Whether Prometheus, Alertmanager and their like take in what is theirs: the commonest reason why nothing arrives."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from t2i_operator import naming, spec
from t2i_operator.known.faults import MONITORING
from t2i_operator.known.outcome import Outcome, Verdict
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    NAMESPACE,
    PROMETHEUS,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    Kind,
)
from t2i_operator.reconciling.retention import retention_of, shortfall
from t2i_operator.reconciling.selectors import SELECTED, Selecting, asks_for_labels, fields_of, named, verdict

# Other people's objects, which change seldom: read when needed rather than watched, and for all resources at once.
_MAX_AGE_SECONDS = 30.0
# So many of them are read at each look that a thousand cost the API server no more than one request a second.
_NAMESPACES_A_LOOK = 50
_SELECTING = tuple(dict.fromkeys(kind for by in SELECTED.values() for kind in by.selecting))


def _asked(resource: spec.TextToImageService, absent: Mapping[Kind, Absence]) -> dict[Kind, dict[str, str]]:
    """Return the labels of those objects that somebody has to select, that are wanted and that the cluster serves."""
    metrics, alerts = resource.spec.monitoring.metrics, resource.spec.monitoring.alerts
    ruled = alerts.mode == "Managed"
    wanted = {
        SERVICE_MONITOR: (metrics.mode == "Managed", metrics.labels),
        PROMETHEUS_RULE: (ruled, alerts.labels),
        ALERTMANAGER_CONFIG: (ruled and bool(alerts.receivers), alerts.labels),
    }
    own = naming.labels(resource.metadata.name)
    return {kind: {**labels, **own} for kind, (asked, labels) in wanted.items() if asked and kind not in absent}


class _View(NamedTuple):
    """Those of a kind that can be seen, and why not all of the cluster's can."""

    found: list[Selecting]
    unseen: ApiError | None = None


def _not_visible(who: Sequence[Kind], error: ApiError, beside: str = "") -> Verdict:
    sentence = f"whether any {named(who)} selects it cannot be seen: {error.message}"
    return Verdict("Unknown", "NotVisible", "; ".join(filter(None, [sentence, beside])))


class Selection:
    """Judges what has to be selected against all objects of the cluster that select its kind.

    Without the right to list them all, those of the namespaces that the operator is confined to count: one of them that
    selects is enough, and where none does another may.

    What was read for one resource holds for all of them, under the kind of those objects or a namespace's name.
    """

    def __init__(self, cluster: Cluster, namespaces: Sequence[str] = ()) -> None:
        self._cluster, self._namespaces = cluster, namespaces
        self._known: dict[Kind | str, tuple[float, Any]] = {}
        self._told: dict[Kind | str, Any] = {}

    async def judge(self, resource: spec.TextToImageService, outcome: Outcome) -> None:
        """Enter a verdict for each object that is wanted and whose kind the cluster serves.

        Where nothing is known yet and the API server fails us for a while, that object's condition alone has to wait.
        """
        for kind, labels in _asked(resource, outcome.absent).items():
            try:
                outcome.selected[kind] = await self._judge(kind, labels, resource)
            except ApiError as error:
                outcome.selected[kind] = _not_visible(SELECTED[kind].selecting, error)
                outcome.cannot_judge([MONITORING[kind]], error)

    async def _judge(self, kind: Kind, labels: Mapping[str, str], resource: spec.TextToImageService) -> Verdict:
        """Ask all kinds that select: what cannot be seen counts only if nothing that is seen selects it."""
        who = SELECTED[kind].selecting
        found: list[Selecting] = []
        refused: dict[Kind, ApiError] = {}
        for each in who:
            try:
                view = await self._recent(each)
            except ApiError as error:
                view = _View([], error)
            found += view.found
            if view.unseen is not None:
                refused[each] = view.unseen
        unseen = {each: error for each, error in refused.items() if not error.is_not_found}
        if len(refused) == len(who) and not unseen:
            sentence = f"the cluster knows no {named(who)}: install all CRDs of the Prometheus Operator"
            return Verdict("False", "NotSelected", sentence)
        said = await self._verdict(kind, labels, resource, found)
        if said.status == "True" or not unseen:
            return said
        passing = next((error for error in unseen.values() if error.transient), None)
        if passing is not None:
            raise passing
        return _not_visible(list(unseen), next(iter(unseen.values())), said.message if found else "")

    async def _verdict(
        self, kind: Kind, labels: Mapping[str, str], resource: spec.TextToImageService, found: list[Selecting]
    ) -> Verdict:
        namespace = resource.metadata.namespace
        try:
            of_namespace = await self._recent(namespace) if asks_for_labels(found) else {}
        except ApiError as error:
            if error.transient:
                raise
            return _not_visible(SELECTED[kind].selecting, error)
        if kind == PROMETHEUS_RULE:
            found = [each._replace(remark=shortfall(resource, each.keeps)) for each in found]
        return verdict(kind, labels, namespace, of_namespace, found)

    async def changed(self, namespaces: Collection[str]) -> set[str]:
        """Read anew what verdicts rest on; return those of the namespaces in which they may be others now."""
        if any([await self._is_news(kind) for kind in _SELECTING if kind in self._told]):
            return set(namespaces)
        for known in (self._told, self._known):
            for gone in known.keys() - {*_SELECTING, *namespaces}:
                del known[gone]
        oldest = [key for key in self._told if isinstance(key, str)][:_NAMESPACES_A_LOOK]
        return {namespace for namespace in oldest if await self._is_news(namespace)}

    async def _is_news(self, key: Kind | str) -> bool:
        before = self._told.pop(key)
        self._told[key] = before  # at the end: the next look begins with others
        try:
            found = _compared(await self._read(key))
        except ApiError:
            return False
        self._told[key] = found
        return bool(found != before)

    async def _recent(self, key: Kind | str) -> Any:
        """Return what was read lately: all resources ask the same; and in trouble what was known before."""
        at, known = self._known.get(key, (0.0, None))
        if known is None or time.monotonic() - at >= _MAX_AGE_SECONDS:
            try:
                known = await self._read(key)
            except ApiError:
                if known is None:
                    raise
        self._told.setdefault(key, _compared(known))
        if isinstance(known, ApiError):
            raise known.with_traceback(None)  # it would grow with every resource that asks
        return known

    async def _read(self, key: Kind | str) -> Any:
        """Return what is there, or a refusal that is as good as an answer.

        What trouble leaves of the namespaces is less than what was known of all of them, which it does not replace.
        """
        found: Any
        try:
            found = await (self._labels(key) if isinstance(key, str) else self._selecting(key))
        except ApiError as error:
            # No right, or no CRD; of a Namespace it is but a proxy that says so, for one that is gone has no labels.
            if not (error.is_forbidden or (error.is_not_found and not isinstance(key, str))):
                raise
            found = error
        _, before = self._known.get(key, (0.0, found))
        trouble = _trouble(found)
        if trouble is not None and _trouble(before) is None:
            raise trouble
        self._known[key] = time.monotonic(), found
        return found

    async def _selecting(self, kind: Kind) -> _View:
        try:
            return _View(await self._list(kind, None))
        except ApiError as error:
            if not error.is_forbidden:
                raise
            return await self._confined(kind, error)

    async def _confined(self, kind: Kind, refusal: ApiError) -> _View:
        """Look into those namespaces that may be looked into; that there is no such kind is said only there.

        One in trouble takes nothing away from what the others show.
        """
        found: list[Selecting] = []
        unseen = refusal
        for namespace in self._namespaces:
            try:
                found += await self._list(kind, namespace)
            except ApiError as error:
                if error.is_not_found:
                    raise
                unseen = unseen if error.is_forbidden else error
                if error.server_unavailable:
                    break
        return _View(found, unseen.with_traceback(None))

    async def _list(self, kind: Kind, namespace: str | None) -> list[Selecting]:
        found = []
        async for page in self._cluster.pages(kind, namespace, ""):
            for live in page.objects():
                metadata, fields = live["metadata"], live["spec"]
                keeps = retention_of(fields) if kind == PROMETHEUS else None
                found.append(Selecting(kind, metadata["namespace"], metadata["name"], fields_of(kind, fields), keeps))
        return found

    async def _labels(self, namespace: str) -> dict[str, str]:
        live = await self._cluster.get(NAMESPACE, "", namespace, metadata_only=True)
        return dict(live["metadata"].get("labels", {})) if live else {}


def _trouble(known: Any) -> ApiError | None:
    unseen = known.unseen if isinstance(known, _View) else None
    return unseen if unseen is not None and not unseen.is_forbidden else None


def _compared(known: Any) -> Any:
    if isinstance(known, _View):
        return known.found, known.unseen and known.unseen.status
    return known.status if isinstance(known, ApiError) else known
