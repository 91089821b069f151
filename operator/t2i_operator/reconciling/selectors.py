"""Which labels a Prometheus or its like selects, by the rules of the Prometheus Operator, and how to say so."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from t2i_operator import naming
from t2i_operator.known.outcome import Verdict
from t2i_operator.kube.kinds import (
    ALERTMANAGER,
    ALERTMANAGER_CONFIG,
    PROMETHEUS,
    PROMETHEUS_AGENT,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    THANOS_RULER,
    Kind,
)

_MOST_NAMED = 3


class By(NamedTuple):
    """Who select a kind, by which fields of their specs, and the field of ours that would change the outcome."""

    selecting: tuple[Kind, ...]
    objects: str
    namespaces: str
    ours: str


SELECTED = {
    SERVICE_MONITOR: By(
        (PROMETHEUS, PROMETHEUS_AGENT),
        "serviceMonitorSelector",
        "serviceMonitorNamespaceSelector",
        "spec.monitoring.metrics.labels",
    ),
    PROMETHEUS_RULE: By(
        (PROMETHEUS, THANOS_RULER), "ruleSelector", "ruleNamespaceSelector", "spec.monitoring.alerts.labels"
    ),
    ALERTMANAGER_CONFIG: By(
        (ALERTMANAGER,),
        "alertmanagerConfigSelector",
        "alertmanagerConfigNamespaceSelector",
        "spec.monitoring.alerts.labels",
    ),
}


class Selecting(NamedTuple):
    """A Prometheus or another that selects, by those fields of its spec that decide what it takes in.

    `keeps` is how long a Prometheus keeps samples; the remark is on what it will do with an object that it selects.
    """

    kind: Kind
    namespace: str
    name: str
    spec: Mapping[str, Any]
    keeps: str | None = None
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}"


def fields_of(kind: Kind, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return that by which one selects, of its whole spec."""
    return {name: spec.get(name) for by in SELECTED.values() if kind in by.selecting for name in by[1:3]}


def asks_for_labels(found: Sequence[Selecting]) -> bool:
    """Tell whether the labels of namespaces count for any of them."""
    return any(each.spec[by.namespaces] for each in found for by in SELECTED.values() if each.kind in by.selecting)


def verdict(
    kind: Kind, labels: Mapping[str, str], namespace: str, of_namespace: Mapping[str, str], found: Sequence[Selecting]
) -> Verdict:
    """Say who selects an object with these labels, or what would have to change for somebody to.

    Of several the one without a remark is named: what another does with the object takes nothing away from that.
    """
    by = SELECTED[kind]
    if not found:
        sentence = f"the cluster has no {named(by.selecting)} object that could select it; make one"
        return Verdict("False", "NotSelected", sentence)
    looking: list[Selecting] = []
    elsewhere: list[Selecting] = []
    for each in found:
        where = each.spec[by.namespaces]
        looks = matches(where, of_namespace) if where is not None else each.namespace == namespace
        (looking if looks else elsewhere).append(each)
    wanted = ((each, each.spec[by.objects]) for each in looking)
    selecting = [each for each, selector in wanted if selector is not None and matches(selector, labels)]
    if not selecting:
        return Verdict("False", "NotSelected", _why_nobody(kind, labels, looking, elsewhere))
    best = min(selecting, key=lambda each: bool(each.remark))
    return Verdict("True", "Selected", "; ".join(filter(None, [f"{best} selects it", best.remark])))


def _why_nobody(
    kind: Kind, labels: Mapping[str, str], looking: Sequence[Selecting], elsewhere: Sequence[Selecting]
) -> str:
    """Name those that look here, and first whom another label would change; count the rest.

    Who looks elsewhere is no business of this namespace's people, and a long status is cut.
    """
    by = SELECTED[kind]
    asked = looking or elsewhere

    def distance(each: Selecting) -> tuple[bool, bool, bool]:
        selector = each.spec[by.objects]
        return selector is None, bool(_fixed(selector, labels)), each.spec[by.namespaces] is None

    nearest = sorted(asked, key=distance)
    told = [_why_not(kind, each, labels, looks=bool(looking)) for each in nearest[:_MOST_NAMED]]
    counts = {
        "select it either": max(0, len(looking) - _MOST_NAMED),
        "look into this namespace": len(elsewhere) - (0 if looking else len(told)),
    }
    rest = [f"{count} other{' does' if count == 1 else 's do'} not {what}" for what, count in counts.items() if count]
    return "; ".join([*told, *rest])


def _why_not(kind: Kind, each: Selecting, labels: Mapping[str, str], *, looks: bool) -> str:
    _, objects, namespaces, ours = SELECTED[kind]
    if each.spec[objects] is None:
        return f"{each} selects no {kind.name} at all"
    if not looks:
        return f"{each} does not look into this namespace ({namespaces}: {_words(each.spec[namespaces])})"
    said = f"{each} selects only {_words(each.spec[objects])}"
    if fixed := _fixed(each.spec[objects], labels):
        return f"{said}: {ours} cannot change the operator's own {' and '.join(fixed)}; change its {objects}"
    return f"{said}: set {ours} to match"


def _fixed(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> list[str]:
    """Return those of the operator's own labels that it wants otherwise: they win over the spec's."""
    unmet = _unmet(selector or {}, labels)
    return [f"{own}={labels[own]}" for own in naming.labels("") if own in unmet]


def named(kinds: Sequence[Kind]) -> str:
    """Name the kinds, of which any would do."""
    return " or ".join(kind.name for kind in kinds)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Match a LabelSelector; an empty one takes everything."""
    return not _unmet(selector, labels)


def _unmet(selector: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Name the labels that keep it from matching."""
    equal = [key for key, value in selector.get("matchLabels", {}).items() if labels.get(key) != value]
    return equal + [each["key"] for each in selector.get("matchExpressions", ()) if not _holds(each, labels)]


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
