"""Where traces go."""

from typing import Annotated, ClassVar, Literal

from t2i_operator.spec.certificates import ClientTLS
from t2i_operator.spec.jaeger import DEFAULT_VOLUME, Jaeger
from t2i_operator.spec.quantities import amount
from t2i_operator.spec.scalars import FRACTION, URL, Fraction
from t2i_operator.spec.schema import Block, Rule, described, matches
from t2i_operator.spec.shared import LocalSecret

ANEW = (
    "to begin with a new volume set storage.type: Memory, and Badger again once that is in place; its traces are lost"
)


def _volume_rule(holds: str, sentence: str) -> Rule:
    """Compare with what was there before, unless there was or is no volume: without a managed Jaeger it is gone."""
    no_volume = " || ".join(
        f"{of}.mode != 'Managed' || !has({of}.jaeger) || !has({of}.jaeger.storage)"
        f" || {of}.jaeger.storage.type != 'Badger'"
        for of in ("self", "oldSelf")
    )
    return Rule(f"{no_volume} || {holds}", f"{sentence}; {ANEW}")


def _size(of: str) -> str:
    """Return the size of the volume in bytes; text that is no quantity is what another rule refuses."""
    badger = f"{of}.jaeger.storage.badger"
    spelled_out = f"type({badger}.size) == int ? double({badger}.size) : quantity({badger}.size).asApproximateFloat()"
    return f"(!has({badger}) ? double({amount(DEFAULT_VOLUME)}) : {spelled_out})"


def _unreadable(of: str) -> str:
    badger = f"{of}.jaeger.storage.badger"
    return f"(has({badger}) && type({badger}.size) != int && !isQuantity({badger}.size))"


def _class(of: str) -> str:
    badger = f"{of}.jaeger.storage.badger"
    return f"(has({badger}) && has({badger}.storageClassName) ? {badger}.storageClassName : '')"


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
        # A volume claim allows neither, and what cannot be applied would hold up everything else.
        _volume_rule(
            f"{_unreadable('self')} || {_unreadable('oldSelf')} || {_size('self')} >= {_size('oldSelf')}",
            "jaeger.storage.badger.size cannot become smaller",
        ),
        _volume_rule(
            f"{_class('self')} == {_class('oldSelf')}",
            "jaeger.storage.badger.storageClassName cannot be set, changed or removed later",
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
