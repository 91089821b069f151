"""The Helm chart, rendered by the real Helm: it installs what kustomize does, and fits its rights to its namespaces."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.rights import may

pytestmark = pytest.mark.timeout(1500)  # a cold build of Helm takes some minutes on two cores

Object = dict[str, Any]
Render = Callable[..., dict[tuple[str, str], Object]]
CHART = "manifests/helm"
NEEDED = ("patch deployments apps", "watch secrets", "patch texttoimageservices/status texttoimage.dev")


def by_kind(text: str) -> dict[tuple[str, str], Object]:
    found = [body for body in yaml.safe_load_all(text) if body]
    return {(body["kind"], body["metadata"]["name"]): body for body in found}


@pytest.fixture
def render(helm: Callable[..., str]) -> Render:
    """Return the objects of a release."""

    def run(namespace: str, *settings: str) -> dict[tuple[str, str], Object]:
        argv = ("template", "release", CHART, f"--namespace={namespace}", "--kube-version=1.37.2")
        return by_kind(helm(*argv, *(f"--set={each}" for each in settings)))

    return run


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
    render: Render, kubectl: Callable[..., str], namespace: str
) -> None:
    settings = (f"namespaces={{{namespace}}}", f"className={namespace[-6:]}", "replicas=2", "monitoring.enabled=true")
    objects = render(namespace, *settings, "userRoles.create=false", "jaegerImage=jaeger:1", "logLevel=DEBUG")
    name = f"text-to-image-operator-{namespace[-6:]}"

    assert not [kind for kind, _ in objects if kind.startswith("Cluster")]
    monitoring = ("ServiceMonitor", "PrometheusRule")
    assert all((kind, "text-to-image-operator") in objects for kind in monitoring)
    objects["Deployment", name]["spec"]["replicas"] = 0
    for (kind, _), body in objects.items():
        if kind not in monitoring:  # their CRDs are another product's, and these very files the end-to-end tests'
            argv = ("apply", "--server-side", "--warnings-as-errors", "--filename=-")
            kubectl(*argv, input=json.dumps(body))
    account = f"system:serviceaccount:{namespace}:{name}"
    assert [question for question in NEEDED if may(kubectl, account, namespace, question)] == list(NEEDED)
    assert not [question for question in NEEDED if may(kubectl, account, "default", question)]


@pytest.mark.parametrize("grafana", ["", "https://grafana.example.com", "https://example.com/grafana/"])
def test_alerts_on_the_operator_lead_to_its_dashboard_where_grafana_is(render: Render, grafana: str) -> None:
    objects = render("here", "monitoring.enabled=true", f"monitoring.grafanaURL={grafana}")
    (group,) = objects["PrometheusRule", "text-to-image-operator"]["spec"]["groups"]
    dashboard = json.loads(
        objects["ConfigMap", "text-to-image-operator-dashboard"]["data"]["text-to-image-operator.json"]
    )
    links = {rule["annotations"]["dashboard_url"] for rule in group["rules"]}
    assert links == {f"{grafana.rstrip('/')}/d/{dashboard['uid']}"}


def test_a_value_that_does_not_exist_is_refused_by_name(render: Render) -> None:
    with pytest.raises(AssertionError, match="additional properties 'replicaz' not allowed"):
        render("default", "replicaz=2")
