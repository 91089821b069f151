"""Argo CD's health check, run by a Lua 5.1 as Argo CD runs it, on one fixture a state."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

SCRIPT = Path(__file__).parents[3] / "manifests/argocd/health.lua"


def resource(ready: str = "Unknown", *, generation: int = 2, paused: bool = False, **others: str) -> dict[str, Any]:
    states = {"Ready": ready, **others}
    conditions = [{"type": kind, "status": state, "message": f"{kind} {state}"} for kind, state in states.items()]
    return {
        "metadata": {"generation": generation},
        "spec": {"paused": paused},
        "status": {"observedGeneration": 2, "conditions": conditions},
    }


STATES = {
    "just made": ({"metadata": {"generation": 1}, "spec": {}}, "Progressing", "not seen this generation"),
    "edited": (resource("True", generation=3), "Progressing", "not seen this generation"),
    "serving": (resource("True", Stalled="False", Reconciling="False"), "Healthy", "Ready True"),
    "rolling out": (resource("False", Stalled="False", Reconciling="True"), "Progressing", "Ready False"),
    "stuck": (resource("False", Stalled="True", Reconciling="False"), "Degraded", "Stalled True"),
    "broken after a rollout": (resource("False", Stalled="False", Reconciling="False"), "Degraded", "Ready False"),
    "paused": (resource("True", Stalled="False", Reconciling="False", paused=True), "Suspended", "paused"),
    "paused and broken": (resource("False", Reconciling="False", paused=True), "Degraded", "Ready False"),
    "no conditions": (
        {"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": 2}},
        "Progressing",
        "has not said Ready",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_health(state: str) -> None:
    body, status, message = STATES[state]
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from(body, recursive=True)

    health = lua.execute(SCRIPT.read_text())

    assert health.status == status
    assert message in health.message
