"""The Jaeger that the operator runs: where it keeps traces, which of them, and how many have room in its memory."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from t2i_operator.spec.certificates import ClientTLS
from t2i_operator.spec.pod_template import PodTemplate
from t2i_operator.spec.quantities import amount
from t2i_operator.spec.scalars import URL, Duration, Fraction, Image, Label, PositiveQuantity, Subdomain
from t2i_operator.spec.schema import SET, Block, Rule, described
from t2i_operator.spec.shared import LocalSecret, Resources

# Measured with traces of six spans (docs/decisions/0058): more than the first fill the memory, and all else is refused.
TRACES_A_MEBIBYTE, DEFAULT_TRACES_A_MEBIBYTE, MOST_TRACES_BY_DEFAULT = 100, 50, 50000
DEFAULT_MEMORY = "512Mi"
# In numbers rather than as text: the API server cannot bound what text costs that an expression puts together.
_LIMIT = "self.resources.limits['memory']"
_LIMITED = "(has(self.resources) && has(self.resources.limits) && 'memory' in self.resources.limits)"
_BY_DEFAULT = "(!has(self.resources) || (!has(self.resources.limits) && !has(self.resources.requests)))"
_BYTES = (
    f"({_BY_DEFAULT} ? double({amount(DEFAULT_MEMORY)})"
    f" : type({_LIMIT}) == int ? double({_LIMIT}) : quantity({_LIMIT}).asApproximateFloat())"
)
_A_MEBIBYTE = (
    "(has(self.tailSampling) && self.tailSampling.mode == 'Enabled'"
    f" ? {DEFAULT_TRACES_A_MEBIBYTE}.0 : {TRACES_A_MEBIBYTE}.0)"
)

DEFAULT_VOLUME = "10Gi"
POD_TEMPLATE = "spec.monitoring.tracing.jaeger.podTemplate"
_LEFT_TO_OTHERS = (
    "Jaeger deletes nothing there and derives no dependency graph: that takes jobs of your own (jaeger-es-index-cleaner"
    " or a rollover; spark-dependencies)."
)


class MemoryStorage(Block, frozen=True, kw_only=True):
    """Traces are kept in memory and are gone with the pod."""

    max_traces: Annotated[
        Annotated[int, Meta(ge=1, le=10000000)] | None,
        described(
            "Most traces that are kept; older ones make room. Left out:"
            f" {DEFAULT_TRACES_A_MEBIBYTE} for each Mi of Jaeger's memory limit, {MOST_TRACES_BY_DEFAULT} at most."
        ),
    ] = None


class BadgerStorage(Block, frozen=True, kw_only=True):
    """Traces are kept on a volume."""

    size: Annotated[
        PositiveQuantity,
        described("Size of the volume, as 10Gi; it can only grow. A claim that somebody has made larger stays so."),
    ] = DEFAULT_VOLUME
    storage_class_name: Annotated[
        Subdomain | None, described("StorageClass of the volume, for good. Left out: the cluster's default.")
    ] = None
    retention: Annotated[Duration, described("How long traces are kept, as 168h.")] = "72h"


class SearchStorage(Block, frozen=True, kw_only=True):
    """Traces are kept in an Elasticsearch or OpenSearch that exists already."""

    server_urls: Annotated[
        tuple[URL, ...],
        Meta(min_length=1, max_length=16),
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
    elasticsearch: Annotated[SearchStorage | None, described(f"Settings of Elasticsearch. {_LEFT_TO_OTHERS}")] = None
    open_search: Annotated[SearchStorage | None, described(f"Settings of OpenSearch. {_LEFT_TO_OTHERS}")] = None


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

    rules: ClassVar = (
        Rule(
            "!has(self.storage) || !has(self.storage.memory) || !has(self.storage.memory.maxTraces)"
            f" || !({_BY_DEFAULT} || {_LIMITED})"
            f" || ({_LIMITED} && type({_LIMIT}) != int && !isQuantity({_LIMIT}))"
            f" || {_BYTES} * {_A_MEBIBYTE} >= double(self.storage.memory.maxTraces * {2**20})",
            f"jaeger.storage.memory.maxTraces has no room: {TRACES_A_MEBIBYTE} traces need 1Mi of"
            f" jaeger.resources.limits.memory ({DEFAULT_MEMORY} when left out),"
            f" {DEFAULT_TRACES_A_MEBIBYTE} with tailSampling; raise that limit, or lower maxTraces",
        ),
        Rule(
            "!has(self.podTemplate) || self.format == 'Deployment'",
            "jaeger.podTemplate needs jaeger.format: Deployment; an OpenTelemetryCollector's pods are made by the"
            " OpenTelemetry operator",
        ),
    )

    format: Annotated[
        Literal["Deployment", "OpenTelemetryCollector"],
        described("Deployment: the operator's own. OpenTelemetryCollector: left to the OpenTelemetry operator."),
    ] = "Deployment"
    image: Annotated[Image | None, described("Jaeger v2 image. Left out: the operator's own choice.")] = None
    storage: Annotated[Storage, described("Where traces are kept.")] = Storage()
    tail_sampling: Annotated[TailSampling, described("Which traces are kept.")] = TailSampling()
    resources: Annotated[
        Resources, described(f"Compute resources of Jaeger. Left out: 100m CPU and {DEFAULT_MEMORY} memory.")
    ] = Resources()
    pod_template: Annotated[
        PodTemplate,
        described(
            "What is merged over Jaeger's pod. Set its memory by resources: how much Jaeger keeps follows from that."
        ),
    ] = PodTemplate()

    @property
    def is_collector(self) -> bool:
        """Whether it is an OpenTelemetryCollector, and the OpenTelemetry operator makes its Deployment."""
        return self.format == "OpenTelemetryCollector"
