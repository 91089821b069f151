"""The ways in and out: NetworkPolicy, Ingress and HTTPRoute."""

import ipaddress
from typing import Any

import pytest
from t2i_operator import builders
from t2i_operator.kube.kinds import HTTP_ROUTE, INGRESS, NETWORK_POLICY
from t2i_operator.spec import InvalidSpec

from tests.unit.operator.resources import OBSERVED, body, built, resource

NO_TRACING = {"tracing": {"mode": "Disabled"}}
GATEWAY = {"name": "public", "namespace": "gateways"}


def policies(monitoring: Any = None, **wanted: Any) -> dict[str, Any]:
    """Return the policies by the ends of their names."""
    asked = resource(networkPolicy={"mode": "Managed", **wanted}, monitoring=monitoring or NO_TRACING)
    made = [each for each in builders.desired(asked, OBSERVED) if each["kind"] == NETWORK_POLICY.name]
    return {each["metadata"]["name"].removeprefix("pictures"): each["spec"] for each in made}


def policy(monitoring: Any = None, **wanted: Any) -> Any:
    return policies(monitoring, **wanted)[""]


def reaches(found: Any, address: str, port: int) -> bool:
    """Tell whether a policy lets TCP out to an address, as a network plugin would read it."""
    target = ipaddress.ip_address(address)

    def inside(block: Any) -> bool:
        network = ipaddress.ip_network(block["cidr"])
        left_out = (ipaddress.ip_network(cidr) for cidr in block.get("except", ()))
        return target in network and not any(target in cidr for cidr in left_out)

    return any(
        any(inside(peer["ipBlock"]) for peer in rule["to"] if "ipBlock" in peer)
        and any(each["protocol"] == "TCP" and each["port"] == port for each in rule.get("ports", [{}]))
        for rule in found["egress"]
    )


def test_there_is_no_policy_unless_it_is_asked_for() -> None:
    assert built(NETWORK_POLICY) is None


@pytest.mark.parametrize("endpoint", ["https://otel.example.com:99999", "https://[::1"])
def test_an_endpoint_that_is_no_url_is_named(endpoint: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.monitoring\.tracing\.endpoint: .* is no URL"):
        policy({"tracing": {"mode": "External", "endpoint": endpoint}})


@pytest.mark.parametrize("address", ["203.0.113.7", "10.1.2.3", "2001:db8::7", "fd00::7"])
@pytest.mark.parametrize(("port", "open_"), [(53, True), (443, True), (80, False), (22, False), (4317, False)])
def test_dns_and_https_stay_open(address: str, port: int, open_: bool) -> None:
    assert reaches(policy(), address, port) is open_


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80:abcd::1"),
        *("fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200"),
    ],
)
@pytest.mark.parametrize("port", [53, 80, 443, 4317])
def test_where_clouds_keep_credentials_is_never_open(address: str, port: int) -> None:
    external = {"tracing": {"mode": "External", "endpoint": "http://collector.observability:4317"}}

    assert not reaches(policy(external), address, port)


def test_dns_goes_by_udp_too_and_to_pods() -> None:
    rule = policy()["egress"][0]

    assert {"protocol": "UDP", "port": 53} in rule["ports"]
    assert {"namespaceSelector": {}} in rule["to"]


def test_dns_pods_may_listen_where_those_of_openshift_do() -> None:
    found = policy()

    ports = [{"protocol": protocol, "port": 5353} for protocol in ("UDP", "TCP")]
    assert {"to": [{"namespaceSelector": {}}], "ports": ports} in found["egress"]
    assert not reaches(found, "203.0.113.7", 5353), "no address needs it"


@pytest.mark.parametrize(
    ("monitoring", "port"),
    [
        ({"tracing": {"mode": "External", "endpoint": "http://collector.observability:4317"}}, 4317),
        ({"tracing": {"mode": "External", "endpoint": "http://collector"}}, 80),
        ({"tracing": {"mode": "External", "endpoint": "https://[2001:db8::1]:9443/v1"}}, 9443),
        ({**NO_TRACING, "langtrace": {"host": "http://langtrace.tools:3000"}}, 3000),
    ],
)
def test_the_endpoints_of_the_spec_stay_in_reach(monitoring: Any, port: int) -> None:
    assert reaches(policy(monitoring), "203.0.113.7", port)
    assert not reaches(policy(), "203.0.113.7", port)


def test_the_operators_own_jaeger_stays_in_reach() -> None:
    labels = {"app.kubernetes.io/name": "text-to-image", "app.kubernetes.io/instance": "pictures"}
    rule = policy({"tracing": {"mode": "Managed"}})["egress"][2]

    assert rule["to"] == [{"podSelector": {"matchLabels": {**labels, "app.kubernetes.io/component": "jaeger"}}}]
    assert [each["port"] for each in rule["ports"]] == [4317, 4318]


def test_a_collector_of_the_opentelemetry_operator_stays_in_reach() -> None:
    jaeger = {"format": "OpenTelemetryCollector"}
    [peer] = policy({"tracing": {"mode": "Managed", "jaeger": jaeger}})["egress"][2]["to"]

    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "opentelemetry-collector"}


def allowed(found: Any, port: int) -> list[Any]:
    """Return who may reach a port: a list of peers for each rule, `anybody` where it names none."""
    rules = [rule for rule in found["ingress"] if {"protocol": "TCP", "port": port} in rule["ports"]]
    return [rule.get("from", "anybody") for rule in rules]


MONITORED = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
MANAGED: Any = {"tracing": {"mode": "Managed"}}


@pytest.mark.parametrize(("sources", "readers"), [(MONITORED, MONITORED), ([], "anybody")], ids=["named", "anybody"])
def test_spans_come_from_the_service_and_who_may_reach_that_may_see_traces(sources: Any, readers: Any) -> None:
    found = policies(MANAGED, ingressFrom=sources)
    jaeger, service = found["-jaeger"], {"podSelector": found[""]["podSelector"]}
    assert [allowed(jaeger, port) for port in (4317, 4318)] == [[[service]]] * 2
    assert [allowed(jaeger, port) for port in (16686, 8888, 8889)] == [[readers]] * 3
    assert jaeger["policyTypes"] == ["Ingress"]


@pytest.mark.parametrize("format_", ["Deployment", "OpenTelemetryCollector"])
def test_the_policy_of_jaeger_is_about_the_pods_that_its_services_select(format_: str) -> None:
    monitoring: Any = {"tracing": {"mode": "Managed", "jaeger": {"format": format_}}}
    made = builders.desired(resource(networkPolicy={"mode": "Managed"}, monitoring=monitoring), OBSERVED)
    (query,) = (each for each in made if each["metadata"]["name"] == "pictures-jaeger-query")
    assert policies(monitoring)["-jaeger"]["podSelector"] == {"matchLabels": query["spec"]["selector"]}


@pytest.mark.parametrize(
    "tracing", [{"mode": "Disabled"}, {"mode": "External", "endpoint": "https://o:4317"}], ids=["Disabled", "External"]
)
def test_who_has_no_jaeger_has_no_policy_for_it(tracing: Any) -> None:
    assert policies({"tracing": tracing}).keys() == {""}


def test_jaeger_has_no_policy_unless_it_is_asked_for() -> None:
    assert built(NETWORK_POLICY, monitoring=MANAGED) is None


def test_anybody_may_come_in_to_the_port_alone() -> None:
    assert policy()["ingress"] == [{"ports": [{"protocol": "TCP", "port": "http"}]}]


def test_given_sources_come_in_and_given_networks_are_reached() -> None:
    sources: Any = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
        {"namespaceSelector": {}, "podSelector": {"matchExpressions": [{"key": "caller", "operator": "Exists"}]}},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}},
    ]
    proxy = {"ipBlock": {"cidr": "10.20.0.0/16"}}

    found = policy(
        ingressFrom=sources,
        egressTo=[{**proxy, "ports": [{"port": 3128}, {"port": 8000, "endPort": 8010, "protocol": "UDP"}]}, proxy],
    )

    assert found["ingress"][0]["from"] == sources
    assert found["egress"][2:] == [
        {
            "to": [proxy],
            "ports": [{"protocol": "TCP", "port": 3128}, {"protocol": "UDP", "port": 8000, "endPort": 8010}],
        },
        {"to": [proxy]},
    ]


def test_the_policy_is_about_the_services_pods_alone() -> None:
    found = policy()

    assert found["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "service"
    assert found["policyTypes"] == ["Ingress", "Egress"]


def test_an_ingress_has_what_is_said_and_nothing_else() -> None:
    ingress: Any = {"host": "images.example.com"}
    backend = {"service": {"name": "pictures-service", "port": {"name": "http"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}

    assert body(INGRESS, ingress=ingress) == {"rules": [{"host": "images.example.com", "http": {"paths": [path]}}]}


def test_an_ingress_takes_class_path_tls_and_annotations() -> None:
    annotations = {"nginx.ingress.kubernetes.io/proxy-read-timeout": "200"}
    ingress: Any = {
        "className": "nginx",
        "host": "*.example.com",
        "path": "/images",
        "pathType": "Exact",
        "tls": {"secretName": "tls"},
        "annotations": annotations,
    }
    found = built(INGRESS, ingress=ingress)

    assert found is not None
    assert annotations.items() <= found["metadata"]["annotations"].items()
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == [{"hosts": ["*.example.com"], "secretName": "tls"}]
    assert found["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Exact"
    assert body(INGRESS, ingress={"host": "a.example", "tls": {}})["tls"] == [{"hosts": ["a.example"]}]


def test_a_route_names_its_gateway_and_the_service() -> None:
    found = body(HTTP_ROUTE, httpRoute={"parentRefs": [{**GATEWAY, "sectionName": "https"}]}, service={"port": 8080})

    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **GATEWAY, "sectionName": "https"}
    assert found["parentRefs"] == [reference]
    assert "hostnames" not in found
    [rule] = found["rules"]
    [backend] = rule["backendRefs"]
    assert (backend["name"], backend["port"]) == ("pictures-service", 8080)
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert "filters" not in rule


def test_a_route_waits_as_long_as_the_longest_model_and_the_queue() -> None:
    models = [
        {"name": "fast", "provider": "Sandbox", "timeoutSeconds": 5},
        {"name": "slow", "provider": "Sandbox", "timeoutSeconds": 300},
    ]
    [rule] = body(HTTP_ROUTE, httpRoute={"parentRefs": [GATEWAY]}, models=models, admission={"maxQueueSeconds": 20})[
        "rules"
    ]

    assert rule["timeouts"] == {"request": "320s", "backendRequest": "320s"}


def test_a_route_takes_its_prefix_off_because_the_service_does_not_know_it() -> None:
    [rule] = body(HTTP_ROUTE, httpRoute={"parentRefs": [GATEWAY], "path": "/images"})["rules"]

    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/images"}}]
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": rewrite}]
