"""A fire drill: make a service fail on purpose and watch seven alerts fire and reach Alertmanager.

Those of a service that misbehaves are seen to reach a receiver too, and all but that of a budget, which stays spent, to
end. The windows are shortened by the resource's own spec; the programs are the ones that everybody runs.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from dev.cluster import ground
from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import kubectl
from dev.cluster.paths import Layout
from dev.stack.drilled import (
    ABSENT,
    CALM,
    COST,
    DOWN,
    MISBEHAVIOUR,
    NAME,
    SECRET,
    TROUBLE,
    Alert,
    check,
    model,
    resource,
    traffic,
)
from dev.stack.webhook import Webhook, listening

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 300.0


class Drill:
    """One drill in a namespace of its own."""

    def __init__(self, layout: Layout, say: Callable[[str], None], namespace: str = "") -> None:
        self._layout, self._say = layout, say
        self._webhook: Webhook
        self.namespace = namespace or f"drill-{uuid.uuid4().hex[:6]}"

    def run(self) -> None:
        """Go through it; raises UnfitError with what did not happen."""
        ground.need_embedded(self._layout)
        self._need_stack()
        self._kubectl("create", "namespace", self.namespace)
        try:
            with listening() as self._webhook:
                self._drill()
        finally:
            self._kubectl("delete", "namespace", self.namespace, "--wait=false")

    def _need_stack(self) -> None:
        """Look before anything is made: the wait for `Monitored` would end with a sentence about labels."""
        wanted = [f"{program}-text-to-image-0" for program in ("prometheus", "alertmanager")]
        there = self._kubectl("get", "pods", *wanted, "--namespace=monitoring", "--ignore-not-found", "--output=name")
        missing = [name for name in wanted if f"pod/{name}" not in there.split()]
        if missing:
            lacks = " and no ".join(missing)
            raise UnfitError(
                f"The drill needs the monitoring stack, and this cluster has no pod {lacks} in monitoring:"
                " it was brought up with STACK=off, or the stack is not yet in place; run `make up`."
            )

    def _drill(self) -> None:
        self._kubectl("create", "secret", "generic", SECRET, f"--from-literal=url={self._webhook.url}", namespaced=True)
        self._apply(resource(self.namespace))
        self._kubectl("wait", "--for=condition=Monitored", f"t2i/{NAME}", "--timeout=180s", namespaced=True)
        with traffic(self._url()):
            self._until(lambda: self._query("up") == 1.0, "Prometheus to scrape the service")
            self._misbehave()
        self._take_down()
        self._say("What it has cost is recorded every five minutes.")
        self._fires(COST)
        self._hears_that_it_is_over()

    def _misbehave(self) -> None:
        before = self._pods()
        self._say("The sandbox fails half of the generations and takes its time.")
        self._patch({"models": [model(TROUBLE)]})
        self._fires(*MISBEHAVIOUR)
        for name in MISBEHAVIOUR:
            self._tells(name)
        if self._pods() != before:
            raise UnfitError("the drill has rolled the pods; it must only change what the running service re-reads")
        self._say("The sandbox behaves again.")
        self._patch({"models": [model(CALM)]})
        for name in MISBEHAVIOUR:
            self._ends(name)

    def _take_down(self) -> None:
        """Have the operator look away; then let the pods hang, and after that take them away."""
        self._patch({"paused": True})
        paused = """--for=jsonpath={.status.conditions[?(@.type=="Reconciling")].reason}=Paused"""
        self._kubectl("wait", f"t2i/{NAME}", paused, "--timeout=60s", namespaced=True)
        hung = {"containers": [{"name": "text-to-image", "command": ["sleep", "3600"]}]}
        deployment = {"strategy": {"type": "Recreate", "rollingUpdate": None}, "template": {"spec": hung}}
        self._say("The service hangs.")
        self._kubectl("patch", f"deployment/{NAME}", f"--patch={json.dumps({'spec': deployment})}", namespaced=True)
        self._fires(DOWN)
        self._say("The service has gone.")
        self._kubectl("scale", f"deployment/{NAME}", "--replicas=0", namespaced=True)
        self._fires(ABSENT)
        self._ends(DOWN)
        self._say("The operator may look again, and repairs it.")
        self._patch({"paused": False})
        self._ends(ABSENT)

    def _fires(self, *names: str) -> None:
        """Watch them side by side, or one would have gone past its pending state while another is waited for."""
        seen: dict[str, list[str]] = {name: [] for name in names}

        def firing() -> bool:
            alerts = self._alerts(*names)
            for name, states in seen.items():
                now = sorted({alert["state"] for alert in alerts if alert["labels"]["alertname"] == name})
                states.extend(state for state in now if state not in states)
            return all("firing" in states for states in seen.values())

        self._until(firing, f"{', '.join(names)} to fire")
        for name, states in seen.items():
            self._until(partial(self._received, name), f"{name} to reach Alertmanager")
            received = self._received(name)[0]
            check(name, received, self.namespace)
            self._say(f"  {name}: {' → '.join(states)} → Alertmanager ({received['labels']['severity']})")

    def _tells(self, name: str) -> None:
        """Wait for the notification, which comes half a minute after the first alert of its group."""
        self._until(lambda: self._webhook.heard(name, "firing", self.namespace), f"{name} to be told to the receiver")
        check(name, self._webhook.heard(name, "firing", self.namespace)[0], self.namespace)
        self._say(f"  {name}: told to the receiver")

    def _hears_that_it_is_over(self) -> None:
        """Wait for what Alertmanager tells five minutes after the first word of it.

        Not of warnings: while the service is down they are held back, also that they are over.
        """
        for name in MISBEHAVIOUR:
            if self._webhook.heard(name, "firing", self.namespace)[0]["labels"]["severity"] == "critical":
                over = partial(self._webhook.heard, name, "resolved", self.namespace)
                self._until(over, f"the receiver to be told that {name} is over")
                self._say(f"  {name}: told that it is over")

    def _ends(self, name: str) -> None:
        self._until(lambda: not self._alerts(name) and not self._received(name), f"{name} to end")
        self._say(f"  {name}: resolved")

    def _alerts(self, *names: str) -> list[Alert]:
        found: list[Alert] = self._get("prometheus", 9090, "/api/v1/alerts")["data"]["alerts"]
        return [alert for alert in found if self._ours(alert, *names)]

    def _received(self, name: str) -> list[Alert]:
        found: list[Alert] = self._get("alertmanager", 9093, "/api/v2/alerts?active=true")
        return [alert for alert in found if self._ours(alert, name)]

    def _ours(self, alert: Alert, *names: str) -> bool:
        labels = alert["labels"]
        return labels["alertname"] in names and labels.get("namespace") == self.namespace

    def _query(self, metric: str) -> float | None:
        expr = f'max({metric}{{namespace="{self.namespace}",service="{NAME}-service"}})'
        result = self._get("prometheus", 9090, f"/api/v1/query?{httpx.QueryParams(query=expr)}")["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def _get(self, program: str, port: int, path: str) -> Any:
        """Ask through the API server, which every kind of cluster offers."""
        pod = f"/api/v1/namespaces/monitoring/pods/{program}-text-to-image-0:{port}/proxy"
        return json.loads(self._kubectl("get", "--raw", f"{pod}{path}"))

    def _url(self) -> str:
        where = "--output=jsonpath={.spec.clusterIP}"
        return f"http://{self._kubectl('get', f'service/{NAME}-service', where, namespaced=True)}"

    def _pods(self) -> list[str]:
        selector = f"--selector=app.kubernetes.io/instance={NAME}"
        return self._kubectl(
            "get", "pods", selector, "--output=jsonpath={.items[*].metadata.uid}", namespaced=True
        ).split()

    def _patch(self, spec: dict[str, Any]) -> None:
        patch = json.dumps({"spec": spec})
        self._kubectl("patch", f"t2i/{NAME}", "--type=merge", f"--patch={patch}", namespaced=True)

    def _apply(self, body: dict[str, Any]) -> None:
        kubectl(self._layout, "apply", "--server-side", "--filename=-", feed=json.dumps(body))

    def _kubectl(self, *argv: str, namespaced: bool = False) -> str:
        where = (f"--namespace={self.namespace}",) if namespaced else ()
        return kubectl(self._layout, *argv, *where)

    def _until(self, ask: Callable[[], object], what: str) -> None:
        """Ask until it is so; a question that fails, as while a pod is replaced, is asked again."""
        deadline, said = time.monotonic() + PATIENCE_SECONDS, ""
        while True:
            try:
                if ask():
                    return
            except UnfitError as error:
                said = f"; {error}"
            if time.monotonic() > deadline:
                raise UnfitError(f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}{said}")
            time.sleep(1)


def main() -> int:
    """Return 1, after a sentence, when an alert did not do what it is there for."""
    try:
        Drill(Layout.of_this_checkout(), print).run()
    except UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
