"""The blocks of valid specs, each in every shape, but for those of monitoring."""

import operator
from typing import Any

from hypothesis import strategies as st

from tests.cluster.gateways import NAME as GATEWAY

Object = dict[str, Any]
Blocks = dict[str, st.SearchStrategy[Any]]

_WORDS = st.sampled_from(["a", "b", "blue-green", "x.example.com", "0"])
LABELS = st.dictionaries(_WORDS.map(lambda word: f"example.com/{word}"), _WORDS, max_size=2)
SECONDS = st.integers(1, 300).map(lambda number: f"{number}s") | st.sampled_from(["1m", "1m30s", "500ms", "1h"])
INTERVALS = st.integers(2, 75).map(lambda number: f"{number}s") | st.sampled_from(["1m", "1m15s", "2500ms"])
DECIMALS = st.sampled_from(["0", "0.5", "0.25", "1", "0.050"])
PORTS = st.integers(1, 65535)
HOSTS = st.sampled_from(["pictures.example.com", "a.b.example.org"])
PEERS = st.lists(
    st.fixed_dictionaries({"namespaceSelector": st.fixed_dictionaries({"matchLabels": LABELS})})
    | st.just({"ipBlock": {"cidr": "10.20.0.0/16", "except": ["10.20.1.0/24"]}}),
    max_size=2,
)


def block(required: Blocks, *, optional: Blocks) -> st.SearchStrategy[Object]:
    """Draw each of the optional ones as often as not: Hypothesis leaves most of them out, and few examples are drawn.

    The first example, which is the simplest, has all of them: it takes the first of every choice.
    """
    drawn = st.fixed_dictionaries(required | {name: value | st.none() for name, value in optional.items()})
    return drawn.map(lambda fields: {name: value for name, value in fields.items() if value is not None})


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    return block({}, optional=optional)


_PRICES = st.builds(
    operator.or_,
    some(currency=st.just("EUR")),
    st.sampled_from(["perImage", "perSecond"]).flatmap(lambda by: st.fixed_dictionaries({by: DECIMALS})),
)
_SIDES = st.sampled_from([1024, 2048, 4096])
_LIMITS = some(
    maxWidth=_SIDES,
    maxHeight=_SIDES,
    maxOutputs=st.integers(1, 4),
    maxSteps=st.integers(50, 100),
    maxPromptCharacters=st.integers(1, 5000),
)
_DEFAULTS = some(
    width=st.sampled_from([512, 1024]),
    height=st.sampled_from([512, 1024]),
    steps=st.integers(1, 50),
    guidanceScale=st.sampled_from(["7.5", "0", "7.50"]),
    negativePrompt=st.sampled_from(["", "blurred"]),
    scheduler=st.sampled_from(["K_EULER", "DDIM"]),
)


def _model(name: str) -> st.SearchStrategy[Object]:
    return block(
        {"name": st.just(name), "provider": st.just("Sandbox")},
        optional={
            "weight": st.integers(1, 100),
            "timeoutSeconds": st.integers(1, 1800),
            "price": _PRICES,
            "sandbox": some(latency=SECONDS, failureRate=DECIMALS),
            "limits": _LIMITS,
            "defaults": _DEFAULTS,
        },
    )


_models = st.lists(st.sampled_from(["sdxl", "draft", "fast", "anime"]), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*map(_model, names)).map(list)
)
BUDGETS = st.sampled_from(
    [
        {"mode": "Managed", "maxUnavailable": "30%"},
        *({"mode": "Managed", "minAvailable": number} for number in (1, 2, 3)),
        {"mode": "Disabled"},
    ]
)
_containers = block(
    {"name": st.just("text-to-image")},
    optional={
        "env": st.lists(st.sampled_from("ABC"), max_size=2, unique=True).map(
            lambda names: [{"name": name, "value": "1"} for name in names]
        ),
        "resources": st.just({"requests": {"cpu": "1000m"}, "limits": {"memory": "1024Mi", "cpu": 2}}),
    },
)
TEMPLATES = some(
    metadata=some(labels=LABELS, annotations=LABELS),
    spec=some(
        containers=st.lists(_containers, min_size=1, max_size=1),
        nodeSelector=LABELS,
        tolerations=st.just([{"key": "gpu", "operator": "Exists"}]),
        priorityClassName=st.just(""),
        terminationGracePeriodSeconds=st.integers(4000, 5000),
    ),
)

# A Secret of this name is there, with these keys, and a ConfigMap of the name with this one.
SECRET, AUTHORITY = "given", "ca"
SECRET_KEYS = ("token", "REPLICATE_API_TOKEN", "LANGTRACE_API_KEY", "url", "username", "password", "tls.crt", "tls.key")


def key(name: str) -> Object:
    return {"secretKeyRef": {"name": SECRET, "key": name}}


_replicate = block(
    {"name": st.just("remote"), "provider": st.just("Replicate"), "version": st.just("a" * 64)},
    optional={"timeoutSeconds": st.integers(1, 1800)},
)
MODELS = st.tuples(_models, st.lists(_replicate, max_size=1)).map(lambda both: [*both[0], *both[1]])
CREDENTIALS = st.just({"secretRef": {"name": SECRET}}) | block(
    {"replicateApiToken": st.just(key("token"))}, optional={"langtraceApiKey": st.just(key("LANGTRACE_API_KEY"))}
)
EGRESS = st.sampled_from(
    [
        [{"ipBlock": {"cidr": "10.30.0.0/16", "except": ["10.30.1.0/24"]}, "ports": [{"port": 3128, "endPort": 3130}]}],
        [{"namespaceSelector": {"matchLabels": {"team": "proxies"}}, "ports": [{"port": 53, "protocol": "UDP"}]}],
        [{"podSelector": {"matchLabels": {"app": "proxy"}}, "ports": [{"port": 3128}]}],
    ]
)
TLS = st.sampled_from([{}, {"secretName": SECRET}])
INGRESSES = block(
    {"host": HOSTS},
    optional={
        "annotations": LABELS,
        "tls": TLS,
        "className": st.just("nginx"),
        "path": st.sampled_from(["/images", "/"]),
        "pathType": st.sampled_from(["Exact", "Prefix"]),
    },
)
SERVICES = st.builds(
    operator.or_,
    some(port=PORTS, annotations=LABELS),
    st.sampled_from(
        [
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]},
            {"type": "LoadBalancer"},
            {"type": "NodePort"},
            {"type": "ClusterIP"},
            {},
        ]
    ),
)
ACCESS = some(requestsPerMinute=st.integers(1, 10000), apiKeysSecretRef=st.just({"name": SECRET}))
ADMISSION = some(maxInFlight=st.integers(1, 1000), maxQueued=st.integers(0, 1000), maxQueueSeconds=st.integers(1, 600))
_parents = st.sampled_from([{"name": GATEWAY}, {"name": GATEWAY, "sectionName": "http"}])
ROUTES = block(
    {"parentRefs": st.lists(_parents, min_size=1, max_size=1)},
    optional={
        "hostnames": st.lists(HOSTS, max_size=2, unique=True),
        "path": st.sampled_from(["/", "/images"]),
        "annotations": LABELS,
    },
)

_paces = st.sampled_from(
    [
        {"stabilizationWindowSeconds": 60},
        {"selectPolicy": "Disabled"},
        {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
    ]
)
_MEMORY = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1024Mi"}}
_BUSY = {"metric": {"name": "active_requests"}, "target": {"type": "AverageValue", "averageValue": "2000m"}}
_targets = st.sampled_from(
    [
        {"metrics": [{"type": "Resource", "resource": _MEMORY}, {"type": "Pods", "pods": _BUSY}]},
        {"targetCPUUtilizationPercentage": 70},
        {},
    ]
)
AUTOSCALERS = st.builds(
    operator.or_,
    block(
        {
            "maxReplicas": st.integers(3, 4),
            # Never left out: of a block that goes, the API server's defaults stay, and say what its absence says.
            "behavior": block({"scaleUp": _paces}, optional={"scaleDown": _paces}),
        },
        optional={"minReplicas": st.integers(1, 3)},
    ),
    _targets,
)
