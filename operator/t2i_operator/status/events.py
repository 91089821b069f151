"""Kubernetes Events on the resource: what a person wants to see in `kubectl describe`, once for each change."""

from collections.abc import Iterator
from typing import NamedTuple

from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.kinds import Object
from t2i_operator.status.conditions import Condition

NOTE_BYTES = 1024  # the API server refuses a longer note
_TOLD = ("Accepted", "CredentialsReady", "Progressing", "Stalled", "RouteReady")


class Notice(NamedTuple):
    """One event to post."""

    type: str
    reason: str
    action: str
    note: str


def deeds(outcome: Outcome) -> Iterator[Notice]:
    """Tell what was done."""
    for reason, action, objects in (
        ("Created", "Create", outcome.created),
        ("Updated", "Update", outcome.updated),
        ("Deleted", "Delete", outcome.deleted),
    ):
        if objects:
            yield Notice("Normal", reason, action, f"{reason} {', '.join(str(identity) for identity in objects)}")
    for repaired in outcome.repaired:
        yield Notice("Warning", "Repaired", "Repair", f"Put back what others had changed: {repaired}")


def changes(stored: list[Object], conditions: list[Condition]) -> Iterator[Notice]:
    """Compare with the status that is stored, so that a restart of the operator repeats nothing."""
    before, now = {each["type"]: each for each in stored}, {each.type: each for each in conditions}
    told = set()
    for name in _TOLD:
        condition = now[name]
        bad = condition.holds if name == "Stalled" else condition.status == "False"
        if bad and _differs(before.get(name), condition) and condition.reason not in told:
            told.add(condition.reason)
            yield Notice("Warning", condition.reason, "Reconcile", condition.message)
    ready = now["Ready"]
    if ready.holds and before.get("Ready", {}).get("status") != "True":
        yield Notice("Normal", "Ready", "Reconcile", ready.message)


def _differs(before: Object | None, now: Condition) -> bool:
    return before is None or (before.get("status"), before.get("reason")) != (now.status, now.reason)
