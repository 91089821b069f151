"""What `make up` leaves a newcomer with: a table that says True, a picture, and three things to try that work."""

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
EDITOR = "#!/bin/sh\nsed -i '0,/^  replicas: /s/^  replicas: .*/  replicas: 3/' \"$1\"\n"


def environment(**more: str) -> dict[str, str]:
    """Return a new shell's: not told where this project keeps its programs, nor that a make runs around it."""
    ours = str(Path(sys.executable).parent)
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != ours)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST" and not name.startswith("MAKE")}
    return {**inherited, "PATH": path, **more}


@pytest.fixture(scope="module")
def said(cluster: Layout) -> str:
    """Return what `make up` prints on a cluster that is up; the stack is left as it is."""
    (cluster.local / "picture.png").unlink(missing_ok=True)
    command = ["make", "up", "STACK=off"]
    done = subprocess.run(command, cwd=cluster.checkout, env=environment(), text=True, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def lines(said: str) -> tuple[str, list[str]]:
    """Return what is to be typed first, and the three things to try after it."""
    printed = said.partition("\nNext:\n")[2].partition("\n\n")[0].splitlines()
    first, *things = [line.strip() for line in printed]
    assert len(things) == 3, said
    return first, things


def test_the_table_says_true(said: str) -> None:
    header, *rows = [line.split() for line in said.partition("\n\n")[0].splitlines()]
    (row,) = [row for row in rows if row[:2] == ["text-to-image", "text-to-image"]]
    assert row[header.index("READY")] == "True"


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


def run(script: str, cluster: Layout, **more: str) -> str:
    command = ["bash", "-c", script]
    done = subprocess.run(  # noqa: S603
        command, cwd=cluster.checkout, env=environment(**more), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
