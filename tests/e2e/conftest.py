"""What the end-to-end tests share. They drive the operator that `make up` installed as a pod."""

from collections.abc import Callable, Iterator

import pytest

from dev.cluster.paths import Layout
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
def stack(cluster: Layout) -> None:
    """Ask for Prometheus, Alertmanager, metrics-server and Jaeger; they are installed before the first test."""


@pytest.fixture(scope="session")
def prometheus(stack: None, kubectl: Callable[..., str]) -> Prometheus:
    """Return the stack's Prometheus."""
    return Prometheus(kubectl)
