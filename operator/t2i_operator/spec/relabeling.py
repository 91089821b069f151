"""What may be done to the labels of what is scraped; what Prometheus scrapes is not the spec's to choose."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from t2i_operator.spec.scalars import LongText
from t2i_operator.spec.schema import Block, Rule, Spelling, described, matches, spelled, spelled_since

MetricLabel = Annotated[
    str, spelled("^[a-zA-Z_][a-zA-Z0-9_]*$", "write a label's name: letters, digits and _, no digit first", longest=253)
]
_TARGET_LABEL = Spelling(
    "^(_?[a-zA-Z][a-zA-Z0-9_]*|__tmp_[a-zA-Z0-9_]*)$",
    "name the label that is written: letters, digits and _; of those that begin with __, by which Prometheus"
    " chooses what it scrapes, __tmp_... alone",
)
TargetLabel = Annotated[str, spelled_since(_TARGET_LABEL, longest=253)]
# By these one service's series are told from another's: in rules, dashboards and Alertmanager's routes, and in those of
# other people. A pod's or an instance's name says something inside of them only.
IDENTITY = ("namespace", "service", "job")
_MAPPED = "^([a-zA-Z]|__tmp_)"
_CHOOSES_NO_TARGET = Rule(
    "!has(self.action) || self.action != 'labelmap' || (has(self.replacement)"
    f" && {matches('self.replacement', _MAPPED)})",
    "labelmap needs a replacement that begins with a letter, such as pod_label_$1: else it could write labels that"
    " begin with __, by which Prometheus chooses what it scrapes",
)


class Relabeling(Block, frozen=True, kw_only=True):
    """One relabelling step, as in monitoring.coreos.com/v1."""

    rules: ClassVar = (
        Rule(
            f"!has(self.targetLabel) || !(self.targetLabel in {[*IDENTITY]})",
            f"targetLabel may not be {', '.join(IDENTITY)}: series are told from other services' by these, which stay"
            " what they are; write another label",
        ),
        _CHOOSES_NO_TARGET,
    )

    source_labels: Annotated[
        tuple[MetricLabel, ...], Meta(max_length=16), described("Labels whose values are joined.")
    ] = ()
    separator: Annotated[
        Annotated[str, Meta(max_length=16)] | None, described("What joins them. Left out: a semicolon.")
    ] = None
    target_label: Annotated[
        TargetLabel | None,
        described(
            "Label that is written. Not namespace, service or job, which tell one service's series from another's."
        ),
    ] = None
    regex: Annotated[LongText | None, described("What the joined value is compared with. Left out: anything.")] = None
    modulus: Annotated[Annotated[int, Meta(ge=1)] | None, described("Divisor of the hash, for hashmod.")] = None
    replacement: Annotated[
        Annotated[str, Meta(max_length=2048)] | None, described("What is written. Left out: the first group.")
    ] = None
    action: Annotated[
        Literal[
            "replace",
            "keep",
            "drop",
            "hashmod",
            "labelmap",
            "labeldrop",
            "labelkeep",
            "lowercase",
            "uppercase",
            "keepequal",
            "dropequal",
        ]
        | None,
        described("What is done. Left out: replace."),
    ] = None


Relabelings = Annotated[tuple[Relabeling, ...], Meta(max_length=32)]


def problems(steps: Sequence[Relabeling], field: str) -> Iterator[str]:
    """Yield a sentence for each step that could choose a target, by whatever CRD it was stored."""
    for number, step in enumerate(steps):
        yield from _TARGET_LABEL.problems(step.target_label, f"{field}[{number}].targetLabel")
        if step.action == "labelmap" and not re.match(_MAPPED, step.replacement or ""):
            yield f"{field}[{number}]: {_CHOOSES_NO_TARGET.message}"
