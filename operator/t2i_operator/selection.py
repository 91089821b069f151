"""Whether a Prometheus takes in what the operator makes for it: the commonest reason why there are no metrics."""

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from t2i_operator import naming, spec
from t2i_operator.absences import Absence
from t2i_operator.cluster import ApiError, Cluster
from t2i_operator.kinds import NAMESPACE, PROMETHEUS, PROMETHEUS_RULE, SERVICE_MONITOR, Kind, Object
from t2i_operator.outcome import Verdict

# Other people's objects, which change seldom: read when needed rather than watched, and for all resources at once.
_MAX_AGE_SECONDS = 30.0
# So many of them are read at each look that a thousand cost the API server no more than one request a second.
_NAMESPACES_A_LOOK = 50
_NO_KIND = 404
_FINAL = (403, _NO_KIND)  # no right, or no CRD: what was known before no longer counts
_SELECTORS = {
    SERVICE_MONITOR: ("serviceMonitorSelector", "serviceMonitorNamespaceSelector"),
    PROMETHEUS_RULE: ("ruleSelector", "ruleNamespaceSelector"),
}
_FIELDS = {SERVICE_MONITOR: "spec.monitoring.metrics.labels", PROMETHEUS_RULE: "spec.monitoring.alerts.labels"}


class Prometheus(NamedTuple):
    """One of them, by what it selects."""

    namespace: str
    name: str
    spec: Mapping[str, Any]

    def __str__(self) -> str:
        return f"Prometheus {self.namespace}/{self.name}"


def _asked(resource: spec.TextToImageService, absent: Mapping[Kind, Absence]) -> dict[Kind, dict[str, str]]:
    """Return the labels of those of the two objects that are wanted and that the cluster serves."""
    metrics, alerts = resource.spec.monitoring.metrics, resource.spec.monitoring.alerts
    wanted = {SERVICE_MONITOR: (metrics.mode, metrics.labels), PROMETHEUS_RULE: (alerts.mode, alerts.labels)}
    own = naming.labels(resource.metadata.name)
    return {
        kind: {**labels, **own} for kind, (mode, labels) in wanted.items() if mode == "Managed" and kind not in absent
    }


def unseen(resource: spec.TextToImageService, absent: Mapping[Kind, Absence], error: ApiError) -> dict[Kind, Verdict]:
    """Return the verdicts where nothing can be seen."""
    sentence = f"whether a Prometheus selects it cannot be seen: {error.message}"
    return dict.fromkeys(_asked(resource, absent), Verdict("Unknown", "NotVisible", sentence))


class Selection:
    """Judges ServiceMonitor and PrometheusRule against all Prometheus objects of the cluster.

    What was read for one resource holds for all of them, under the key "" or the namespace's name.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, tuple[float, Any]] = {}
        self._told: dict[str, Any] = {}

    async def judge(self, resource: spec.TextToImageService, absent: Mapping[Kind, Absence]) -> dict[Kind, Verdict]:
        """Return a verdict for each of the two kinds that is wanted and that the cluster serves.

        Raises `ApiError` when nothing is known yet and the API server fails us for a while.
        """
        asked = _asked(resource, absent)
        if not asked:
            return {}
        namespace = resource.metadata.namespace
        try:
            found: list[Prometheus] = await self._recent("")
            told = any(each.spec[where] for each in found for _, where in _SELECTORS.values())
            of_namespace = await self._recent(namespace) if told else {}
        except ApiError as error:
            if error.status == _NO_KIND:
                sentence = f"the cluster knows no {PROMETHEUS.name}: install all CRDs of the Prometheus Operator"
                return dict.fromkeys(asked, Verdict("False", "NotSelected", sentence))
            if error.transient:
                raise
            return unseen(resource, absent, error)
        return {kind: verdict(kind, each, namespace, of_namespace, found) for kind, each in asked.items()}

    async def changed(self, namespaces: Collection[str]) -> set[str]:
        """Read anew what verdicts rest on; return those of the namespaces in which they may be others now."""
        if "" in self._told and await self._is_news(""):
            return set(namespaces)
        for gone in self._told.keys() - {"", *namespaces}:
            del self._told[gone]
        oldest = [key for key in self._told if key][:_NAMESPACES_A_LOOK]
        return {namespace for namespace in oldest if await self._is_news(namespace)}

    async def _is_news(self, key: str) -> bool:
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

    async def _recent(self, key: str) -> Any:
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

    async def _read(self, key: str) -> Any:
        found = await (self._labels(key) if key else self._prometheuses())
        self._known[key] = time.monotonic(), found
        return found

    async def _prometheuses(self) -> list[Prometheus]:
        found = []
        async for page in self._cluster.pages(PROMETHEUS, None, ""):
            for item in page.items:
                live: Object = msgspec.json.decode(item)
                kept = {name: live["spec"].get(name) for pair in _SELECTORS.values() for name in pair}
                found.append(Prometheus(live["metadata"]["namespace"], live["metadata"]["name"], kept))
        return found

    async def _labels(self, namespace: str) -> dict[str, str]:
        live = await self._cluster.get(NAMESPACE, "", namespace, metadata_only=True)
        return dict(live["metadata"].get("labels", {})) if live else {}


def verdict(
    kind: Kind, labels: Mapping[str, str], namespace: str, of_namespace: Mapping[str, str], found: list[Prometheus]
) -> Verdict:
    """Say who selects an object with these labels, or what would have to change for somebody to."""
    if not found:
        return Verdict("False", "NotSelected", "the cluster has no Prometheus object that could select it; make one")
    objects, namespaces = _SELECTORS[kind]
    reasons = []
    for each in found:
        wanted, where = each.spec[objects], each.spec[namespaces]
        looks = matches(where, of_namespace) if where is not None else each.namespace == namespace
        if looks and wanted is not None and matches(wanted, labels):
            return Verdict("True", "Selected", f"{each} selects it")
        if wanted is None:
            reasons.append(f"{each} selects no {kind.name} at all")
        elif not looks:
            reasons.append(f"{each} does not look into this namespace ({namespaces}: {_words(where)})")
        else:
            reasons.append(f"{each} selects {_words(wanted)}: set {_FIELDS[kind]} so")
    return Verdict("False", "NotSelected", "; ".join(reasons))


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Match a LabelSelector; an empty one takes everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions", ()))


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values", ())
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _words(selector: Mapping[str, Any] | None) -> str:
    if selector is None:
        return "its own only"
    equal = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    others = [
        " ".join([each["key"], each["operator"], *([", ".join(each["values"])] if each.get("values") else [])])
        for each in selector.get("matchExpressions", ())
    ]
    return " and ".join([*equal, *others]) or "everything"
