"""Valid specs of every shape that needs no pod: each block is left out, or set to something."""

from typing import Any

from hypothesis import strategies as st

Object = dict[str, Any]

_WORDS = st.sampled_from(["a", "b", "blue-green", "x.example.com", "0"])
_LABELS = st.dictionaries(_WORDS.map(lambda word: f"example.com/{word}"), _WORDS, max_size=2)
_SECONDS = st.integers(1, 300).map(lambda number: f"{number}s") | st.sampled_from(["1m", "1m30s", "500ms", "1h"])
_INTERVALS = st.integers(1, 75).map(lambda number: f"{number}s") | st.sampled_from(["1m", "1m15s", "500ms"])
_DECIMALS = st.sampled_from(["0", "0.5", "0.25", "1", "0.050"])
_PORTS = st.integers(1, 65535)
_HOSTS = st.sampled_from(["pictures.example.com", "a.b.example.org"])
_PEERS = st.lists(
    st.fixed_dictionaries({"namespaceSelector": st.fixed_dictionaries({"matchLabels": _LABELS})})
    | st.just({"ipBlock": {"cidr": "10.20.0.0/16", "except": ["10.20.1.0/24"]}}),
    max_size=2,
)


def _some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    """Each of the fields, or not."""
    return st.fixed_dictionaries({}, optional=optional)


def _model(name: str) -> st.SearchStrategy[Object]:
    return st.fixed_dictionaries(
        {"name": st.just(name), "provider": st.just("Sandbox")},
        optional={
            "weight": st.integers(1, 100),
            "timeoutSeconds": st.integers(1, 1800),
            "price": st.fixed_dictionaries({"perImage": _DECIMALS}, optional={"currency": st.just("EUR")}),
            "sandbox": _some(latency=_SECONDS, failureRate=_DECIMALS),
            "limits": _some(maxOutputs=st.integers(1, 4), maxSteps=st.integers(50, 100)),
        },
    )


_models = st.lists(st.sampled_from(["sdxl", "draft", "fast", "anime"]), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*map(_model, names)).map(list)
)
_budgets = st.sampled_from([{"mode": "Disabled"}, {"mode": "Managed", "maxUnavailable": "30%"}]) | st.integers(
    1, 3
).map(lambda number: {"mode": "Managed", "minAvailable": number})
_containers = st.fixed_dictionaries(
    {"name": st.just("text-to-image")},
    optional={
        "env": st.lists(st.sampled_from("ABC"), max_size=2, unique=True).map(
            lambda names: [{"name": name, "value": "1"} for name in names]
        ),
        "resources": st.just({"requests": {"cpu": "1000m"}, "limits": {"memory": "1024Mi", "cpu": 2}}),
    },
)
_templates = _some(
    metadata=_some(labels=_LABELS, annotations=_LABELS),
    spec=_some(
        containers=st.lists(_containers, min_size=1, max_size=1),
        nodeSelector=_LABELS,
        tolerations=st.just([{"key": "gpu", "operator": "Exists"}]),
        priorityClassName=st.just(""),
        terminationGracePeriodSeconds=st.integers(4000, 5000),
    ),
)

# A Secret of this name is there, with these keys.
SECRET = "given"
SECRET_KEYS = ("token", "REPLICATE_API_TOKEN", "LANGTRACE_API_KEY", "url", "username", "password")


def _key(name: str) -> Object:
    return {"secretKeyRef": {"name": SECRET, "key": name}}


_replicate = st.fixed_dictionaries(
    {"name": st.just("remote"), "provider": st.just("Replicate"), "version": st.just("a" * 64)},
    optional={"timeoutSeconds": st.integers(1, 1800)},
)
_every_models = st.tuples(_models, st.lists(_replicate, max_size=1)).map(lambda both: [*both[0], *both[1]])
_credentials = st.just({"secretRef": {"name": SECRET}}) | st.fixed_dictionaries(
    {"replicateApiToken": st.just(_key("token"))}, optional={"langtraceApiKey": st.just(_key("LANGTRACE_API_KEY"))}
)
_receivers = st.lists(
    st.sampled_from(
        [
            {"name": "hook", "webhook": {"url": _key("url")}, "sendResolved": False},
            {"name": "chat", "minimumSeverity": "Critical", "slack": {"channel": "#images", "apiURL": _key("url")}},
            {
                "name": "mail",
                "email": {"to": "a@example.com", "from": "b@example.com", "smarthost": "mail.example.com:587"},
            },
        ]
    ),
    max_size=2,
    unique_by=lambda receiver: receiver["name"],
)
# On a volume that nobody provides: no pod of Jaeger's starts.
_jaegers = st.fixed_dictionaries(
    {"storage": st.just({"type": "Badger", "badger": {"storageClassName": "nobody-s"}})},
    optional={
        "tailSampling": st.fixed_dictionaries({"mode": st.just("Enabled")}, optional={"ratio": _DECIMALS}),
        "resources": st.just({"limits": {"memory": "1024Mi"}}),
    },
)
_tracing = (
    st.just({"mode": "Disabled"})
    | st.just({"mode": "External", "endpoint": "http://otel:4317"})
    | st.fixed_dictionaries({"mode": st.just("Managed"), "jaeger": _jaegers})
)
_EGRESS = st.just([{"ipBlock": {"cidr": "10.30.0.0/16"}, "ports": [{"port": 3128}]}])
_tls = st.sampled_from([{}, {"secretName": "images-tls"}])


def _provided(spec: Object) -> Object:
    """Leave Replicate out where there is no token for it: such a service is not ready."""
    models = [each for each in spec["models"] if "credentials" in spec or each["provider"] != "Replicate"]
    return {**spec, "models": models}


SPECS = st.fixed_dictionaries(
    {
        "models": _every_models,
        "replicas": st.just(0),
        "monitoring": st.fixed_dictionaries(
            {"tracing": _tracing},
            optional={
                "metrics": _some(mode=st.sampled_from(["Managed", "Disabled"]), labels=_LABELS, interval=_INTERVALS),
                "alerts": _some(
                    mode=st.sampled_from(["Managed", "Disabled"]),
                    labels=_LABELS,
                    minimumRequests=st.integers(1, 50),
                    thresholds=_some(errorRate=st.sampled_from(["0.1", "0.25"])),
                    receivers=_receivers,
                ),
                "dashboards": _some(
                    mode=st.sampled_from(["Managed", "Disabled"]), folder=st.just("Pictures"), labels=_LABELS
                ),
                "langtrace": _some(mode=st.sampled_from(["Auto", "Disabled"])),
            },
        ),
    },
    optional={
        "credentials": _credentials,
        "image": st.just("ghcr.io/text-to-image/service:other"),
        "imagePullPolicy": st.sampled_from(["Always", "Never"]),
        "service": _some(port=_PORTS, annotations=_LABELS, type=st.sampled_from(["ClusterIP", "NodePort"])),
        "ingress": st.fixed_dictionaries({"host": _HOSTS}, optional={"annotations": _LABELS, "tls": _tls}),
        "serviceAccount": _some(annotations=_LABELS),
        "podDisruptionBudget": _budgets,
        "networkPolicy": st.fixed_dictionaries(
            {"mode": st.sampled_from(["Managed", "Disabled"])}, optional={"ingressFrom": _PEERS, "egressTo": _EGRESS}
        ),
        "podTemplate": _templates,
        "logging": _some(level=st.sampled_from(["DEBUG", "ERROR"]), promptCharacters=st.integers(0, 10000)),
        "admission": _some(maxInFlight=st.integers(1, 1000), maxQueued=st.integers(0, 1000)),
        "access": _some(requestsPerMinute=st.integers(1, 10000)),
        "publicURL": st.just("https://images.example.com"),
    },
).map(_provided)
