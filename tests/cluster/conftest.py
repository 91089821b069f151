"""What the suites on the real API server share: the CRD, installed as the README says, and an operator beside it."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dev.cluster.kubectl import established
from dev.cluster.paths import Layout
from dev.stack.install import custom_resources
from tests.api import Api
from tests.cluster import products
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, kubeconfig_of, rights, running
from tests.cluster.products import Product


@pytest.fixture(scope="package")
def crd(kubectl: Callable[..., str], checkout: Path) -> str:
    """Install the CRD and wait until the API server serves it; its name."""
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={checkout / 'crds'}")
    name = "texttoimageservices.texttoimage.dev"
    established(kubectl, f"crd/{name}")
    return name


@pytest.fixture(scope="package")
def make_account(
    kubectl: Callable[..., str], cluster: Layout, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., OperatorAccount]]:
    """Make ServiceAccounts with the rights that the manifests give, each with a class no other operator looks after."""
    leases = []

    def make(namespaces: Sequence[str] = ()) -> OperatorAccount:
        class_name = f"test-{uuid.uuid4().hex[:8]}"
        leases.append(f"text-to-image-operator-{class_name}")
        kubectl("create", "namespace", class_name)
        rights(kubectl, checkout / "manifests/base", class_name, leases[-1], namespaces)
        place = tmp_path_factory.mktemp("operator")
        config = kubeconfig_of(kubectl, cluster.kubeconfig, class_name, place / "kubeconfig")
        return OperatorAccount(class_name, config, place)

    yield make
    for lease in leases:
        kubectl("delete", "clusterrolebinding,clusterrole", lease, "--ignore-not-found")
        kubectl("delete", "namespace", lease.removeprefix("text-to-image-operator-"), "--wait=false")


@pytest.fixture(scope="package")
def operator_account(make_account: Callable[[], OperatorAccount]) -> OperatorAccount:
    """Return who the operators of most tests are."""
    return make_account()


@pytest.fixture
def own_account(make_account: Callable[[], OperatorAccount]) -> OperatorAccount:
    """Return a class that the shared operator does not look after, for a test that runs an operator of its own."""
    return make_account()


@pytest.fixture(scope="package")
def operator(operator_account: OperatorAccount, crd: str) -> Iterator[OperatorProcess]:
    """Run one operator for all tests that do not stop it; it looks at everything anew every two seconds."""
    yield from running(operator_account.process("shared", resync_seconds=2, poll_seconds=2))


@pytest.fixture(scope="package")
def default_operator(make_account: Callable[[], OperatorAccount], crd: str) -> Iterator[OperatorProcess]:
    """Run one operator with the times it has by default, long enough that what it does in a test is due to an event."""
    yield from running(make_account().process("default"))


@pytest.fixture(scope="package")
def prometheus_operator_crds(cluster: Layout) -> None:
    """Have the Prometheus Operator's kinds on the cluster."""
    custom_resources(cluster)


@pytest.fixture
def grafana(api: Api) -> Iterator[None]:
    """Have the Grafana operator's kind on the cluster."""
    product = products.grafana_operator(api)
    product.install()
    yield
    product.remove()


@pytest.fixture(scope="module")
def _gateway_api(api: Api) -> Iterator[Product]:
    """Leave the Gateway API to a module, and take it away at its end."""
    product = products.gateway_api(api)
    yield product
    product.remove()


@pytest.fixture
def gateway_api(_gateway_api: Product) -> Product:
    """Have the Gateway API's kinds on the cluster, whatever an earlier test has left."""
    _gateway_api.need()
    return _gateway_api


@pytest.fixture
def service(api: Api, namespace: str, operator: OperatorProcess) -> Service:
    """Return a resource of the shared operator's, still to be created."""
    return Service(api, namespace, operator.class_name)


@pytest.fixture
def common_service(
    api: Api, shared_namespace: str, operator: OperatorProcess, request: pytest.FixtureRequest
) -> Service:
    """Return one resource for all cases of a test, each of which changes another of its objects; the first creates it.

    One for a whole module would not do: a field that is broken by three tests within five minutes is given up.
    """
    test = request.node.originalname.removeprefix("test_").replace("_", "-")
    return Service(api, shared_namespace, operator.class_name, test[:38].strip("-"))


@pytest.fixture
def default_service(api: Api, namespace: str, default_operator: OperatorProcess) -> Service:
    """Return a resource of the operator with the default times, still to be created."""
    return Service(api, namespace, default_operator.class_name)
