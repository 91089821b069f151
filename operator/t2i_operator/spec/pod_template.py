"""What is merged over pods, and what of it is refused before the API server sees it: what would harm it or us."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from t2i_operator.kube import nesting
from t2i_operator.kube.kinds import CONFIG_MAP, SECRET
from t2i_operator.kube.oversize import LARGEST, TOO_LARGE
from t2i_operator.spec import pod_references
from t2i_operator.spec.quantities import QUANTITIES, QUANTITY
from t2i_operator.spec.scalars import Annotations, Labels
from t2i_operator.spec.schema import Block, described

PRESERVED = Meta(extra_json_schema={"x-kubernetes-preserve-unknown-fields": True})
# A PodSpec has about ten.
_LEVELS = 50
# Each is asked for, one after the other, before anything else is done for the resource.
_MOST_NAMES = 100
# The API server works out such powers of ten: "1e999999" takes it seconds, and ten of them gigabytes (tried, 1.37).
_LONGEST = 64
_POWER = re.compile(r"[eE][+-]?0*[1-9][0-9]{2,}$")


class TemplateMetadata(Block, frozen=True, kw_only=True):
    """Labels and annotations of the pods."""

    labels: Annotated[Labels, described("Labels added to the pods.")] = msgspec.field(default_factory=dict)
    annotations: Annotated[Annotations, described("Annotations added to the pods.")] = msgspec.field(
        default_factory=dict
    )


class PodTemplate(Block, frozen=True, kw_only=True):
    """What is merged over the pods that the operator builds."""

    metadata: Annotated[TemplateMetadata, described("Labels and annotations added to the pods.")] = TemplateMetadata()
    spec: Annotated[
        dict[str, Any],
        PRESERVED,
        described(
            "A PodSpec, merged strategically: lists by their keys, as containers by name (the service's own is"
            " text-to-image, Jaeger's is jaeger), and $patch: delete takes an item away. Checked by the API server;"
            " Accepted, or TracingReady of Jaeger's, says how."
        ),
    ] = msgspec.field(default_factory=dict)


def problems(template: PodTemplate, field: str) -> tuple[str, ...]:
    """Return a sentence for each field that is wrong; of other mistakes the API server tells."""
    pod, where = template.spec, f"{field}.spec"
    if nesting.deeper(pod, _LEVELS):
        return (f"{where}: Has more than {_LEVELS} levels, as no PodSpec has",)
    if TOO_LARGE in pod or len(msgspec.json.encode(pod)) > LARGEST:
        return (f"{where}: Has more than {LARGEST // 1024} KiB; put long texts into a ConfigMap that it mounts",)
    names = {(each.kind, each.name) for each in pod_references.named(pod) if each.kind in (SECRET, CONFIG_MAP)}
    if len(names) > _MOST_NAMES:
        return (f"{where}: Names {len(names)} Secrets and ConfigMaps; name {_MOST_NAMES} at most",)
    return tuple(
        f"{path}: {value[:_LONGEST]!r} is no quantity that a container could have; write it without an exponent"
        for path, value in _quantities(pod, where)
        if len(value) > _LONGEST or _POWER.search(value)
    )


def _quantities(value: Any, path: str, *, each: bool = False) -> Iterator[tuple[str, str]]:
    """Find the strings that a PodSpec has for quantities, known by the fields' names; `each`: all in here."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _quantities(item, f"{path}[{number}]")
    if not isinstance(value, dict):
        return
    for name, inside in value.items():
        if isinstance(inside, str):
            if each or name in QUANTITY:
                yield f"{path}.{name}", inside
        else:
            yield from _quantities(inside, f"{path}.{name}", each=name in QUANTITIES)
