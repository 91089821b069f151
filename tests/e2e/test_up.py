"""What `make up` leaves a newcomer with: a table that says True, a picture, and things to try that work."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dev.cluster.paths import Layout
from tests.e2e.subject import Subject, size_of, until

SIZE = (768, 512)
# How the answer of each program's address begins: no placeholder for a page that was not built begins so.
PAGES = {"Prometheus": "(?s).*<title>Prometheus Time Series", "Alertmanager": r"\[", "Jaeger": r'\{"data":'}
STEPS_OF_THE_STACK = (
    "custom resources of the Prometheus Operator",
    "images of the stack",
    "Prometheus, Alertmanager, metrics-server, Jaeger",
)
EDITOR = "#!/bin/sh\nsed -i '0,/^  replicas: /s/^  replicas: .*/  replicas: 3/' \"$1\"\n"


def environment(**more: str) -> dict[str, str]:
    """Return a new shell's: not told where this project keeps its programs, nor that a make runs around it."""
    ours = str(Path(sys.executable).parent)
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != ours)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST" and not name.startswith("MAKE")}
    return {**inherited, "PATH": path, **more}


def make_up(cluster: Layout, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it on a cluster that is up already."""
    command = ["make", "up", *options]
    done = subprocess.run(command, cwd=cluster.checkout, env=environment(), text=True, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def without_stack(cluster: Layout) -> subprocess.CompletedProcess[str]:
    """Return what is printed without the stack, which is left as it is."""
    (cluster.local / "picture.png").unlink(missing_ok=True)
    return make_up(cluster, "STACK=off")


@pytest.fixture(scope="module")
def with_stack(stack: None, cluster: Layout) -> subprocess.CompletedProcess[str]:
    """Return what is printed by a plain `make up`."""
    return make_up(cluster)


@pytest.fixture(scope="module")
def said(without_stack: subprocess.CompletedProcess[str]) -> str:
    """Return what is printed about the service alone."""
    return without_stack.stdout


@pytest.fixture
def lines(said: str) -> tuple[str, list[str]]:
    """Return what is to be typed first, and the three things to try after it."""
    printed = said.partition("\nNext:\n")[2].partition("\n\n")[0].splitlines()
    first, *things = [line.strip() for line in printed]
    assert len(things) == 3, said
    return first, things


def test_the_table_says_true(said: str) -> None:
    assert ready_of_the_sample(said) == "True"


def test_the_picture_is_where_it_says(said: str) -> None:
    found = re.search(r"^A picture of “.+”: (.+)$", said, re.MULTILINE)
    assert found, said
    assert size_of(Path(found[1]).read_bytes()) == SIZE


def test_it_ends_with_what_it_found_and_how_long_it_took(said: str, cluster: Layout) -> None:
    last = said.splitlines()[-1]
    assert re.match(r"Found already up: the picture after .+\. The figures are in ", last)
    kept = json.loads(Path(last.rpartition(" in ")[2].rstrip(".")).read_text())["already up"]
    assert kept["built"] == []
    assert kept["seconds"]["the picture"] >= kept["steps"]["a picture"]


def test_the_first_thing_to_try_leads_to_the_service(lines: tuple[str, list[str]], cluster: Layout) -> None:
    first, (forward, *_) = lines
    command = ["bash", "-c", f"{first}\nexec {forward}"]
    with subprocess.Popen(command, cwd=cluster.checkout, env=environment(), text=True, stdout=subprocess.PIPE) as shell:  # noqa: S603
        try:
            assert shell.stdout
            assert "127.0.0.1:8080" in shell.stdout.readline()
            assert "http://localhost:8080" in forward
            with httpx.Client(base_url="http://localhost:8080", trust_env=False, timeout=90) as client:
                assert "<html" in client.get("/").text
                request = {"prompt": "a lighthouse at dusk", "width": SIZE[0], "height": SIZE[1]}
                picture = client.post("/generate", json=request, headers={"Accept": "image/png"}).content
        finally:
            shell.terminate()
    assert size_of(picture) == SIZE


@pytest.fixture
def sample(kubectl: Callable[..., str]) -> Iterator[Subject]:
    """Return the sample, which has its number of replicas back afterwards."""
    sample = Subject(kubectl, "text-to-image", "text-to-image")
    before = sample.resource()["spec"]["replicas"]
    yield sample
    sample.patch({"spec": {"replicas": before}})
    sample.ready()


def test_the_second_edits_the_sample(
    lines: tuple[str, list[str]], sample: Subject, cluster: Layout, tmp_path: Path
) -> None:
    first, (_, edit, _) = lines
    assert "# replicas: 3" in edit
    (editor := tmp_path / "editor").write_text(EDITOR)
    editor.chmod(0o755)
    run(f"{first}\n{edit}", cluster, KUBE_EDITOR=str(editor))
    sample.ready()
    until(lambda: len(sample.pods()) == 3, "three pods")


def test_the_third_runs_every_suite(lines: tuple[str, list[str]], cluster: Layout) -> None:
    """As far as finding them: this very test is among those that it would run."""
    first, (*_, test) = lines
    found = run(f"{first}\n{test}", cluster, PYTEST_ADDOPTS="--collect-only --quiet")
    for suite in ("unit", "golden", "contract", "rules", "cluster", "e2e", "machine"):
        assert f"tests/{suite}/" in found
    assert "tests/e2e/test_up.py::test_the_third_runs_every_suite" in found


def test_the_service_is_told_of_before_the_stack_is_begun(
    with_stack: subprocess.CompletedProcess[str], said: str
) -> None:
    """Whoever wants a picture need not wait for the stack."""
    before, ready, after = with_stack.stderr.partition("\nThe service is ready, and has drawn ")
    assert ready, with_stack.stderr
    assert "a picture" in before
    assert not any(step in before for step in STEPS_OF_THE_STACK)
    assert all(step in after for step in STEPS_OF_THE_STACK)
    told, monitoring, _ = with_stack.stdout.partition("\n\nMonitoring:\n")
    assert monitoring, with_stack.stdout
    assert ready_of_the_sample(told) == "True"
    assert told.partition("\n\n")[2] == said.partition("\n\n")[2].partition("\n\nFound")[0]
    assert re.match(r"Found already up: .*the monitoring stack after ", with_stack.stdout.splitlines()[-1])


def test_without_the_stack_nothing_is_said_of_it(without_stack: subprocess.CompletedProcess[str]) -> None:
    printed = without_stack.stderr + without_stack.stdout
    assert not [word for word in (*STEPS_OF_THE_STACK, "Monitoring:") if word in printed]


@pytest.mark.parametrize("program", PAGES)
def test_the_stack_is_where_it_says(
    with_stack: subprocess.CompletedProcess[str], lines: tuple[str, list[str]], cluster: Layout, program: str
) -> None:
    (forward,) = [line for line in about_the_stack(with_stack) if f"# {program}: " in line]
    page = forward.partition(f"# {program}: ")[2]
    command = ["bash", "-c", f"{lines[0]}\nexec {forward}"]
    with subprocess.Popen(command, cwd=cluster.checkout, env=environment(), text=True, stdout=subprocess.PIPE) as shell:  # noqa: S603
        try:
            assert shell.stdout
            assert f":{httpx.URL(page).port} " in shell.stdout.readline()
            answer = httpx.get(page, timeout=30, trust_env=False, follow_redirects=True)
        finally:
            shell.terminate()
    assert answer.status_code == 200, answer.text
    assert re.match(PAGES[program], answer.text), answer.text[:500]


def test_what_else_it_says_of_the_stack_works(
    with_stack: subprocess.CompletedProcess[str], lines: tuple[str, list[str]], cluster: Layout, tmp_path: Path
) -> None:
    commands = [line for line in about_the_stack(with_stack) if line.startswith("kubectl") and "forward" not in line]
    top, dashboard = commands
    usage = re.compile(r"^text-to-image-\S+\s+\d+m\s+\d+Mi", re.MULTILINE)
    until(lambda: usage.search(run(f"{lines[0]}\n{top}", cluster)), "usage, which is known a little after a start", 60)
    run(f"{lines[0]}\ncd {tmp_path}\n{dashboard}", cluster)
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["title"] == "text-to-image / text-to-image / Overview"


def about_the_stack(up: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.strip() for line in up.stdout.partition("\n\nMonitoring:\n")[2].partition("\n\n")[0].splitlines()]


def ready_of_the_sample(report: str) -> str:
    header, *rows = [line.split() for line in report.partition("\n\n")[0].splitlines()]
    (row,) = [row for row in rows if row[:2] == ["text-to-image", "text-to-image"]]
    return row[header.index("READY")]


def run(script: str, cluster: Layout, **more: str) -> str:
    command = ["bash", "-c", script]
    done = subprocess.run(  # noqa: S603
        command, cwd=cluster.checkout, env=environment(**more), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
