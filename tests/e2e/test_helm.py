"""A release of the Helm chart beside the operator that is there: another class, one namespace, no trace afterwards."""

from collections.abc import Callable

import pytest

from tests.e2e.subject import SANDBOX, Subject

pytestmark = pytest.mark.timeout(1500)  # a cold build of Helm takes some minutes on two cores


def test_a_release_for_one_namespace_serves_its_class_there(
    subject: Subject, kubectl: Callable[..., str], helm: Callable[..., str]
) -> None:
    template = (
        "--output=jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value}"
    )
    running = ("get", "deployment", "text-to-image-operator", "--namespace=text-to-image-system", template)
    image, service_image = kubectl(*running).split()
    repository, tag = image.rsplit(":", 1)
    where = f"--namespace={subject.namespace}"
    settings = {
        "image.repository": repository,
        "image.tag": tag,
        "serviceImage": service_image,
        "className": "released",
        "namespaces": f"{{{subject.namespace}}}",
        "userRoles.create": "false",
    }
    values = [f"--set={name}={value}" for name, value in settings.items()]
    notes = helm("install", "release", "manifests/helm", where, "--skip-crds", "--wait", "--timeout=120s", *values)
    assert f"the namespaces {subject.namespace}, resources of the class released" in notes

    observed = {name: {"mode": "Disabled"} for name in ("metrics", "alerts", "dashboards", "tracing")}
    subject.apply({**SANDBOX, "className": "released", "monitoring": observed})
    subject.ready()
    assert subject.generate(width=64, height=64).status_code == 200

    helm("uninstall", "release", where, "--wait", "--timeout=60s")
    left = kubectl("get", "deployment,serviceaccount,role,rolebinding", where, "--output=name").split()
    assert [name for name in left if "text-to-image-operator" in name] == []
    assert subject.generate(width=64, height=64).status_code == 200, "what it made serves on without it"
