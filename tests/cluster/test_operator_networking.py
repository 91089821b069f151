"""The way in: an Ingress or an HTTPRoute, and from one to the other without an outage."""

import json
from collections.abc import Callable, Iterator

import pytest
from t2i_operator.kube.kinds import HTTP_ROUTE

from tests.api import Api, Object
from tests.cluster import fault_proxy, pods
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.gateways import accept, gateway, give_address, program
from tests.cluster.goldens import all_taken_without_drift
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service
from tests.cluster.products import Product
from tests.waiting import eventually

INGRESS: Object = {"host": "images.example.com"}
ROUTE: Object = {"parentRefs": [{"name": "public"}]}


def there(service: Service, plural: str) -> bool:
    return service.api.find(plural, service.namespace, service.name) is not None


@pytest.mark.usefixtures("gateway_api")
def test_an_ingress_goes_only_after_the_route_is_accepted_and_programmed(api: Api, service: Service) -> None:
    gateway(api, service.namespace)
    service.create(ingress=INGRESS)
    eventually(lambda: there(service, "ingresses"), "the Ingress")
    service.ready()

    service.edit(ingress=None, httpRoute=ROUTE)
    service.wait("RouteReady", "Unknown", "Pending")
    assert service.wait("Reconciling", "True", "SwitchingRoute")["message"].startswith(
        f"Ingress {service.name} is kept"
    )
    assert service.conditions()["Ready"]["status"] == "True"

    accept(api, service.namespace, service.name, accepted=False)
    assert "there is no listener for it" in service.wait("RouteReady", "False", "NotAccepted")["message"]
    assert there(service, "ingresses")

    program(api, service.namespace, programmed=False)
    accept(api, service.namespace, service.name, accepted=True)
    service.wait("RouteReady", "False", "NotProgrammed")
    assert there(service, "ingresses")

    program(api, service.namespace)
    service.wait("RouteReady", "True", "Programmed")
    eventually(lambda: not there(service, "ingresses"), "the Ingress to be pruned")
    service.wait("Reconciling", "False", "Settled")


@pytest.mark.usefixtures("gateway_api")
def test_a_listener_that_is_not_programmed_is_named(api: Api, service: Service) -> None:
    gateway(api, service.namespace)
    program(api, service.namespace, listener=False)
    service.create(httpRoute={"parentRefs": [{"name": "public", "sectionName": "http"}]})
    accept(api, service.namespace, service.name, accepted=True)

    assert "public listener http is not programmed" in service.wait("RouteReady", "False", "NotProgrammed")["message"]


@pytest.mark.usefixtures("gateway_api")
def test_a_route_goes_only_after_the_ingress_has_an_address(api: Api, service: Service) -> None:
    service.create(httpRoute=ROUTE)
    eventually(lambda: there(service, "httproutes"), "the HTTPRoute")

    service.edit(httpRoute=None, ingress=INGRESS)
    service.wait("RouteReady", "Unknown", "AddressPending")
    assert there(service, "httproutes")

    give_address(api, service.namespace, service.name)
    assert "203.0.113.7" in service.wait("RouteReady", "True", "AddressAssigned")["message"]
    eventually(lambda: not there(service, "httproutes"), "the HTTPRoute to be pruned")


@pytest.mark.usefixtures("gateway_api")
def test_a_way_in_that_is_not_replaced_goes_at_once(service: Service) -> None:
    service.create(ingress=INGRESS)
    eventually(lambda: there(service, "ingresses"), "the Ingress")

    service.edit(ingress=None)

    eventually(lambda: not there(service, "ingresses"), "the Ingress to be pruned")
    service.wait("RouteReady", "True", "Disabled")


@pytest.mark.usefixtures("gateway_api")
def test_a_missing_gateway_is_named(api: Api, service: Service) -> None:
    service.create(httpRoute=ROUTE)
    accept(api, service.namespace, service.name, accepted=True)

    assert f"Gateway {service.namespace}/public" in service.wait("RouteReady", "False", "GatewayMissing")["message"]
    [event] = service.told("GatewayMissing")
    assert event["type"] == "Warning"


def test_the_gateway_api_is_found_when_it_comes_and_missed_when_it_goes(
    gateway_api: Product, default_service: Service
) -> None:
    service = default_service
    gateway_api.remove()
    service.create(httpRoute=ROUTE, ingress=None)
    assert "install the CRDs" in service.wait("RouteReady", "False", "GatewayAPIMissing")["message"]
    service.ready()
    generation = service.live()["metadata"]["generation"]

    gateway_api.install()
    service.wait("RouteReady", "Unknown", "Pending")
    assert there(service, "httproutes")

    gateway_api.remove()
    service.wait("RouteReady", "False", "GatewayAPIMissing")
    assert service.live()["metadata"]["generation"] == generation
    gateway_api.install()
    service.wait("RouteReady", "Unknown", "Pending")


@pytest.mark.usefixtures("gateway_api")
def test_the_api_server_takes_the_golden_route_and_no_drift_is_seen(api: Api, namespace: str) -> None:
    all_taken_without_drift(api, namespace, HTTP_ROUTE)


@pytest.fixture
def rightless(
    kubectl: Callable[..., str], make_account: Callable[[], OperatorAccount], crd: str
) -> Iterator[OperatorProcess]:
    """Run an operator whose rights leave the Gateway API out."""
    account = make_account()
    name = f"text-to-image-operator-{account.class_name}"
    role = json.loads(kubectl("get", "clusterrole", name, "--output=json"))
    role["rules"] = [rule for rule in role["rules"] if "gateway.networking.k8s.io" not in rule["apiGroups"]]
    kubectl("replace", "--filename=-", input=json.dumps(role))
    operator = account.process("rightless", resync_seconds=2)
    operator.start()
    yield operator
    operator.stop()


@pytest.mark.usefixtures("gateway_api")
def test_without_rights_to_the_gateway_api_all_else_works(api: Api, namespace: str, rightless: OperatorProcess) -> None:
    service = Service(api, namespace, rightless.class_name)
    service.create(ingress=INGRESS)
    eventually(lambda: there(service, "ingresses"), "the Ingress")
    service.ready()

    service.edit(ingress=None, httpRoute=ROUTE)

    assert "grant it" in service.wait("RouteReady", "Unknown", "NotVisible")["message"]
    assert there(service, "ingresses")
    service.ready()


@pytest.fixture
def way(make_account: Callable[[], OperatorAccount], crd: str) -> Iterator[tuple[FaultProxy, OperatorProcess]]:
    """Run an operator that reaches the API server through the proxy only, and looks often."""
    account = make_account()
    proxy = FaultProxy(account.kubeconfig)
    operator = account._replace(kubeconfig=proxy.kubeconfig).process("spoiled", resync_seconds=2)
    operator.start()
    yield proxy, operator
    operator.stop()
    proxy.close()


@pytest.mark.usefixtures("gateway_api")
def test_a_gateway_that_cannot_be_read_keeps_nothing_else_from_being_told(
    api: Api, namespace: str, way: tuple[FaultProxy, OperatorProcess]
) -> None:
    proxy, operator = way
    service = Service(api, namespace, operator.class_name)
    gateway(api, namespace)
    program(api, namespace)
    service.create(**pods.PARKED, replicas=1, httpRoute=ROUTE)
    accept(api, namespace, service.name, accepted=True)
    pods.say(service, ready=True)
    service.wait("Available", "True")
    before = service.wait("RouteReady", "True", "Programmed")

    broken = fault_proxy.only("/gateways/", fault_proxy.BROKEN)
    proxy.spoil(broken)
    eventually(lambda: proxy.felt[broken.name], "the operator to look at the Gateway")
    pods.say(service, ready=False)
    service.wait("Available", "False")
    assert service.conditions()["RouteReady"] == before


@pytest.mark.usefixtures("gateway_api")
def test_a_route_that_cannot_be_written_keeps_nothing_else_from_being_done(
    api: Api, namespace: str, way: tuple[FaultProxy, OperatorProcess]
) -> None:
    proxy, operator = way
    service = Service(api, namespace, operator.class_name)
    service.create(httpRoute=ROUTE)
    eventually(lambda: there(service, "httproutes"), "the HTTPRoute")
    service.ready()

    broken = fault_proxy.only("/httproutes/", fault_proxy.BROKEN)
    proxy.spoil(broken)
    service.edit(httpRoute={"parentRefs": [{"name": "other"}]}, service={"port": 8080})
    eventually(lambda: proxy.felt[broken.name], "the operator to change the route")
    service.ready()
    assert service.child("services", "-service")["spec"]["ports"][0]["port"] == 8080
    assert service.child("httproutes")["spec"]["parentRefs"][0]["name"] == "public"

    proxy.heal()

    def changed() -> bool:
        parents: list[Object] = service.child("httproutes")["spec"]["parentRefs"]
        return parents[0]["name"] == "other"

    eventually(changed, "the route to be changed", seconds=90)
