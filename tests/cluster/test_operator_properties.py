"""Whatever the spec: it settles without a further write, and where it settles does not depend on how one came there."""

import json
from collections.abc import Iterator
from functools import partial
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from t2i_operator import naming
from t2i_operator.kube.kinds import CHILDREN, OPENTELEMETRY_COLLECTOR, OPTIONAL

from dev.cluster.paths import Layout
from tests.api import Api, Object, Refused
from tests.cluster import pods
from tests.cluster.gateways import gateway, program
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, metric, writes
from tests.cluster.products import gateway_api, grafana_operator, opentelemetry_operator
from tests.cluster.settling import settle
from tests.cluster.spec_blocks import AUTHORITY, SECRET, SECRET_KEYS
from tests.cluster.specs import EDITS, FIXED, SCALED, SPECS, TIMES, drawn
from tests.waiting import eventually

# Each of seven examples settles and is collected some times, which are minutes; what is asked for more has no end.
pytestmark = pytest.mark.timeout(0 if TIMES else 900)
few = drawn(5)
# What the cluster, not the operator, decides anew for each object.
_OF_THE_OBJECT = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
_OF_THE_SERVER = ("clusterIP", "clusterIPs", "ports", "healthCheckNodePort")
# Made with a key that each resource has of its own.
_CHECKSUMS = (
    naming.KEYS_CHECKSUM_ANNOTATION,
    naming.CREDENTIALS_CHECKSUM_ANNOTATION,
    naming.CERTIFICATES_CHECKSUM_ANNOTATION,
)
_names = (f"pictures-{number}" for number in count())


@pytest.fixture(scope="module")
def products(api: Api, prometheus_operator_crds: None) -> Iterator[None]:
    """Have every optional kind served before an operator looks: a kind that came later would be a reason to write."""
    brought = [gateway_api(api), grafana_operator(api), opentelemetry_operator(api)]
    for product in brought:
        product.install()
    for kind in OPTIONAL:
        eventually(partial(api.request, "GET", kind.path("default")), f"{kind.plural} to be served")
    yield
    for product in brought:
        product.remove()


@pytest.fixture
def own_operator(namespace: str, crd: str, products: None, own_account: OperatorAccount) -> Iterator[OperatorProcess]:
    """Run an operator for this test's namespace only, so that its reconciles can be counted."""
    operator = own_account.process("properties", namespaces=namespace, leader_election=False, resync_seconds=1)
    operator.start()
    yield operator
    assert operator.stop() == 0
    assert not operator.events("by a bug")


@pytest.fixture(autouse=True)
def ground(api: Api, namespace: str, products: None) -> None:
    """Have what specs refer to, certificates too: a Secret, a ConfigMap, and a Gateway that works."""
    pem = "-----BEGIN CERTIFICATE-----"
    values = {key: pem if key.startswith("tls.") else "https://example.com" for key in SECRET_KEYS}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": values}
    api.create("secrets", namespace, body)
    authority = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SECRET}, "data": {AUTHORITY: pem}}
    api.create("configmaps", namespace, authority)
    eventually(lambda: gateway(api, namespace), "Gateways to be served")
    program(api, namespace)


def test_any_valid_spec_settles_and_gets_no_further_write(
    api: Api, namespace: str, own_operator: OperatorProcess, own_account: OperatorAccount, cluster: Layout
) -> None:
    def looked() -> float:
        return metric(own_operator, 't2i_operator_reconciles_total{result="success"}')

    @few
    @example(spec=SCALED)
    @given(spec=SPECS)
    def settles(spec: Object) -> None:
        service = Service(api, namespace, own_operator.class_name, next(_names))
        service.create(**spec)
        settle(service, spec)
        before = looked()
        eventually(lambda: looked() > before, "a look after the last write")
        offset, before = cluster.audit_log.stat().st_size, looked()
        eventually(lambda: looked() >= before + 2, "two resyncs")
        written = writes(cluster.audit_log, own_account.username, offset)
        assert [(each["verb"], each["objectRef"]) for each in written] == []
        _remove(service)

    settles()


def test_any_sequence_of_edits_ends_where_the_last_spec_alone_would_have(
    api: Api, namespace: str, own_operator: OperatorProcess
) -> None:
    @few
    @example(specs=[SCALED, FIXED], waits=[True])
    @example(specs=[FIXED, SCALED], waits=[True])
    @given(specs=EDITS, waits=st.lists(st.booleans(), min_size=3, max_size=3))
    def ends_alike(specs: list[Object], waits: list[bool]) -> None:
        service = Service(api, namespace, own_operator.class_name, next(_names))
        service.create(**specs[0])
        for before, spec, wait in zip(specs, specs[1:], waits, strict=False):
            if wait:
                settle(service, before)
            _put(service, spec)
        settle(service, specs[-1])
        edited = _children(service)
        _remove(service)
        service.create(**specs[-1])
        settle(service, specs[-1])
        assert _children(service) == edited
        _remove(service)

    ends_alike()


def _put(service: Service, spec: Object) -> None:
    """Replace the whole spec, whatever the operator writes meanwhile."""

    def put() -> bool:
        body = service.live()
        body["spec"] = {"className": service.class_name, **spec}
        path = service.api.path("texttoimageservices", service.namespace, service.name)
        try:
            service.api.request("PUT", path, body, fieldManager="test")
        except Refused as refused:
            if refused.status != 409:
                raise
            return False
        return True

    eventually(put, "the edit to be taken")


def _remove(service: Service) -> None:
    """Wait for the garbage collector, which looks for new kinds every half minute only."""
    service.api.delete("texttoimageservices", service.namespace, service.name)
    eventually(lambda: not _owned(service) and not pods.names(service), "the children to be collected", seconds=90)


def _children(service: Service) -> dict[str, Object]:
    """Return what is there to stay."""
    staying = [each for each in _owned(service) if "deletionTimestamp" not in each["metadata"]]
    return {f"{each['kind']} {each['metadata']['name']}": _said(each) for each in staying}


def _owned(service: Service) -> list[Object]:
    found = []
    for kind in CHILDREN:
        listed = service.api.request("GET", kind.path(service.namespace), labelSelector=naming.CHILD_SELECTOR)
        found += [{**body, "kind": kind.name} for body in listed["items"]]
    return [body for body in found if body["metadata"]["labels"].get(naming.INSTANCE_LABEL) == service.name]


def _said(body: Object) -> Object:
    uid = body["metadata"]["ownerReferences"][0]["uid"]
    said: Object = json.loads(json.dumps(body).replace(uid, "its-owner"))
    said.pop("status", None)
    for name in _OF_THE_OBJECT:
        said["metadata"].pop(name, None)
    if said["kind"] == "Secret":
        said["data"] = sorted(said["data"]) if not said["metadata"]["name"].endswith("-keys") else "random"
    if said["kind"] == "Service":
        ports = [{name: value for name, value in port.items() if name != "nodePort"} for port in said["spec"]["ports"]]
        said["spec"] = {name: value for name, value in said["spec"].items() if name not in _OF_THE_SERVER}
        said["ports"] = ports
    if said["kind"] == OPENTELEMETRY_COLLECTOR.name:
        said["annotated"] = sorted(said["spec"].pop("podAnnotations", {}))
    if said["kind"] == "Deployment":
        said["metadata"]["annotations"].pop("deployment.kubernetes.io/revision", None)
        for name in _CHECKSUMS:
            said["spec"]["template"]["metadata"]["annotations"].pop(name, None)
    return said
