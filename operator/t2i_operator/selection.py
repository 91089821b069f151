"""Whether Prometheus and Alertmanager take in what is made for them: the commonest reason why nothing arrives."""

import time
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from t2i_operator import naming, spec
from t2i_operator.absences import Absence
from t2i_operator.cluster import ApiError, Cluster
from t2i_operator.faults import MONITORING
from t2i_operator.kinds import (
    ALERTMANAGER,
    ALERTMANAGER_CONFIG,
    NAMESPACE,
    PROMETHEUS,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    Kind,
    Object,
)
from t2i_operator.outcome import Outcome, Verdict
from t2i_operator.retention import retention_of, shortfall
from t2i_operator.selectors import SELECTED, Selecting, asks_for_labels, fields_of, verdict

# Other people's objects, which change seldom: read when needed rather than watched, and for all resources at once.
_MAX_AGE_SECONDS = 30.0
# So many of them are read at each look that a thousand cost the API server no more than one request a second.
_NAMESPACES_A_LOOK = 50
_NO_KIND = 404
_FINAL = (403, _NO_KIND)  # no right, or no CRD: what was known before no longer counts
_SELECTING = (PROMETHEUS, ALERTMANAGER)


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


def _not_visible(kind: Kind, error: ApiError) -> Verdict:
    sentence = f"whether {SELECTED[kind].selecting.name} selects it cannot be seen: {error.message}"
    return Verdict("Unknown", "NotVisible", sentence)


class Selection:
    """Judges what has to be selected against all Prometheus and Alertmanager objects of the cluster.

    What was read for one resource holds for all of them, under the kind of those objects or a namespace's name.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
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
                outcome.selected[kind] = _not_visible(kind, error)
                outcome.cannot_judge([MONITORING[kind]], error)

    async def _judge(self, kind: Kind, labels: Mapping[str, str], resource: spec.TextToImageService) -> Verdict:
        who, namespace = SELECTED[kind].selecting, resource.metadata.namespace
        try:
            found: list[Selecting] = await self._recent(who)
            of_namespace = await self._recent(namespace) if asks_for_labels(found) else {}
        except ApiError as error:
            if error.status == _NO_KIND:
                sentence = f"the cluster knows no {who.name}: install all CRDs of the Prometheus Operator"
                return Verdict("False", "NotSelected", sentence)
            if error.transient:
                raise
            return _not_visible(kind, error)
        if kind == PROMETHEUS_RULE:
            found = [each._replace(remark=shortfall(resource, each.keeps)) for each in found]
        return verdict(kind, labels, namespace, of_namespace, found)

    async def changed(self, namespaces: Collection[str]) -> set[str]:
        """Read anew what verdicts rest on; return those of the namespaces in which they may be others now."""
        if any([await self._is_news(kind) for kind in _SELECTING if kind in self._told]):
            return set(namespaces)
        for gone in self._told.keys() - {*_SELECTING, *namespaces}:
            del self._told[gone]
        oldest = [key for key in self._told if isinstance(key, str)][:_NAMESPACES_A_LOOK]
        return {namespace for namespace in oldest if await self._is_news(namespace)}

    async def _is_news(self, key: Kind | str) -> bool:
        before = self._told.pop(key)
        self._told[key] = before  # at the end: the next look begins with others
        try:
            found = await self._read(key)
        except ApiError as error:
            if error.status not in _FINAL:
                return False
            self._known.pop(key, None)
            found = error.status
        self._told[key] = found
        return bool(found != before)

    async def _recent(self, key: Kind | str) -> Any:
        """Return what was read lately: all resources ask the same; and in trouble what was known before."""
        at, known = self._known.get(key, (0.0, None))
        if known is not None and time.monotonic() - at < _MAX_AGE_SECONDS:
            return known
        try:
            known = await self._read(key)
        except ApiError as error:
            if error.status in _FINAL:
                self._told.setdefault(key, error.status)
            if known is None or error.status in _FINAL:
                raise
        self._told.setdefault(key, known)
        return known

    async def _read(self, key: Kind | str) -> Any:
        found = await (self._labels(key) if isinstance(key, str) else self._selecting(key))
        self._known[key] = time.monotonic(), found
        return found

    async def _selecting(self, kind: Kind) -> list[Selecting]:
        found = []
        async for page in self._cluster.pages(kind, None, ""):
            for item in page.items:
                live: Object = msgspec.json.decode(item)
                metadata, fields = live["metadata"], live["spec"]
                keeps = retention_of(fields) if kind == PROMETHEUS else None
                found.append(Selecting(kind, metadata["namespace"], metadata["name"], fields_of(kind, fields), keeps))
        return found

    async def _labels(self, namespace: str) -> dict[str, str]:
        live = await self._cluster.get(NAMESPACE, "", namespace, metadata_only=True)
        return dict(live["metadata"].get("labels", {})) if live else {}
