"""How requests reach the pods, and what the pods may reach."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from t2i_operator.spec.scalars import Annotations, Label, Mode, Port, Subdomain
from t2i_operator.spec.schema import ATOMIC_MAP, SET, Block, Rule, Spelling, described, spelled, spelled_since
from t2i_operator.spec.shared import LabelSelector

Host = Annotated[
    str,
    spelled(
        "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "write a host name, such as images.example.com or *.example.com",
        longest=253,
    ),
]
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_GROUP = "[0-9a-fA-F]{1,4}"
_GROUPS = f"({_GROUP}(:{_GROUP}){{0,6}})?"
# A pattern, because the least version of Kubernetes takes no `isCIDR` in a new CRD. IPv6 with a dotted end, as in
# ::ffff:10.0.0.0/104, would make it half as long again, and the API server reckons a rule's cost by that.
_NETWORK = Spelling(
    f"^({_OCTET}(\\.{_OCTET}){{3}}/(3[0-2]|[12]?[0-9])"
    f"|({_GROUP}(:{_GROUP}){{7}}|{_GROUPS}::{_GROUPS})/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$",
    "write a network, such as 10.0.0.0/8 or fd00::/8; IPv6 in hexadecimal alone, as 64:ff9b::c000:200/120",
)
CIDR = Annotated[str, spelled_since(_NETWORK, longest=43, before="^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
LoadBalancerClass = Annotated[
    str,
    spelled(
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        "write a name, with a domain before it or without, such as example.com/internal",
        longest=253,
    ),
]
_PATH = "^/\\S*$"
Path = Annotated[str, spelled(_PATH, "write a path that begins with /", longest=1024)]
# What the Gateway API takes: no empty part, none of dots alone, and no other characters, or / in disguise.
_CHARACTER = "[-A-Za-z0-9_~!$&\\x27()*+,;=:@]|%([013-9a-fA-F][0-9a-fA-F]|2[0-9a-eA-E])"
_PART = f"(\\.{{0,2}}({_CHARACTER})|\\.{{3}})(\\.|{_CHARACTER})*"
_PREFIX = Spelling(
    f"^/({_PART}(/{_PART})*/?)?$",
    "write a path of plain parts, such as /images: no empty one, no . or .., and neither ? nor #",
)
Prefix = Annotated[str, spelled_since(_PREFIX, longest=1024, before=_PATH)]


def _class(of: str) -> str:
    return f"(has({of}.loadBalancerClass) ? {of}.loadBalancerClass : '')"


class Service(Block, frozen=True, kw_only=True):
    """The Service `<name>-service` in front of the pods."""

    rules: ClassVar = (
        Rule(
            "self.type == 'LoadBalancer' || !has(self.loadBalancerClass)",
            "service.loadBalancerClass needs service.type: LoadBalancer",
        ),
        Rule(
            "self.type == 'LoadBalancer' || !has(self.loadBalancerSourceRanges)",
            "service.loadBalancerSourceRanges needs service.type: LoadBalancer",
        ),
        # No Service allows it, and what cannot be applied would hold up everything else.
        Rule(
            f"self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || {_class('self')} == {_class('oldSelf')}",
            "service.loadBalancerClass cannot be set, changed or removed while type is LoadBalancer; set service.type:"
            " ClusterIP, and LoadBalancer with the other class once that is in place; the address changes",
        ),
    )

    type: Annotated[Literal["ClusterIP", "NodePort", "LoadBalancer"], described("How the Service is reached.")] = (
        "ClusterIP"
    )
    port: Annotated[Port, described("The Service's port; the pods always listen on 8000.")] = 80
    annotations: Annotated[Annotations, described("Annotations of the Service, for cloud load balancers.")] = (
        msgspec.field(default_factory=dict)
    )
    load_balancer_class: Annotated[LoadBalancerClass | None, described("Which controller makes the load balancer.")] = (
        None
    )
    load_balancer_source_ranges: Annotated[
        tuple[CIDR, ...], Meta(max_length=64), SET, described("Networks that may reach the load balancer.")
    ] = ()


class IngressTLS(Block, frozen=True, kw_only=True):
    """The certificate of the Ingress."""

    secret_name: Annotated[
        Subdomain | None,
        described(
            "TLS Secret of the host; cert-manager fills it when asked by annotation. Left out: the controller's own."
        ),
    ] = None


class Ingress(Block, frozen=True, kw_only=True):
    """An Ingress in front of the Service."""

    rules: ClassVar = (
        Rule(
            "self.pathType == 'ImplementationSpecific' || !self.path.matches(r'//|/\\.\\.?(/|$)|%2[fF]')",
            "ingress.path has an empty part, . or .., or a / written as %2F; take it out, or set ingress.pathType:"
            " ImplementationSpecific if the controller knows what to make of it",
        ),
    )

    class_name: Annotated[Subdomain | None, described("IngressClass. Left out: the cluster's default class.")] = None
    host: Annotated[Host, described("Host name of the service, as images.example.com.")]
    path: Annotated[Path, described("Path under which the service answers.")] = "/"
    path_type: Annotated[
        Literal["Prefix", "Exact", "ImplementationSpecific"], described("How the path is compared.")
    ] = "Prefix"
    annotations: Annotated[Annotations, described("Annotations of the Ingress, for its controller.")] = msgspec.field(
        default_factory=dict
    )
    tls: Annotated[IngressTLS | None, described("Serve HTTPS. Left out: HTTP only.")] = None


class ParentRef(Block, frozen=True, kw_only=True):
    """The Gateway that a route attaches to."""

    group: Annotated[Subdomain | None, described("API group of the parent. Left out: gateway.networking.k8s.io.")] = (
        None
    )
    kind: Annotated[
        Annotated[str, spelled("^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$", "write a kind, such as Gateway", longest=63)]
        | None,
        described("Kind of the parent. Left out: Gateway."),
    ] = None
    name: Annotated[Subdomain, described("Name of the parent.")]
    namespace: Annotated[Label | None, described("Namespace of the parent. Left out: the resource's own.")] = None
    section_name: Annotated[Subdomain | None, described("Name of the Gateway's listener. Left out: all that fit.")] = (
        None
    )
    port: Annotated[Port | None, described("Port of the Gateway's listener. Left out: all that fit.")] = None


class HTTPRoute(Block, frozen=True, kw_only=True):
    """A Gateway API HTTPRoute to the Service; its timeouts follow the longest model timeout."""

    parent_refs: Annotated[
        tuple[ParentRef, ...], Meta(min_length=1, max_length=16), described("The Gateways that the route attaches to.")
    ]
    hostnames: Annotated[
        tuple[Host, ...],
        Meta(max_length=16),
        SET,
        described("Host names of the service. Empty: those of the listener."),
    ] = ()
    path: Annotated[
        Prefix,
        described(
            "Path prefix under which the service answers. It is taken off on the way: other than /, set `publicURL` to"
            " what ends with it, or links to images and `Location` lead elsewhere."
        ),
    ] = "/"
    annotations: Annotated[Annotations, described("Annotations of the HTTPRoute.")] = msgspec.field(
        default_factory=dict
    )


class ServiceAccount(Block, frozen=True, kw_only=True):
    """The ServiceAccount of the pods."""

    annotations: Annotated[
        Annotations, described("Annotations of the ServiceAccount, as eks.amazonaws.com/role-arn.")
    ] = msgspec.field(default_factory=dict)


class IPBlock(Block, frozen=True, kw_only=True):
    """A network, less the networks in `except`."""

    cidr: Annotated[CIDR, described("The network, as 10.0.0.0/8.")]
    except_: Annotated[tuple[CIDR, ...], Meta(max_length=64), described("Networks inside it that are left out.")] = ()


class NetworkPeer(Block, frozen=True, kw_only=True):
    """Pods or a network, as in networking.k8s.io/v1."""

    rules: ClassVar = (
        Rule(
            "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            "a peer needs either ipBlock, or podSelector and namespaceSelector, not both",
        ),
    )

    pod_selector: Annotated[
        LabelSelector | None, ATOMIC_MAP, described("Pods; of the resource's own namespace without namespaceSelector.")
    ] = None
    namespace_selector: Annotated[
        LabelSelector | None, ATOMIC_MAP, described("Namespaces, by label; all their pods without podSelector.")
    ] = None
    ip_block: Annotated[IPBlock | None, described("A network outside the cluster.")] = None


class PolicyPort(Block, frozen=True, kw_only=True):
    """A port, or a range of ports."""

    rules: ClassVar = (
        Rule(
            "!has(self.endPort) || self.endPort >= self.port",
            "endPort is less than port; give the last port of the range, or remove endPort",
        ),
    )

    protocol: Annotated[Literal["TCP", "UDP", "SCTP"] | None, described("Protocol. Left out: TCP.")] = None
    port: Annotated[Port, described("The port, or the first of a range.")]
    end_port: Annotated[Port | None, described("The last port of a range.")] = None


class EgressPeer(NetworkPeer, frozen=True, kw_only=True):
    """Pods or a network that the service may reach."""

    ports: Annotated[tuple[PolicyPort, ...], Meta(max_length=16), described("Ports of the peer. Empty: all.")] = ()


class NetworkPolicy(Block, frozen=True, kw_only=True):
    """Who may reach the pods and what they may reach; HTTPS and DNS stay open, but not to link-local addresses."""

    mode: Annotated[
        Mode, described("Managed: a NetworkPolicy is kept, and one for the operator's own Jaeger. Disabled: none.")
    ] = "Disabled"
    ingress_from: Annotated[
        tuple[NetworkPeer, ...],
        Meta(max_length=64),
        described(
            "Who may reach the service's port, and the pages and metrics of the operator's own Jaeger. Empty: anybody."
            " Name Prometheus' namespace here as well."
        ),
    ] = ()
    egress_to: Annotated[
        tuple[EgressPeer, ...],
        Meta(max_length=64),
        described(
            "What the pods may reach beside HTTPS, DNS and their own tracing collector. Name the address of NodeLocal"
            " DNSCache here, with port 53: link-local addresses are closed otherwise."
        ),
    ] = ()
