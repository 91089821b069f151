"""Where traces go, and the Jaeger that the operator runs for them."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from t2i_operator.spec.scalars import (
    FRACTION,
    SET,
    URL,
    Block,
    Duration,
    Fraction,
    KeySelector,
    Label,
    LocalSecret,
    Quantity,
    Resources,
    Rule,
    Subdomain,
    described,
    matches,
    spelled,
)

Image = Annotated[
    str, spelled("^\\S+$", "write an image without spaces, such as registry.example.com/service:1.0", longest=1024)
]


class CertificateAuthority(Block, frozen=True, kw_only=True):
    """Certificates that vouch for a server."""

    rules: ClassVar = (
        Rule(
            "has(self.secretKeyRef) != has(self.configMapKeyRef)",
            "ca needs exactly one of secretKeyRef and configMapKeyRef",
        ),
    )

    secret_key_ref: Annotated[KeySelector | None, described("Key of a Secret with PEM certificates.")] = None
    config_map_key_ref: Annotated[KeySelector | None, described("Key of a ConfigMap with PEM certificates.")] = None


class ClientTLS(Block, frozen=True, kw_only=True):
    """How a server proves itself to us, and we to it."""

    ca: Annotated[
        CertificateAuthority | None, described("Who vouches for the server. Left out: the public authorities.")
    ] = None
    client_secret_ref: Annotated[
        LocalSecret | None, described("TLS Secret (tls.crt, tls.key) shown to the server. Left out: none.")
    ] = None


class MemoryStorage(Block, frozen=True, kw_only=True):
    """Traces are kept in memory and are gone with the pod."""

    max_traces: Annotated[
        int, Meta(ge=1, le=10000000), described("Most traces that are kept; older ones make room.")
    ] = 50000


class BadgerStorage(Block, frozen=True, kw_only=True):
    """Traces are kept on a volume."""

    size: Annotated[Quantity, described("Size of the volume, as 10Gi.")] = "10Gi"
    storage_class_name: Annotated[
        Subdomain | None, described("StorageClass of the volume. Left out: the cluster's default.")
    ] = None
    retention: Annotated[Duration, described("How long traces are kept, as 168h.")] = "72h"


class SearchStorage(Block, frozen=True, kw_only=True):
    """Traces are kept in an Elasticsearch or OpenSearch that exists already."""

    server_urls: Annotated[
        tuple[URL, ...],
        Meta(min_length=1, max_length=16),
        FRACTION,
        SET,
        described("Where the cluster answers, as https://search:9200."),
    ]
    credentials_secret_ref: Annotated[
        LocalSecret | None, described("Secret with the keys username and password. Left out: no authentication.")
    ] = None
    index_prefix: Annotated[Label | None, described("Prefix of the indices. Left out: none.")] = None
    tls: Annotated[ClientTLS | None, described("Certificates for https URLs.")] = None


class Storage(Block, frozen=True, kw_only=True):
    """Where Jaeger keeps traces."""

    rules: ClassVar = (
        Rule(
            "self.type == 'Memory' || !has(self.memory)",
            "jaeger.storage.memory needs storage.type: Memory; remove the block, or change the type",
        ),
        Rule(
            "self.type == 'Badger' || !has(self.badger)",
            "jaeger.storage.badger needs storage.type: Badger; remove the block, or change the type",
        ),
        Rule(
            "(self.type == 'Elasticsearch') == has(self.elasticsearch)",
            "jaeger.storage.type Elasticsearch and the block storage.elasticsearch{serverURLs} need each other",
        ),
        Rule(
            "(self.type == 'OpenSearch') == has(self.openSearch)",
            "jaeger.storage.type OpenSearch and the block storage.openSearch{serverURLs} need each other",
        ),
    )

    type: Annotated[Literal["Memory", "Badger", "Elasticsearch", "OpenSearch"], described("What keeps the traces.")] = (
        "Memory"
    )
    memory: Annotated[MemoryStorage | None, described("Settings of Memory.")] = None
    badger: Annotated[BadgerStorage | None, described("Settings of Badger.")] = None
    elasticsearch: Annotated[SearchStorage | None, described("Settings of Elasticsearch.")] = None
    open_search: Annotated[SearchStorage | None, described("Settings of OpenSearch.")] = None


class TailSampling(Block, frozen=True, kw_only=True):
    """Keep every failed and slow trace, and a share of the ordinary ones."""

    mode: Annotated[
        Literal["Enabled", "Disabled"],
        described("Enabled: the collector decides once a trace is over. Disabled: it keeps all."),
    ] = "Disabled"
    ratio: Annotated[Fraction, described("Share of the ordinary traces that is kept.")] = "0.1"
    slower_than: Annotated[Duration, described("A trace that takes longer is always kept.")] = "10s"
    decision_wait: Annotated[
        Duration | None,
        described("How long a trace may take to be over. Left out: 10 s more than the longest model timeout."),
    ] = None


class Jaeger(Block, frozen=True, kw_only=True):
    """The Jaeger that the operator runs."""

    format: Annotated[
        Literal["Deployment", "OpenTelemetryCollector"],
        described("Deployment: the operator's own. OpenTelemetryCollector: left to the OpenTelemetry operator."),
    ] = "Deployment"
    image: Annotated[Image | None, described("Jaeger v2 image. Left out: the operator's own choice.")] = None
    storage: Annotated[Storage, described("Where traces are kept.")] = Storage()
    tail_sampling: Annotated[TailSampling, described("Which traces are kept.")] = TailSampling()
    resources: Annotated[Resources, described("Compute resources of Jaeger. Left out: 100m CPU and 512Mi memory.")] = (
        Resources()
    )


class Tracing(Block, frozen=True, kw_only=True):
    """Where OpenTelemetry spans go."""

    rules: ClassVar = (
        Rule(
            "self.mode != 'External' || has(self.endpoint)",
            "tracing.mode External needs tracing.endpoint, as https://otlp.example.com:4317",
        ),
        Rule(
            "self.mode != 'Managed' || !has(self.endpoint)",
            "tracing.endpoint needs tracing.mode: External; Managed sends to the operator's own Jaeger",
        ),
        Rule(
            "self.mode != 'Managed' || (!has(self.headersSecretRef) && !has(self.tls))",
            "tracing.headersSecretRef and tracing.tls need tracing.mode: External",
        ),
        Rule(
            "self.mode != 'External' || !has(self.jaeger)",
            "tracing.jaeger needs tracing.mode: Managed; remove the block, or change the mode",
        ),
        Rule(
            "!has(self.tls) || !has(self.endpoint) || self.endpoint.startsWith('https://')",
            "tracing.tls needs an endpoint that begins with https://",
        ),
        Rule(
            "!has(self.jaeger) || !has(self.jaeger.tailSampling) || self.jaeger.tailSampling.mode != 'Enabled'"
            f" || !{matches('self.samplingRatio', FRACTION)} || double(self.samplingRatio) == 1.0",
            'with jaeger.tailSampling the collector owns the ratio: leave samplingRatio at "1", set tailSampling.ratio',
        ),
    )

    mode: Annotated[
        Literal["Managed", "External", "Disabled"],
        described(
            "Managed: the operator runs a Jaeger. External: spans go to endpoint. Disabled: no spans are exported."
        ),
    ] = "Managed"
    endpoint: Annotated[
        URL | None,
        described("OTLP endpoint of External, as https://otlp.example.com:4317; http/protobuf appends /v1/traces."),
    ] = None
    protocol: Annotated[
        Literal["grpc", "http/protobuf"], described("OTLP transport, spelled as OpenTelemetry does.")
    ] = "grpc"
    tls: Annotated[ClientTLS | None, described("Certificates for an https endpoint.")] = None
    headers_secret_ref: Annotated[
        LocalSecret | None, described("Secret of which every key is sent as a header, as api-key.")
    ] = None
    sampling_ratio: Annotated[
        Fraction,
        described("Share of the traces that begin here and are recorded; callers' own decisions are honoured."),
    ] = "1"
    jaeger: Annotated[Jaeger, described("Settings of the Jaeger that the operator runs.")] = Jaeger()
