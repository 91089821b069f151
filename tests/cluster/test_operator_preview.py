"""`t2i-operator render` and `t2i-operator diff`: what would be done, seen before it is done, and nothing written."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster.paths import Layout
from tests.cluster.operators import IMAGE, OperatorAccount, Service, writes
from tests.cluster.products import show_dashboards
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

Command = Callable[..., subprocess.CompletedProcess[str]]
_HEADS = ("---", "+++")


@pytest.fixture
def command(operator_account: OperatorAccount) -> Command:
    """Return the command with the rights of the operator that made the objects."""

    def run(*argv: str, image: str = IMAGE, stdin: str = "", kubeconfig: Path | None = None) -> Any:
        environment = {"KUBECONFIG": str(kubeconfig or operator_account.kubeconfig), "PYTHONDONTWRITEBYTECODE": "1"}
        program = [sys.executable, "-m", "t2i_operator", *argv, f"--service-image={image}"]
        if "--class-name" not in " ".join(argv):
            program.append(f"--class-name={operator_account.class_name}")
        return subprocess.run(program, env=environment, input=stdin, text=True, capture_output=True, check=False)  # noqa: S603

    return run


@pytest.fixture
def made(service: Service) -> Service:
    """Return a service whose objects are in place."""
    service.create()
    service.ready()
    return service


def test_a_service_in_order_shows_no_difference(command: Command, made: Service) -> None:
    shown = command("diff", f"{made.namespace}/{made.name}")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "")


def test_another_version_of_the_operator_shows_what_it_would_change_and_writes_nothing(
    command: Command, made: Service, operator_account: OperatorAccount, cluster: Layout
) -> None:
    before = cluster.audit_log.stat().st_size
    shown = command("diff", f"{made.namespace}/{made.name}", image="ghcr.io/text-to-image/service:next")
    assert shown.returncode == 1, shown.stderr
    assert [line for line in shown.stdout.splitlines() if line.startswith("+++ ")] == [
        f"+++ wanted/deployments/{made.namespace}/{made.name}"
    ]
    assert "+        image: ghcr.io/text-to-image/service:next" in shown.stdout
    sent = [
        each for each in writes(cluster.audit_log, operator_account.username, before) if " diff)" in each["userAgent"]
    ]
    assert sent, "the dry runs are in the audit log"
    assert [each for each in sent if "dryRun=All" not in each["requestURI"]] == []


def test_cr_level_diff_of_the_children_shows_what_would_come_and_what_would_go(
    command: Command, made: Service, cluster: Layout
) -> None:
    made.edit(networkPolicy={"mode": "Managed"})
    eventually(lambda: made.child("networkpolicies"), "the NetworkPolicy")
    body = made.live()
    spec = {name: value for name, value in body["spec"].items() if name != "networkPolicy"}
    spec["podDisruptionBudget"] = {"mode": "Managed", "minAvailable": 1}
    wanted = {**body, "metadata": {"name": made.name, "namespace": made.namespace}, "spec": {**spec, "replicas": 2}}
    shown = command("diff", "-f", "-", stdin=json.dumps(wanted), kubeconfig=cluster.kubeconfig)
    assert shown.returncode == 1, shown.stderr
    differences = shown.stdout.split("--- live/")
    assert [each.splitlines()[0].split("/")[0] for each in differences[1:]] == [
        "poddisruptionbudgets",
        "deployments",
        "networkpolicies",
    ]
    budget, _, policy = differences[1:]
    assert not [line for line in budget.splitlines()[3:] if not line.startswith("+")]
    assert not [line for line in policy.splitlines()[3:] if not line.startswith("-")]
    assert made.child("networkpolicies")


def test_a_file_that_names_no_namespace_is_of_the_context_s(
    command: Command, made: Service, cluster: Layout, tmp_path: Path
) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    [context] = config["contexts"]
    context["context"]["namespace"] = made.namespace
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(yaml.safe_dump(config))
    body = {**made.live(), "metadata": {"name": made.name}}
    shown = command("diff", "-f", "-", stdin=json.dumps(body), kubeconfig=kubeconfig)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "")


def test_a_secret_that_an_edit_comes_to_name_is_not_shown_as_deleted(
    command: Command, service: Service, cluster: Layout
) -> None:
    tokens = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens"}, "stringData": {"replicate": "r8"}}
    service.api.create("secrets", service.namespace, tokens)
    service.create(credentials={"replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "replicate"}}})
    service.ready()
    composed, body = f"{service.name}-secrets", service.live()
    assert service.child("secrets", "-secrets")
    body["metadata"] = {"name": service.name, "namespace": service.namespace}
    body["spec"]["credentials"] = {"secretRef": {"name": composed}}
    shown = command("diff", "-f", "-", stdin=json.dumps(body), kubeconfig=cluster.kubeconfig)
    assert shown.returncode == 1, shown.stderr
    assert f"# Secret {composed} would be released: the spec refers to it, and its data stays" in shown.stdout
    assert "--- live/secrets/" not in shown.stdout


def test_a_secret_that_pods_still_read_is_not_shown_as_deleted(
    command: Command, service: Service, cluster: Layout
) -> None:
    data = {"replicate": "r8", "REPLICATE_API_TOKEN": "r8"}
    tokens = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens"}, "stringData": data}
    service.api.create("secrets", service.namespace, tokens)
    service.create(credentials={"replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "replicate"}}})
    service.ready()
    composed, body = f"{service.name}-secrets", service.live()
    body["metadata"] = {"name": service.name, "namespace": service.namespace}
    body["spec"]["credentials"] = {"secretRef": {"name": "tokens"}}
    shown = command("diff", "-f", "-", stdin=json.dumps(body), kubeconfig=cluster.kubeconfig)
    assert shown.returncode == 1, shown.stderr
    assert f"# Secret {composed} would be deleted once no pod of the old template is left" in shown.stdout
    assert "--- live/secrets/" not in shown.stdout


@pytest.mark.usefixtures("grafana")
def test_what_would_be_made_anew_is_shown_as_what_would_then_be_there(
    command: Command, service: Service, cluster: Layout
) -> None:
    dashboards = {"format": "GrafanaDashboard", "instanceSelector": {"matchLabels": {"dashboards": "grafana"}}}
    service.create(monitoring={**UNOBSERVED, "dashboards": dashboards})
    show_dashboards(service)
    body = service.live()
    body["metadata"] = {"name": service.name, "namespace": service.namespace}
    body["spec"]["monitoring"]["dashboards"]["instanceSelector"]["matchLabels"]["dashboards"] = "other"
    shown = command("diff", "-f", "-", stdin=json.dumps(body), kubeconfig=cluster.kubeconfig)

    assert shown.returncode == 1, shown.stderr
    name = f"{service.name}-dashboard-overview"
    assert f"# GrafanaDashboard {name} would be deleted and made anew: spec.instanceSelector is fixed" in shown.stdout
    assert f"+++ wanted/grafanadashboards/{service.namespace}/{name}" in shown.stdout
    lines = [line for line in shown.stdout.splitlines() if line.startswith(("+", "-")) and line[:3] not in _HEADS]
    assert {line[0] + line[1:].strip() for line in lines} == {"-dashboards: grafana", "+dashboards: other"}


def test_cr_level_render_of_the_children_prints_what_is_there_and_no_secret(command: Command, made: Service) -> None:
    shown = command("render", f"{made.namespace}/{made.name}")
    assert shown.returncode == 0, shown.stderr
    objects = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(shown.stdout)}
    assert {("Deployment", made.name), ("Secret", f"{made.name}-keys")} <= objects.keys()
    assert set(objects["Secret", f"{made.name}-keys"]["data"].values()) == {"***"}
    for value in made.child("secrets", "-keys")["data"].values():
        assert value not in shown.stdout


@pytest.mark.parametrize(
    ("argv", "stdin", "sentence"),
    [
        (["diff"], "", "name one resource as NAMESPACE/NAME, or give one file with -f"),
        (["diff", "pictures"], "", "name the resource as NAMESPACE/NAME"),
        (["render", "default/nobody"], "", "there is no TextToImageService nobody in namespace default"),
        (["render", "-f", "-"], "kind: Pod", "has 0 TextToImageServices; exactly one, with a name, is wanted"),
        (["render", "-f", "/nowhere"], "", "/nowhere cannot be read"),
    ],
)
@pytest.mark.usefixtures("crd")
def test_what_cannot_be_shown_is_a_sentence(command: Command, argv: list[str], stdin: str, sentence: str) -> None:
    shown = command(*argv, stdin=stdin)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert sentence in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_spec_that_is_refused_is_refused_in_the_api_server_s_words(
    command: Command, cluster: Layout, crd: str
) -> None:
    body = yaml.safe_dump(
        {
            "apiVersion": "texttoimage.dev/v1alpha1",
            "kind": "TextToImageService",
            "metadata": {"name": "pictures"},
            "spec": {"models": [{"name": "sdxl", "provider": "Sandbox", "weight": 0}]},
        }
    )
    shown = command("render", "-f", "-", stdin=body, kubeconfig=cluster.kubeconfig)
    assert shown.returncode == 2
    assert "at least one model needs a weight above 0" in shown.stderr


def test_another_class_is_somebody_else_s(command: Command, made: Service) -> None:
    shown = command("diff", f"{made.namespace}/{made.name}", "--class-name=other")
    assert shown.returncode == 2
    assert f"--class-name={made.class_name}" in shown.stderr
