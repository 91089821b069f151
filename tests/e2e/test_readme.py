"""The README says nothing that was not tried: every command in it is run, or it says here why not."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dev.cluster.paths import Layout
from tests.e2e import guide
from tests.e2e.subject import size_of, until

TEXT = guide.README.read_text()
COMMANDS = guide.lines("sh", guide.README)

EXPORT = "export KUBECONFIG=$PWD/.local/kubeconfig"
TABLE = "kubectl get t2iservices -A"
FORWARD = "kubectl port-forward svc/text-to-image-service 8080:80 -n text-to-image &"
SAVED = " > lighthouse.png"
DIFF = (
    "kubectl exec -i -n text-to-image-system deploy/text-to-image-operator"
    " -- t2i-operator diff text-to-image/text-to-image"
)
DIFF_OF_FILE = "t2i-operator diff -f edited.yaml"
DRAW = [command for command in COMMANDS if command.startswith("curl ") and command.endswith(SAVED)]
# What installs on a cluster of one's own: here all of it is there, so the API server is asked what it would do.
INSTALL = [command for command in COMMANDS if re.match(r"kubectl (apply|create) ", command)]
NOT_RUN = {
    "make up": "tests/e2e/test_up.py runs it, and reads what it prints",
    "make test": "is what runs this",
    "docker build ": "wants a Docker engine; the cluster runs what dev/cluster builds of the same two files",
    "docker push ": "wants a registry",
    "helm install text-to-image-operator ": "tests/e2e/test_helm.py installs a release",
    "helm install monitoring ": "a chart of others', from the internet; the README says that nobody tries it here",
}
# Named between backticks, by the way: where a reader goes from there.
KUSTOMIZATIONS = sorted(
    {*re.findall(r"`kubectl apply -k ([\w./-]+)`", TEXT), *re.findall(r"`(manifests/overlays/[\w-]+)`", TEXT)}
)
ROOMS = "crds|dashboards|dev|docs|k8s|manifests|operator|service|tests"


@pytest.fixture
def reader(cluster: Layout) -> guide.Reader:
    return guide.Reader(cluster.kubeconfig)


def test_no_command_of_the_readme_is_forgotten() -> None:
    tried = {EXPORT, TABLE, FORWARD, DIFF, DIFF_OF_FILE, *DRAW, *INSTALL}
    left = [command for command in COMMANDS if command not in tried]
    assert [command for command in left if not command.startswith(tuple(NOT_RUN))] == []
    assert tried <= set(COMMANDS), "what is tried is what stands there"
    assert len(DRAW) == 1
    assert len(INSTALL) >= 5
    assert len(KUSTOMIZATIONS) >= 3


def test_what_the_readme_names_is_there() -> None:
    named = {*re.findall(rf"(?<![\w/.-])((?:{ROOMS})/[\w./-]*\w)", TEXT), *re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)}
    assert len(named) > 10
    assert [name for name in named if not (guide.CHECKOUT / name).exists()] == []
    targets = re.findall(r"^([a-z-]+):", (guide.CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert {*re.findall(r"`make ([a-z-]+)", TEXT)} <= set(targets)


def test_the_table_shows_the_sample_ready(reader: guide.Reader, cluster: Layout) -> None:
    assert reader.run(f'{EXPORT}; echo "$KUBECONFIG"').strip() == str(cluster.kubeconfig)
    header, *rows = [line.split() for line in reader.run(TABLE).splitlines()]
    (row,) = [row for row in rows if row[:2] == ["text-to-image", "text-to-image"]]
    assert row[header.index("READY")] == "True"


def test_the_port_that_is_forwarded_brings_the_lighthouse(reader: guide.Reader, tmp_path: Path) -> None:
    (draw,) = DRAW
    with reader.running(FORWARD.removesuffix(" &")) as output:

        def forwarded() -> bool:
            output.seek(0)
            return "Forwarding from 127.0.0.1:8080" in output.read()

        until(forwarded, FORWARD, seconds=30)
        reader.run(draw.replace(SAVED, f" > {tmp_path}/lighthouse.png"))
    width, height = (int(re.findall(rf'"{side}": (\d+)', draw)[0]) for side in ("width", "height"))
    assert size_of((tmp_path / "lighthouse.png").read_bytes()) == (width, height)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("command", [*INSTALL, *(f"kubectl apply -k {each}" for each in KUSTOMIZATIONS)])
def test_the_api_server_would_take_what_installs(reader: guide.Reader, command: str, tmp_path: Path) -> None:
    command = command.replace("-k mine", f"-k {_mine(tmp_path)}")
    assert "server dry run" in reader.run(f"{command} --dry-run=server")


def _mine(folder: Path) -> Path:
    """Write the overlay that the README has its reader write, beside the manifests as there."""
    (text,) = re.findall(r"```yaml\n(# mine/kustomization.yaml\n.*?)```", TEXT, re.DOTALL)
    (folder / "manifests").symlink_to(guide.CHECKOUT / "manifests")
    (mine := folder / "mine").mkdir()
    (mine / "kustomization.yaml").write_text(text)
    return mine


def test_the_sample_in_order_shows_no_difference(reader: guide.Reader) -> None:
    until(lambda: reader.run(f"{DIFF} && echo same") == "same\n", DIFF, seconds=60)


def test_an_edit_is_shown_and_not_done(reader: guide.Reader, kubectl: Callable[..., str], tmp_path: Path) -> None:
    edited = yaml.safe_load((guide.CHECKOUT / "manifests/samples/text-to-image.yaml").read_text())
    edited["spec"]["replicas"] = 7
    (tmp_path / "edited.yaml").write_text(yaml.safe_dump(edited))
    image = "jsonpath={.spec.template.spec.containers[0].env[?(@.name=='T2I_SERVICE_IMAGE')].value}"
    operator = ("deployment", "text-to-image-operator", "--namespace=text-to-image-system")
    setting = f"export T2I_SERVICE_IMAGE={kubectl('get', *operator, '--output', image)}"
    command = DIFF_OF_FILE.replace("edited.yaml", str(tmp_path / "edited.yaml"))
    shown = reader.run(f"{setting}; {command} || test $? = 1  # as diff(1) ends where there is a difference")
    assert re.search(r"^\+ +replicas: 7$", shown, re.MULTILINE), shown
    sample = ("t2iservice/text-to-image", "--namespace=text-to-image", "--output=jsonpath={.spec.replicas}")
    assert kubectl("get", *sample) != "7"
