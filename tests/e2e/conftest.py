"""What the end-to-end tests share. They drive the operator that `make up` installed as a pod."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.prometheus import Prometheus
from tests.e2e.subject import Subject


@pytest.fixture
def subject(kubectl: Callable[..., str], namespace: str) -> Iterator[Subject]:
    """Return a resource not yet applied, of a name of its own: a drain reaches every namespace."""
    subject = Subject(kubectl, namespace, f"subject-{namespace[-6:]}")
    yield subject
    subject.delete()


@pytest.fixture
def node(kubectl: Callable[..., str]) -> str:
    """Return the name of the only node."""
    return kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")


@pytest.fixture(scope="session")
def prometheus(stack: None, kubectl: Callable[..., str]) -> Prometheus:
    """Return the stack's Prometheus."""
    return Prometheus(kubectl)


@pytest.fixture(scope="session")
def fire_drill(stack: None, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Begin `make drill`, in a namespace of its own; give what waits until it is over and returns what it has said.

    Whoever ends the tests before that interrupts it, and it takes its namespace away; keys pressed do not reach it.
    """
    said = tmp_path_factory.mktemp("drill") / "said"
    command = [sys.executable, "-u", "-m", "dev.stack.drill"]

    def story() -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1200)
        text = said.read_text()
        assert process.poll() == 0, text
        return text

    with (
        said.open("w") as output,
        subprocess.Popen(  # noqa: S603
            command, cwd=checkout, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        yield story
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
