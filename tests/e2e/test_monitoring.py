"""The guide's monitoring on the real programs: Prometheus, Alertmanager, Jaeger and metrics-server."""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dev.cluster.network import NODE_IP
from tests.e2e.boards import TOPICS, queries, variables
from tests.e2e.history import Past
from tests.e2e.jaeger import jaeger
from tests.e2e.provider import MODEL, PAID, customer, provider, refuse
from tests.e2e.subject import SANDBOX, Subject, until
from tests.e2e.traffic import Place, drive
from tests.fakes.receivers import SLACK, WEBHOOK, receiving
from tests.kubectl import KubectlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api import Api
    from tests.e2e.prometheus import Prometheus, Result
    from tests.fakes.replicate import FakeReplicate

# What Prometheus may take to learn of targets and rules comes on top of a start.
pytestmark = pytest.mark.timeout(900)

# What the services were like in the weeks before, which a few panels compare with.
A_WEEK = {"requests": 30, "latency": 0.1, "errors": 0.1, "cost": 0.3}
GENERATE = 'http_requests_total{endpoint="/generate"'
# The service's histograms, each of which has exemplars.
HISTOGRAMS = ("http_request_duration_seconds", "image_generation_duration_seconds", "t2i_model_duration_seconds")
ALERTMANAGER = "/api/v1/namespaces/monitoring/pods/alertmanager-text-to-image-0"
# The alerts on a service that is not there.
MISSING = frozenset({"TextToImageDown", "TextToImageAbsent"})


@pytest.fixture(scope="module", autouse=True)
def drilling(request: pytest.FixtureRequest) -> None:
    """Have the drill's minutes pass meanwhile, if its test is to come: all that is asked here is of one namespace."""
    if any("fire_drill" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("fire_drill")


@pytest.fixture(scope="module")
def serve(stack: None, kubectl: Callable[..., str]) -> Iterator[Callable[..., Subject]]:
    """Make services that answer, with their monitoring in place, in namespaces that go with the module."""
    made: list[Subject] = []

    def make(fake: FakeReplicate | None = None, **sandbox: str) -> Subject:
        subject = Subject(kubectl, f"monitoring-{uuid.uuid4().hex[:6]}", "pictures")
        made.append(subject)
        kubectl("create", "namespace", subject.namespace)
        Past(1000, A_WEEK, A_WEEK).lay(subject)
        price = {"price": {"perImage": "0.01"}}
        models = [{"name": "sdxl", "provider": "Sandbox", "sandbox": sandbox} | price]
        spec: dict[str, Any] = {"models": models, "monitoring": {"metrics": {"interval": "5s"}}}
        if fake:
            models.append(MODEL | price)
            spec |= customer(kubectl, subject.namespace, fake)
        subject.apply(spec)
        return subject

    yield make
    for subject in made:
        subject.delete()
        kubectl("delete", "namespace", subject.namespace, "--wait=false")


@pytest.fixture(scope="module")
def failing(serve: Callable[..., Subject]) -> Iterator[Subject]:
    """Give one that fails now and then, as its provider does, and is alerted on through nobody.

    It need not be ready yet; from then on it is asked all the time.
    """
    over = threading.Event()
    with provider() as fake, ThreadPoolExecutor(1) as threads:
        subject = serve(fake, latency="10ms", failureRate="0.4")
        asking = threads.submit(_ask, subject, fake, over)
        yield subject
        over.set()
        asking.result()


def _ask(subject: Subject, fake: FakeReplicate, over: threading.Event) -> None:
    """Ask for pictures of both models and rate them; each time the provider refuses the first that is asked of it."""
    subject.ready()
    place = Place(subject.url())
    while not over.is_set():
        refuse(fake, ["429"], seconds=0.2)
        with contextlib.suppress(httpx.TransportError):
            drive(place, {"sdxl": 1.0, PAID: 0.5}, 4.0, rated=("up",))


@pytest.fixture(scope="module")
def painted(serve: Callable[..., Subject], failing: Subject, prometheus: Prometheus) -> Subject:
    """Give one that never fails. From its apply to the first scrape it may be three minutes, the bar.

    The one that fails begins before it, so that five minutes of that, by the clock, are summed while others are tested.
    """
    subject = serve(latency="10ms")
    until(lambda: prometheus.query(f"{_up(subject)} == 1"), "the target to be up", seconds=180)
    subject.ready()
    subject.wait("Monitored", "True", seconds=120)
    return subject


def test_the_guide_s_metric_comes_back_under_its_own_label(painted: Subject, prometheus: Prometheus) -> None:
    selector = f'{GENERATE},namespace="{painted.namespace}",status="200"}}'
    for number in range(7):
        assert painted.generate(f"a lighthouse, {number}", width=64, height=64).status_code == 200
    found = until(
        lambda: [each for each in prometheus.query(selector) if each["value"][1] == "7"], "seven requests", 60
    )
    assert found[0]["metric"]["endpoint"] == "/generate"
    assert "exported_endpoint" not in found[0]["metric"]


def test_an_exemplar_leads_to_the_trace_of_its_request(painted: Subject, prometheus: Prometheus) -> None:
    sent = painted.generate("a harbour", width=64, height=64)
    request_id = sent.headers["x-request-id"]

    def exemplars() -> set[str]:
        """Return the trace's id, once every histogram has it."""
        found = {}
        for histogram in HISTOGRAMS:
            labels = prometheus.exemplars(f'{histogram}_bucket{{namespace="{painted.namespace}"}}')
            found[histogram] = {each["trace_id"] for each in labels if each.get("request_id") == request_id}
        assert all(found.values()), found
        return set().union(*found.values())

    (trace_id,) = until(exemplars, "the exemplars", seconds=180)

    def kept() -> tuple[Any, Any]:
        """Return both spans: they may have been sent apart."""
        trace = jaeger(painted, f"traces/{trace_id}")[0]
        spans = {span["operationName"]: span for span in trace["spans"]}
        return spans["generate_image"], spans["sandbox_sdxl"]

    root, model = until(kept, "the trace", seconds=60)
    tags = {tag["key"]: tag["value"] for tag in root["tags"]}
    assert not root["references"]
    assert model["references"][0]["spanID"] == root["spanID"]
    assert tags["request_id"] == request_id
    assert {"prompt", "model", "duration", "status"} <= tags.keys()


def test_spans_become_metrics_that_prometheus_has(painted: Subject, prometheus: Prometheus) -> None:
    painted.generate("a mill", width=64, height=64)
    mine = f'namespace="{painted.namespace}",service_name="{painted.name}"'
    calls = f'traces_span_metrics_calls_total{{{mine},span_name="generate_image"}} > 0'
    found = until(lambda: prometheus.query(calls), "span metrics", seconds=180)
    assert not any(label.startswith(("otel_scope", "exported")) for label in found[0]["metric"])


def test_an_exemplar_of_the_span_metrics_leads_to_a_trace(painted: Subject, prometheus: Prometheus) -> None:
    """Take any of those that Grafana gets for the panel: of the spans of 15 s Jaeger keeps a few."""
    (slow,) = [query.expr for query in queries(painted, "traces") if query.title == "Slow steps"]
    painted.generate("a pier", width=64, height=64)
    shown = until(lambda: prometheus.exemplars(slow), "an exemplar", seconds=180)[-1]
    trace = until(lambda: jaeger(painted, f"traces/{shown['trace_id']}"), "the trace", seconds=60)[0]
    assert shown["span_id"] in {span["spanID"] for span in trace["spans"]}


@pytest.mark.parametrize("topic", TOPICS)
def test_every_variable_of_a_dashboard_offers_this_service(
    painted: Subject, failing: Subject, prometheus: Prometheus, topic: str
) -> None:
    """Ask as Grafana does; that the series are asked for, too, is seen by what they say of another service."""
    failing.ready()
    asked = variables(failing, topic)
    assert {"namespace", "service"} <= {variable.name for variable in asked}

    def offered() -> dict[str, set[str]]:
        found = {
            variable.name: variable.offered(sample["metric"] for sample in prometheus.query(variable.expr))
            for variable in asked
        }
        assert [variable for variable in asked if variable.chosen not in found[variable.name]] == []
        return found

    assert painted.namespace in until(offered, "its series", seconds=180)["namespace"]


def test_a_rule_speaks_and_hears_of_its_own_namespace_only(
    painted: Subject, api: Api, namespace: str, prometheus: Prometheus
) -> None:
    """What speaks is evaluated last: when it is there, what listens would be."""
    other = f'namespace="{painted.namespace}"'
    until(lambda: prometheus.query(f"up{{{other}}}"), "something to be overheard")
    rules = [
        {"record": "overheard", "expr": f"count(up{{{other}}})"},
        {"record": "spoken", "expr": "vector(1)", "labels": {"namespace": painted.namespace}},
    ]
    body = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "curious"},
        "spec": {"groups": [{"name": f"{namespace}.curious", "interval": "5s", "rules": rules}]},
    }
    api.create("prometheusrules", namespace, body)
    until(lambda: prometheus.query(f'spoken{{namespace="{namespace}"}}'), "the rule to speak", seconds=180)
    assert prometheus.query(f"spoken{{{other}}}") == []
    assert prometheus.query("overheard") == []


@pytest.fixture
def stopped(painted: Subject, prometheus: Prometheus) -> Iterator[float]:
    """Take away the pods of a service whose alerts are loaded; return since when none is scraped. They come back."""
    until(lambda: _alerts(prometheus, painted).keys() >= MISSING, "the alerts", seconds=300)
    painted.kubectl("scale", "t2i", painted.name, "--replicas=0", "-n", painted.namespace)
    until(lambda: not prometheus.query(_up(painted)), "the target to go", seconds=180)
    yield time.time()
    painted.kubectl("scale", "t2i", painted.name, "--replicas=1", "-n", painted.namespace)
    painted.ready()


def test_at_no_replicas_a_service_is_not_missed(painted: Subject, stopped: float, prometheus: Prometheus) -> None:
    """Wait until all that is alerted on has been evaluated without the target, and nothing is left that would fire."""

    def evaluated() -> bool:
        alerts = _alerts(prometheus, painted)
        assert alerts, "no alert of ours"
        assert not alerts.keys() & MISSING
        return all(datetime.fromisoformat(each["lastEvaluation"]).timestamp() > stopped for each in alerts.values())

    until(evaluated, "an evaluation", seconds=180)
    mine = f'namespace="{painted.namespace}",alertname=~"{"|".join(sorted(MISSING))}",alertstate="firing"'
    assert prometheus.query(f"count_over_time(ALERTS{{{mine}}}[{math.ceil(time.time() - stopped)}s])") == []


def test_receivers_arrive_in_the_running_alertmanager(
    stack: None, subject: Subject, kubectl: Callable[..., str]
) -> None:
    """Those that can be had here hear of an alert; PagerDuty and a mail server with TLS are in its configuration."""
    with receiving(NODE_IP) as heard:
        secret = {"chat": f"{heard.url}{SLACK}", "hook": f"{heard.url}{WEBHOOK}", "key": "0123456789abcdef" * 2}
        literals = [f"--from-literal={name}={value}" for name, value in secret.items()]
        kubectl("create", "secret", "generic", "hooks", "-n", subject.namespace, *literals)
        chat, hook, key = ({"secretKeyRef": {"name": "hooks", "key": name}} for name in secret)
        server = {"from": "alerts@example.com", "smarthost": "127.0.0.1:9", "authUsername": "alerts"}
        receivers = {
            "chat": {"slack": {"apiURL": chat}},
            "pager": {"pagerduty": {"routingKey": key}, "minimumSeverity": "Critical"},
            "mail": {"email": {"to": "team@example.com", **server, "authPassword": key}},
            "hook": {"webhook": {"url": hook}, "sendResolved": False},
        }
        alerts = {"receivers": [{"name": name, **receiver} for name, receiver in receivers.items()]}
        subject.apply(SANDBOX | {"replicas": 0, "monitoring": {"tracing": {"mode": "Disabled"}, "alerts": alerts}})

        def configured() -> bool:
            text = json.loads(kubectl("get", "--raw", f"{ALERTMANAGER}:9093/proxy/api/v2/status"))["config"]["original"]
            wanted = [f"{subject.namespace}/{subject.name}-alerts/{name}" for name in receivers]
            return all(name in text for name in wanted)

        until(configured, "Alertmanager to reload", seconds=180)
        address = json.loads(kubectl("get", "--raw", ALERTMANAGER))["status"]["podIP"]
        labels = {"alertname": "HighErrorRate", "severity": "critical", "namespace": subject.namespace}
        told = {"labels": labels | {"service": f"{subject.name}-service"}, "annotations": {"summary": "it burns"}}
        httpx.post(f"http://{address}:9093/api/v2/alerts", json=[told], timeout=10).raise_for_status()
        until(lambda: heard.messages and heard.calls, "Slack and the webhook to hear of it", seconds=120)
        assert "it burns" in json.dumps(heard.messages[0])
        assert heard.calls[0]["alerts"][0]["labels"] == told["labels"]


def test_kubectl_top_shows_the_pods(painted: Subject, kubectl: Callable[..., str]) -> None:
    shown = until(lambda: _top(kubectl, painted.namespace), "metrics of the pods", seconds=120)
    assert re.search(rf"{painted.name}-\S+\s+\d+m\s+\d+Mi", shown)


def test_the_guide_s_commands_find_the_monitors_and_the_rules(painted: Subject, kubectl: Callable[..., str]) -> None:
    assert f"{painted.name}-monitor" in kubectl("get", "servicemonitor", "-n", painted.namespace)
    assert f"{painted.name}-alerts" in kubectl("get", "prometheusrule", "-n", painted.namespace)
    described = kubectl("describe", "servicemonitor", f"{painted.name}-monitor", "-n", painted.namespace)
    assert "/metrics" in described


@pytest.mark.parametrize("topic", TOPICS)
def test_no_panel_of_a_dashboard_is_without_data(failing: Subject, prometheus: Prometheus, topic: str) -> None:
    failing.ready()
    asked = queries(failing, topic)
    assert asked

    def filled() -> bool:
        assert [query[1:3] for query in asked if not _told(prometheus.query(query.expr))] == []
        return True

    until(filled, f"data in {topic}", seconds=480)  # sums of five minutes, by the clock, are the last to come


def test_every_rule_is_evaluated_without_an_error(painted: Subject, failing: Subject, prometheus: Prometheus) -> None:
    """Wait for all but the hourly ones. At the end of this module those of five minutes have been evaluated already."""
    prefixes = [f"{subject.namespace}.{subject.name}." for subject in (painted, failing)]

    def groups() -> list[dict[str, Any]]:
        found = prometheus.get("rules")["groups"]
        mine = [[each for each in found if each["name"].startswith(prefix)] for prefix in prefixes]
        assert all(mine), "no group of one of the two yet"
        both = [*mine[0], *mine[1]]
        assert all(rule["health"] != "unknown" for each in both for rule in each["rules"] if each["interval"] <= 300)
        return both

    for group in until(groups, "the rules", seconds=480):
        assert [(rule["name"], rule.get("lastError")) for rule in group["rules"] if rule["health"] == "err"] == []


def _up(subject: Subject) -> str:
    return f'up{{namespace="{subject.namespace}",service="{subject.name}-service"}}'


def _alerts(prometheus: Prometheus, subject: Subject) -> dict[str, dict[str, Any]]:
    """Return a service's alerts that Prometheus has loaded, by name, without those on trends."""
    groups = prometheus.get("rules", type="alert")["groups"]
    mine = [each for each in groups if each["name"] == f"{subject.namespace}.{subject.name}.alerts"]
    return {rule["name"]: rule for each in mine for rule in each["rules"]}


def _told(result: list[Result]) -> bool:
    """Tell whether there is a number: a share of no requests is none."""
    return any(not math.isnan(float(series["value"][1])) for series in result)


def _top(kubectl: Callable[..., str], namespace: str) -> str | None:
    try:
        return kubectl("top", "pods", "-n", namespace)
    except KubectlError:
        return None
