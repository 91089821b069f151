"""Which cluster is meant is decided once, and never somebody else's by accident."""

import io
import os
import re
import shutil
import signal
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from dev.cluster import app, ground, kind, network, tools
from dev.cluster.__main__ import main
from dev.cluster.app import CHART, App
from dev.cluster.context import Context
from dev.cluster.errors import UnfitError
from dev.cluster.paths import Layout
from dev.cluster.progress import Progress
from dev.stack import catalog
from dev.stack.__main__ import main as stack
from dev.stack.drill import main as drill


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    real = Layout.of_this_checkout()
    shutil.copytree(real.tools / "kind", tmp_path / "dev" / "tools" / "kind")
    for name in ("pyproject.toml", "uv.lock", "LICENSE", "Dockerfile.operator", "Dockerfile.service"):
        shutil.copy(real.checkout / name, tmp_path)
    (tmp_path / ".local").mkdir()
    return Layout(tmp_path, tmp_path / "cache")


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "chosen"), [("exit 0", ground.KIND), ("echo Cannot connect >&2; exit 1", ground.EMBEDDED)]
)
def test_an_engine_that_answers_means_kind(layout: Layout, tmp_path: Path, script: str, chosen: str) -> None:
    assert ground.chosen(layout, docker=program(tmp_path / "docker", script)) == chosen


def test_without_docker_it_is_the_embedded_one(layout: Layout) -> None:
    assert ground.chosen(layout, docker="no-such-docker") == ground.EMBEDDED


def test_a_cluster_once_begun_is_kept_though_docker_comes_up(layout: Layout, tmp_path: Path) -> None:
    docker = program(tmp_path / "docker", "exit 0")
    ground.begin(layout, ground.EMBEDDED)
    assert ground.chosen(layout, docker=docker) == ground.EMBEDDED
    ground.end(layout)
    assert ground.chosen(layout, docker=docker) == ground.KIND


def test_another_cluster_is_refused_while_one_is_there(layout: Layout) -> None:
    ground.begin(layout, "context production")
    assert ground.chosen(layout, "context production") == "context production"
    with pytest.raises(UnfitError, match="make down"):
        ground.chosen(layout, "context staging")


@pytest.fixture
def here(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Make it the layout of the commands, which may run no program at all."""

    def run(*argv: object, **_: object) -> None:
        raise AssertionError(f"{argv} is run")

    monkeypatch.setattr(Layout, "of_this_checkout", lambda: layout)
    monkeypatch.setattr(subprocess, "Popen", run)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("PATH", os.environ["PATH"])
    return layout


@pytest.mark.parametrize("argv", [["up"], ["up", "--on=embedded"], ["up", "--context=staging"], ["down"]])
def test_a_context_is_not_touched_without_its_name(
    here: Layout, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    ground.begin(here, "context production")
    assert main(argv) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "CONTEXT=production" in sentence
    assert ground.begun(here) == "context production"


@pytest.mark.parametrize("begun", ["context production", ground.KIND])
def test_what_breaks_a_cluster_is_for_the_embedded_one_alone(
    here: Layout, capsys: pytest.CaptureFixture[str], begun: str
) -> None:
    ground.begin(here, begun)
    assert main(["up", "--on=embedded"]) == 1  # `make test`
    assert stack() == 1
    assert drill() == 1
    assert capsys.readouterr().err.count("make down") == 3
    ground.begin(here, ground.EMBEDDED)
    ground.need_embedded(here)


def test_two_clusters_at_once_are_refused(here: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--on=embedded", "--context=production"]) == 1
    assert "two clusters" in capsys.readouterr().err
    assert not ground.begun(here)


@pytest.mark.parametrize("more", [(), ("ON=kind",), ("CONTEXT=production",)])
def test_make_test_asks_for_the_embedded_cluster(more: tuple[str, ...]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(  # noqa: S603
        ["make", "--dry-run", "test", *more],  # noqa: S607
        cwd=Layout.of_this_checkout().checkout,
        env=environment,
        check=True,
        text=True,
        capture_output=True,
    )
    (up,) = [line for line in told.stdout.splitlines() if "dev.cluster up" in line]
    assert "--on embedded" in up
    assert ("--context production" in up) == ("CONTEXT=production" in more), "which is refused, and not ignored"


def test_nothing_is_ended_where_a_context_was_never_begun(here: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--context=production"]) == 0
    assert "made nothing on production" in capsys.readouterr().out


@pytest.mark.parametrize(("third", "last"), [(app.PROVE, "make test"), (app.EXPLAIN, "kubectl explain t2i.spec ")])
def test_the_tests_are_the_third_thing_to_try_only_where_they_harm_nothing(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, third: str, last: str
) -> None:
    monkeypatch.setattr(app, "kubectl", lambda *_: "the table")
    report = App(layout, Progress(io.StringIO()), "operator:1", "service:1").report(third)
    things = report.partition("Next:\n")[2].splitlines()[1:]
    assert len(things) == 3
    assert things[-1].strip().startswith(last)
    assert len({line.index("#") for line in things if "#" in line}) == 1


def test_a_context_that_kubectl_does_not_know_is_named(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(UnfitError, match="no context mine"):
        Context("mine").up(layout, app=False, stack=False)
    assert not (layout.local / "ground").exists()


def test_no_image_is_loaded_into_a_cluster_of_the_persons_own(layout: Layout) -> None:
    with pytest.raises(UnfitError, match="push operator, service to a registry"):
        Context("mine").images(layout, ("operator", "service"))


def test_kind_gets_the_images_that_docker_built(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    program(tmp_path / "bin" / "docker", f'echo docker "$@" >> {calls}')
    program(tools.binary(layout, tools.KIND), f'echo kind "$@" >> {calls}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    reference = kind.images(layout, ("service",)).split()[0]
    build, load = calls.read_text().splitlines()
    assert build.startswith(f"docker build --file={layout.checkout}/Dockerfile.service --tag={reference} ")
    assert f"--build-arg=BASE={kind.BASE}" in build
    assert load == f"kind load docker-image {reference} --name=text-to-image"


def test_what_comes_without_the_stack_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all that the stack brings, Jaeger's image too; and where else to have it, in words that lead there."""
    with pytest.raises(SystemExit):
        main(["up", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    brought = {*catalog.PUBLISHED, catalog.METRICS_SERVER.name}
    assert [name for name in brought if name not in text.lower()] == []
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    assert 'README, "On your own cluster"' in CHART
    assert "## On your own cluster" in readme
    for path in re.findall(r"manifests/\S+\.yaml", CHART):
        assert path in readme
    assert CHART in kind.NO_STACK


@pytest.fixture
def their_kind(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what kind is called for, on a machine where somebody else's cluster has the name."""
    calls = tmp_path / "calls"
    program(tools.binary(layout, tools.KIND), f'echo "$@" >> {calls}; [ "$1" = get ] && echo text-to-image')
    monkeypatch.setattr("sys.stderr", io.StringIO())
    return calls


def test_another_checkouts_kind_cluster_is_not_deleted(layout: Layout, their_kind: Path) -> None:
    with pytest.raises(UnfitError, match="not of this checkout"):
        kind.up(layout, app=False, stack=False)
    assert kind.down(layout) == "There is no cluster of this checkout."
    assert their_kind.read_text().splitlines() == ["get clusters"]
    assert not ground.begun(layout)


def test_kind_is_given_a_configuration_with_the_audit_log_where_the_tests_look(layout: Layout) -> None:
    text = kind.configuration(layout)
    (node,) = yaml.safe_load(text)["nodes"]
    mounts = {mount["containerPath"]: mount["hostPath"] for mount in node["extraMounts"]}
    server = yaml.safe_load(node["kubeadmConfigPatches"][0])["apiServer"]
    flags = {each["name"]: each["value"] for each in server["extraArgs"]}
    inside = Path(flags["audit-log-path"])
    assert Path(mounts[str(inside.parent)], inside.name) == layout.audit_log
    assert Path(mounts[flags["audit-policy-file"]]).is_file()
    volumes = {volume["mountPath"] for volume in server["extraVolumes"]}
    assert volumes == {str(inside.parent), flags["audit-policy-file"]}


def test_the_clusters_networks_hold_the_addresses_that_are_used() -> None:
    assert ip_address(network.NODE_IP) in ip_network(network.POD_CIDR)
    for address in (network.API_SERVICE_IP, network.DNS_SERVICE_IP):
        assert ip_address(address) in ip_network(network.SERVICE_CIDR)
