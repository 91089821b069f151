"""The guide, word by word: every command as written, on the service that it describes and in its namespace."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from dev.cluster.locks import exclusive
from dev.cluster.network import NODE_IP
from dev.cluster.paths import Layout
from tests.e2e import guide
from tests.e2e.prometheus import Prometheus
from tests.e2e.subject import Subject, until
from tests.fakes.langtrace import FakeLangTrace
from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, FakeReplicate

WAITING = "A command of this checkout is at work on the cluster; the guide waits for it."
APPLY = "kubectl apply -f k8s/eks/"
FORWARD = "kubectl port-forward svc/text-to-image-service 8080:80 -n text-to-image"
FORWARDED = "curl http://localhost:8080/metrics"
FOLLOW = "kubectl logs -f deployment/text-to-image -n text-to-image"
STATUS_PAGE = "curl https://status.replicate.com/"
NOT_RUN = {STATUS_PAGE: "a web site of Replicate's, which says nothing about this project"}

METRICS = (
    r'^http_requests_total\{endpoint="/generate",method="POST",status="200"\} [1-9]',
    r'^http_requests_total\{endpoint="/generate",method="POST",status="502"\} [1-9]',
    r'^http_request_duration_seconds_bucket\{.*endpoint="/generate",.*method="POST".*\} [1-9]',
    r'^http_request_duration_seconds_count\{endpoint="/generate",method="POST"\} [2-9]',
    r"^active_requests 0",
    r'^image_generation_total\{status="success"\} [1-9]',
    r'^image_generation_total\{status="error"\} [1-9]',
    r'^image_generation_duration_seconds_bucket\{le="\+Inf"\} [2-9]',
)
# What a reader looks for in the output of each command.
SHOWN = {
    "kubectl apply -f k8s/eks/monitoring.yaml": (
        r"^namespace/monitoring ",
        r"^prometheus\.monitoring\.coreos\.com/text-to-image (configured|unchanged)$",
        r"^alertmanager\.monitoring\.coreos\.com/text-to-image (configured|unchanged)$",
    ),
    APPLY: (
        r"^prometheus\.monitoring\.coreos\.com/text-to-image (configured|unchanged)$",
        r"^texttoimageservice\.texttoimage\.dev/text-to-image unchanged$",
    ),
    "curl http://your-app-url/metrics": METRICS,
    "curl http://your-app-url/health": (r'"status": ?"ok"',),
    "curl http://your-app-url/info": (r'"name": ?"sdxl","provider": ?"replicate"', r'"version": ?"\d+\.\d+'),
    "kubectl get pods -n text-to-image": (
        r"^text-to-image-\w+-\w+ +1/1 +Running",
        r"^text-to-image-jaeger-\S+ +1/1 +Running",
    ),
    FORWARDED: METRICS,
    "kubectl get servicemonitor -n text-to-image": (r"^text-to-image-monitor ",),
    "kubectl get prometheusrule -n text-to-image": (r"^text-to-image-alerts ",),
    "kubectl get secret text-to-image-secrets -n text-to-image -o yaml": (r"^  LANGTRACE_API_KEY: \w+",),
    "kubectl logs deployment/text-to-image -n text-to-image | grep langtrace": (
        r'"event":"langtrace is on"',
        r'"level":"warning".*"exporter":"langtrace"',
    ),
    "kubectl describe servicemonitor text-to-image-monitor -n text-to-image": (r"Path: +/metrics", r"Port: +http"),
    'kubectl logs deployment/text-to-image -n text-to-image | grep "duration"': (
        r'"event":"Image generation completed".*"duration":\d',
        r'"event":"Image generation failed".*"duration":\d',
    ),
    "kubectl describe pod <pod-name> -n text-to-image": (
        r"^Status: +Running",
        r"REPLICATE_API_TOKEN: +<set to the key 'REPLICATE_API_TOKEN' in secret 'text-to-image-secrets'>",
    ),
    "kubectl top pods -n text-to-image": (
        r"^text-to-image-\w+-\w+ +\d+m +\d+Mi",
        r"^text-to-image-jaeger-\S+ +\d+m +\d+Mi",
    ),
    "kubectl get events -n text-to-image --sort-by='.lastTimestamp'": (r"Normal +Started +pod/text-to-image-",),
}
EXAMPLE = json.loads("".join(guide.lines("json")))


@pytest.fixture(scope="module")
def sample(cluster: Layout, stack: None, kubectl: Callable[..., str]) -> Iterator[Subject]:
    """Put the sample of `make up` back as it was, whatever is made of it, and let no `make up` do so meanwhile."""
    with exclusive(cluster.local / "lock", WAITING):
        yield from borrowed(kubectl)


def borrowed(kubectl: Callable[..., str]) -> Iterator[Subject]:
    subject = Subject(kubectl, "text-to-image", "text-to-image")
    found = subject.resource()
    identity = {key: found["metadata"][key] for key in ("name", "namespace")}
    before = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": identity, "spec": found["spec"]}
    yield subject
    kubectl("replace", "-f", "-", input=json.dumps(before))
    kubectl("delete", "secret", "text-to-image-secrets", "-n", "text-to-image", "--ignore-not-found")
    subject.ready(180)


@pytest.fixture(scope="module")
def service(sample: Subject, kubectl: Callable[..., str], cluster: Layout) -> Iterator[Subject]:
    """Give the service of k8s/eks; what is paid for is a fake, and LangTrace is one that does not know our key.

    The guide's own files and Secret are used as they are. What leads to the fakes is written into the resource before
    them, and stays there because `kubectl apply` leaves alone what it has not set.
    """
    replicate = FakeReplicate()
    with ExitStack() as serve:
        replicate.base_url = serve.enter_context(serving(replicate.app, NODE_IP))
        langtrace = serve.enter_context(serving(FakeLangTrace().app, NODE_IP))
        environment = [{"name": "T2I_REPLICATE_API_URL", "value": replicate.base_url}]
        pods = {"spec": {"containers": [{"name": "text-to-image", "env": environment}]}}
        sample.patch(
            {
                "spec": {
                    "podTemplate": pods,
                    "monitoring": {"langtrace": {"host": langtrace}},
                    "logging": {"level": guide.variables()["LOG_LEVEL"]},
                }
            }
        )
        keys = [f"--from-literal=REPLICATE_API_TOKEN={TOKEN}", "--from-literal=LANGTRACE_API_KEY=revoked-in-langtrace"]
        kubectl("create", "secret", "generic", "text-to-image-secrets", "-n", "text-to-image", *keys)
        guide.Reader(cluster.kubeconfig).run(APPLY)
        sample.ready(180)
        until(lambda: len(service_pods(sample)) == 2, "two pods of the new kind, and none of the old")
        replicate.knobs.outcome = "succeeded"
        for status in (200, 502):
            for pod in service_pods(sample):
                answer = draw(pod)
                assert answer.status_code == status, answer.text
            replicate.knobs.outcome = "failed"
        replicate.knobs.outcome = "succeeded"
        yield sample


@pytest.fixture
def reader(service: Subject, cluster: Layout) -> guide.Reader:
    name = service_pods(service)[0]["metadata"]["name"]
    return guide.Reader(cluster.kubeconfig, {"http://your-app-url": service.url(), "<pod-name>": name})


def service_pods(subject: Subject) -> list[dict[str, Any]]:
    """Return the pods, Jaeger's left out."""
    return [each for each in subject.pods() if each["metadata"]["labels"]["app.kubernetes.io/component"] == "service"]


def draw(pod: dict[str, Any]) -> httpx.Response:
    url = f"http://{pod['status']['podIP']}:8000/generate"
    return httpx.post(url, json={"prompt": "a beautiful sunset", "width": 64, "height": 64}, timeout=60)


def find(patterns: tuple[str, ...], text: str) -> bool:
    missing = [pattern for pattern in patterns if not re.search(pattern, text, re.MULTILINE)]
    assert not missing, f"{missing} not in\n{text[-2000:]}"
    return True


def test_no_command_of_the_guide_is_forgotten() -> None:
    assert {*SHOWN, FOLLOW, FORWARD, *NOT_RUN} == set(guide.commands())


@pytest.mark.parametrize("command", [command for command in SHOWN if command != FORWARDED])
def test_a_command_shows_what_its_reader_looks_for(reader: guide.Reader, command: str) -> None:
    """Usage of a pod is known a little after it starts, and logs and spans are handed on in batches."""
    until(lambda: find(SHOWN[command], reader.run(command)), command, seconds=60)


def test_the_port_that_is_forwarded_shows_the_metrics(reader: guide.Reader) -> None:
    with reader.running(FORWARD) as output:
        until(lambda: find((r"Forwarding from 127.0.0.1:8080",), seen(output)), FORWARD, seconds=30)
        find(METRICS, reader.run(FORWARDED))


def test_the_log_that_is_followed_shows_a_request_with_the_fields_of_the_guide(
    reader: guide.Reader, service: Subject
) -> None:
    with reader.running(FOLLOW) as output:
        until(lambda: started(output), "the lines that are there already", seconds=30)
        answers = [draw(pod).headers["x-request-id"] for pod in service_pods(service)]

        def new() -> list[dict[str, Any]]:
            return [line for line in started(output) if line["request_id"] in answers]

        line = until(new, "the line of a new request", seconds=30)[0]
    assert EXAMPLE.keys() <= line.keys()
    assert {name: line[name] for name in ("level", "logger", "event")} == {
        name: EXAMPLE[name] for name in ("level", "logger", "event")
    }
    assert re.fullmatch(re.sub(r"\d", r"\\d", EXAMPLE["timestamp"]), line["timestamp"])
    assert "a beautiful sunset".startswith(line["prompt"].removesuffix("..."))
    assert type(line["duration"]) is float


def seen(output: Any) -> str:
    output.seek(0)
    text: str = output.read()
    return text


def started(output: Any) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in seen(output).splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in found if line["event"] == EXAMPLE["event"]]


def test_the_variables_of_the_guide_are_those_of_the_pods(reader: guide.Reader, service: Subject) -> None:
    (container,) = service_pods(service)[0]["spec"]["containers"]
    found = {each["name"]: each for each in container["env"]}
    assert guide.variables().keys() <= found.keys()
    for name in ("REPLICATE_API_TOKEN", "LANGTRACE_API_KEY"):
        assert found[name]["valueFrom"]["secretKeyRef"]["name"] == "text-to-image-secrets"
    assert found["OTLP_ENDPOINT"]["value"] == "http://text-to-image-jaeger-collector.text-to-image.svc:4317"
    assert found["LOG_LEVEL"]["value"] == guide.variables()["LOG_LEVEL"]


@pytest.mark.parametrize("selector", guide.lines("prometheus"))
def test_prometheus_answers_the_selectors_of_the_guide(
    reader: guide.Reader, prometheus: Prometheus, selector: str
) -> None:
    """A histogram is asked for its count: under its bare name, Prometheus keeps nothing."""
    asked = re.sub(r"^(\w+_seconds)", r"\1_count", selector)

    def found() -> bool:
        return any(each["metric"].get("namespace") == "text-to-image" for each in prometheus.query(asked))

    until(found, asked, seconds=180)
