"""The Helm chart, rendered by the real Helm: it installs what kustomize does, and fits its rights to its namespaces."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api import Api
from tests.cluster.rights import granted
from tests.installed import leads, only, settings
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1500)  # a cold build of Helm takes some minutes on two cores

Object = dict[str, Any]
Render = Callable[..., dict[tuple[str, str], Object]]
CHART = "manifests/helm"
NEEDED = ("patch deployments apps", "watch secrets", "patch texttoimageservices/status texttoimage.dev")


def by_kind(text: str) -> dict[tuple[str, str], Object]:
    found = [body for body in yaml.safe_load_all(text) if body]
    return {(body["kind"], body["metadata"]["name"]): body for body in found}


@pytest.fixture
def template(helm: Callable[..., str]) -> Callable[..., str]:
    """Return the text of a release."""

    def run(namespace: str, *settings: str) -> str:
        argv = ("template", "release", CHART, f"--namespace={namespace}", "--kube-version=1.37.2")
        return helm(*argv, *(f"--set={each}" for each in settings))

    return run


@pytest.fixture
def render(template: Callable[..., str]) -> Render:
    """Return the objects of a release."""
    return lambda *release: by_kind(template(*release))


def test_it_installs_what_kustomize_installs(render: Render, kubectl: Callable[..., str], checkout: Path) -> None:
    ours = by_kind(kubectl("kustomize", str(checkout / "manifests/base")))
    del ours["Namespace", "text-to-image-system"]  # Helm's own --create-namespace
    charted = render("text-to-image-system")

    assert charted.keys() == ours.keys()
    for identity, body in ours.items():
        assert stripped(charted[identity]) == stripped(body), identity


def stripped(body: Object) -> Object:
    """Leave labels out: each tool has its own."""
    text = json.dumps({**body, "metadata": {"name": body["metadata"]["name"]}}, sort_keys=True)
    copy: Object = json.loads(text)
    if copy["kind"] == "Deployment":
        del copy["spec"]["selector"], copy["spec"]["template"]["metadata"]
    return copy


def test_everything_for_a_list_of_namespaces_is_accepted_and_no_right_goes_further(
    template: Callable[..., str], kubectl: Callable[..., str], api: Api, namespace: str, shared_namespace: str
) -> None:
    class_name = f"of-{namespace[-6:]}"  # the six alone may be digits, and --set takes those for a number
    served = (namespace, shared_namespace)
    values = (f"namespaces={{{','.join(served)}}}", f"className={class_name}", "replicas=2", "monitoring.enabled=true")
    text = template(namespace, *values, "userRoles.create=false", "jaegerImage=jaeger:1", "logLevel=DEBUG")
    objects = [body for body in yaml.safe_load_all(text) if body]

    assert not [body for body in objects if body["kind"].startswith("Cluster")]
    assert settings(objects).namespaces == served
    monitoring = ("ServiceMonitor", "PrometheusRule")  # of another product's CRDs, and applied by the end-to-end tests
    assert all(only(objects, kind)["metadata"]["name"] == "text-to-image-operator" for kind in monitoring)
    only(objects, "Deployment")["spec"]["replicas"] = 0
    for body in objects:
        if body["kind"] not in monitoring:
            argv = ("apply", "--server-side", "--warnings-as-errors", "--filename=-")
            kubectl(*argv, input=json.dumps(body))
    account = f"system:serviceaccount:{namespace}:text-to-image-operator-{class_name}"
    rights = {where: list(NEEDED) for where in served}
    eventually(lambda: {where: granted(api, account, where, NEEDED) for where in served} == rights, "the rights")
    assert not granted(api, account, "default", NEEDED)


@pytest.mark.parametrize("grafana", ["", "https://grafana.example.com", "https://example.com/grafana/"])
def test_alerts_on_the_operator_lead_to_its_dashboard_where_grafana_is(render: Render, grafana: str) -> None:
    objects = render("here", "monitoring.enabled=true", f"monitoring.grafanaURL={grafana}")
    (group,) = objects["PrometheusRule", "text-to-image-operator"]["spec"]["groups"]
    dashboard = json.loads(
        objects["ConfigMap", "text-to-image-operator-dashboard"]["data"]["text-to-image-operator.json"]
    )
    links = {rule["annotations"]["dashboard_url"] for rule in group["rules"]}
    shown = f"{grafana.rstrip('/')}/d/{dashboard['uid']}?var-namespace="
    assert links == {f"{shown}{namespace}" for namespace in ("here", "{{ $labels.namespace }}")}


def test_a_value_that_does_not_exist_is_refused_by_name(render: Render) -> None:
    with pytest.raises(AssertionError, match="additional properties 'replicaz' not allowed"):
        render("default", "replicaz=2")


@pytest.mark.parametrize("values", [(), ("className=red",), ("className=red", "namespaces={a,b}")], ids=", ".join)
def test_the_operator_may_have_the_lease_that_it_asks_for(render: Render, values: tuple[str, ...]) -> None:
    assert leads(list(render("here", *values).values()))


def test_a_variable_that_goes_round_a_value_is_refused_by_name(render: Render) -> None:
    variable = ("env[0].name=T2I_OPERATOR_CLASS_NAME", "env[0].value=red")
    with pytest.raises(
        AssertionError, match="set the value className in place of the variable T2I_OPERATOR_CLASS_NAME"
    ):
        render("here", *variable)


def operator(objects: dict[tuple[str, str], Object]) -> tuple[Object, Object]:
    """Return the pod and its container."""
    pod = objects["Deployment", "text-to-image-operator"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def test_both_images_are_those_of_the_chart_s_version(helm: Callable[..., str], checkout: Path, tmp_path: Path) -> None:
    chart = shutil.copytree(checkout / CHART, tmp_path / "chart")
    description = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**description, "appVersion": "9.8.7"}))
    _, container = operator(by_kind(helm("template", "release", str(chart), "--kube-version=1.37.2")))
    assert container["image"] == "ghcr.io/text-to-image/operator:9.8.7"
    assert container["env"][0] == {"name": "T2I_SERVICE_IMAGE", "value": "ghcr.io/text-to-image/service:9.8.7"}


def test_images_are_those_that_are_given(render: Render) -> None:
    digest = "sha256:" + 64 * "a"
    _, container = operator(render("here", f"image.digest={digest}", "image.tag=mine", "serviceImage=service:mine"))
    assert container["image"] == f"ghcr.io/text-to-image/operator@{digest}"
    assert container["env"][0]["value"] == "service:mine"


def test_a_cluster_may_choose_the_ids(render: Render) -> None:
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    objects = render("here", *(f"podSecurityContext.{each}=null" for each in ids), "securityContext.privileged=false")
    pod, container = operator(objects)
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"]["privileged"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_prometheus_that_selects_by_labels_finds_what_watches_the_operator(render: Render) -> None:
    objects = render("here", "monitoring.enabled=true", "monitoring.labels.release=monitoring")
    for kind in ("ServiceMonitor", "PrometheusRule"):
        labels = objects[kind, "text-to-image-operator"]["metadata"]["labels"]
        assert (labels["release"], labels["app.kubernetes.io/managed-by"]) == ("monitoring", "Helm")
    assert "release" not in objects["Service", "text-to-image-operator"]["metadata"]["labels"]
