"""The blocks of `spec.monitoring`, each in every shape; no pod of Jaeger's starts."""

import operator

from hypothesis import strategies as st

from tests.cluster.pods import parked
from tests.cluster.spec_blocks import AUTHORITY, DECIMALS, INTERVALS, LABELS, SECONDS, SECRET, Object, block, key, some

MODES = st.sampled_from(["Managed", "Disabled"])
_NAME = st.just({"name": SECRET})
_PAGES = st.sampled_from(["https://pages.example.com", "https://example.com/pages/"])
# What lets four of the rarest scrapes in; longer ones beside it.
_WINDOWS = st.sampled_from(["5m", "10m", "300s", "1h"])

_relabelings = st.lists(
    st.sampled_from(
        [
            {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"},
            {"action": "labeldrop", "regex": "pod_template_.*"},
            {"sourceLabels": ["a", "b"], "separator": "-", "replacement": "$1", "targetLabel": "c", "regex": "(.*)"},
            {"action": "hashmod", "sourceLabels": ["a"], "modulus": 4, "targetLabel": "shard"},
        ]
    ),
    max_size=2,
    unique_by=str,
)
METRICS = some(
    mode=MODES,
    labels=LABELS,
    interval=INTERVALS,
    scrapeTimeout=st.just("500ms"),
    relabelings=_relabelings,
    metricRelabelings=_relabelings,
)

_hook: Object = {"name": "hook", "webhook": {"url": key("url")}, "sendResolved": False}
_chat: Object = {"name": "chat", "minimumSeverity": "Critical", "slack": {"channel": "#images", "apiURL": key("url")}}
_pager: Object = {"name": "pager", "pagerduty": {"routingKey": key("token")}}
_smtp = {"to": "a@example.com", "from": "b@example.com", "smarthost": "mail.example.com:587"}
_mail: Object = {"name": "mail", "email": {**_smtp, "authUsername": "u", "authPassword": key("password")}}
RECEIVERS = st.sampled_from([[_mail, _hook], [_chat], [_pager], []])
_objectives = some(
    mode=MODES,
    availability=st.sampled_from(["0.9", "0.99", "0.9990"]),
    latency=some(threshold=st.sampled_from(["60s", "1m", "2s500ms"]), target=st.sampled_from(["0.9", "0.95"])),
    windowDays=st.integers(1, 90),
)
# Factors that every objective's error rate reaches.
_burn_rates = st.lists(
    block(
        {
            "name": st.sampled_from(["fast", "slow", "third"]),
            "severity": st.sampled_from(["Critical", "Warning"]),
            "factor": st.sampled_from(["9", "1.5", "1"]),
            "longWindow": st.sampled_from(["6h", "25h"]),
            "shortWindow": _WINDOWS,
        },
        optional={"for": SECONDS},
    ),
    max_size=2,
    unique_by=lambda pair: pair["name"],
)
ALERTS = some(
    mode=MODES,
    labels=LABELS,
    alertLabels=st.sampled_from([{"team": "images"}, {"team": "images", "tier": "1"}]),
    minimumRequests=st.integers(1, 50),
    thresholds=some(
        errorRate=st.sampled_from(["0.1", "0.25"]),
        generationFailureRate=st.sampled_from(["0.05", "0.50"]),
        latencyP95=st.sampled_from(["60s", "1m", "1m30s", "250ms"]),
        window=_WINDOWS,
        **{"for": SECONDS, "downFor": SECONDS},
    ),
    slo=_objectives,
    burnRates=_burn_rates,
    budget=block(
        {"amount": DECIMALS, "period": st.sampled_from(["Day", "Week", "Month"])},
        optional={"currency": st.just("EUR")},
    ),
    anomalies=some(mode=MODES, deviations=st.sampled_from(["3", "2.5"])),
    receivers=RECEIVERS,
    runbookURL=_PAGES,
)

FORMATS: list[Object] = [
    {"format": "GrafanaDashboard", "instanceSelector": {"matchLabels": {"dashboards": "grafana"}}},
    {"format": "GrafanaDashboard", "instanceSelector": {"matchLabels": {"dashboards": "another"}}},
    {},
]
DASHBOARDS = st.builds(
    operator.or_,
    some(
        mode=MODES,
        folder=st.just("Pictures"),
        labels=LABELS,
        annotations=LABELS,
        traceURL=_PAGES,
        prometheusURL=_PAGES,
        grafanaURL=_PAGES,
    ),
    st.sampled_from(FORMATS),
)
LANGTRACE = some(
    mode=st.sampled_from(["Auto", "Disabled"]), host=_PAGES, prompts=st.sampled_from(["Full", "Truncated"])
)

# On a volume that nobody provides: no pod of Jaeger's starts.
STORED: Object = {"storage": {"type": "Badger", "badger": {"storageClassName": "nobody-s"}}}
_client = {"clientSecretRef": {"name": SECRET}}
_certificates = st.sampled_from(
    [
        {"ca": {"secretKeyRef": {"name": SECRET, "key": "tls.crt"}}, **_client},
        {"ca": {"configMapKeyRef": {"name": SECRET, "key": AUTHORITY}}},
        _client,
    ]
)
_searches = block(
    {"serverURLs": st.just(["https://search.example.com:9200"]), "tls": _certificates},
    optional={"credentialsSecretRef": _NAME, "indexPrefix": st.just("pictures")},
)
_badger = some(retention=st.sampled_from(["72h", "1h"]), size=st.just("10Gi")).map(
    lambda drawn: {"type": "Badger", "badger": {**STORED["storage"]["badger"], **drawn}}
)
_memory = st.sampled_from([{"type": "Memory", "memory": {"maxTraces": 20000}}, {"type": "Memory"}])
_opensearch, _elasticsearch = (
    st.fixed_dictionaries({"type": st.just(each), each[0].lower() + each[1:]: _searches})
    for each in ("OpenSearch", "Elasticsearch")
)
_stores = _elasticsearch | _opensearch | _badger | _memory
_samplings = block(
    {"mode": st.sampled_from(["Enabled", "Disabled"])},
    # Longer than any generation may take.
    optional={"ratio": DECIMALS, "slowerThan": st.sampled_from(["10s", "1m"]), "decisionWait": st.just("31m")},
)
_templates = some(
    metadata=some(labels=LABELS, annotations=LABELS),
    spec=some(
        nodeSelector=LABELS,
        tolerations=st.just([{"key": "gpu", "operator": "Exists"}]),
        containers=st.just([{"name": "jaeger", "env": [{"name": "A", "value": "1"}]}]),
    ),
)
_jaegers = st.builds(
    operator.or_,
    block(
        {"storage": _stores},
        optional={
            "image": st.just("jaeger.example.com/jaeger:another"),
            "tailSampling": _samplings,
            "resources": st.just({"requests": {"cpu": "0.1"}, "limits": {"memory": "1024Mi"}}),
        },
    ),
    st.just({"format": "OpenTelemetryCollector"})
    | block({"podTemplate": _templates}, optional={"format": st.just("Deployment")}).map(parked),
)


def _managed(jaeger: Object, more: Object) -> Object:
    """With tail sampling the collector owns the ratio."""
    owned = "samplingRatio" if jaeger.get("tailSampling", {}).get("mode") == "Enabled" else ""
    return {"mode": "Managed", "jaeger": jaeger, **{name: value for name, value in more.items() if name != owned}}


_exported = some(protocol=st.sampled_from(["grpc", "http/protobuf"]), samplingRatio=DECIMALS)
_endpoints = st.fixed_dictionaries({"endpoint": st.just("https://otel:4317"), "tls": _certificates}) | st.sampled_from(
    [{"endpoint": "http://otel:4317"}, {"endpoint": "https://otel:4317"}]
)
TRACING = (
    st.builds(_managed, _jaegers, _exported)
    | st.builds(
        lambda endpoint, headers, more: {"mode": "External", **endpoint, **headers, **more},
        _endpoints,
        some(headersSecretRef=_NAME),
        _exported,
    )
    | _exported.map(lambda more: {"mode": "Disabled", **more})
)
