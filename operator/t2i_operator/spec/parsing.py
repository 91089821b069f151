"""From a resource as the API server sends it to a typed tree, or to sentences that say which fields are wrong."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from t2i_operator.spec import pod_template
from t2i_operator.spec.jaeger import POD_TEMPLATE as JAEGER_POD_TEMPLATE
from t2i_operator.spec.root import TextToImageService

_LOCATION = re.compile(r" - at `\$?[^`]*`$")


class InvalidSpec(Exception):  # noqa: N818 - the name of the condition's reason
    """The user's error: the resource has fields that cannot be read. Retrying is no use until the spec changes."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def parse(body: Mapping[str, Any]) -> TextToImageService:
    """Read a resource with defaults filled in; unknown fields are left aside, as the API server prunes them.

    Rules across fields are the API server's (CEL), which has applied them before the resource was stored. What was
    stored before the CRD had a rule that keeps others' secrets is read; see `reconciling.stored`.
    Raises InvalidSpec with one sentence for each wrong field.
    """
    wanted = {"metadata": body.get("metadata"), "spec": body.get("spec")}
    try:
        resource = msgspec.convert(wanted, TextToImageService)
    except msgspec.ValidationError:
        raise InvalidSpec(tuple(_problems(wanted, TextToImageService, ""))) from None
    jaeger = resource.spec.monitoring.tracing.jaeger
    wrong = (
        *pod_template.problems(resource.spec.pod_template, "spec.podTemplate"),
        *pod_template.problems(jaeger.pod_template, JAEGER_POD_TEMPLATE),
    )
    if wrong:
        raise InvalidSpec(wrong)
    return resource


def _problems(value: Any, annotation: Any, path: str) -> Iterator[str]:
    """Go down to every wrong field, because msgspec stops at the first."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        inside = list(_inside(value, _bare(annotation), path))
        yield from inside or [f"{path}: {_LOCATION.sub('', str(error))}"]


def _inside(value: Any, kind: Any, path: str) -> Iterator[str]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, Mapping):
        for field in msgspec.structs.fields(kind):
            where = f"{path}.{field.encode_name}".lstrip(".")
            if field.encode_name in value:
                yield from _problems(value[field.encode_name], field.type, where)
            elif field.required:
                yield f"{where}: Is required"
    elif get_origin(kind) is tuple and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, get_args(kind)[0], f"{path}[{index}]")


def _bare(annotation: Any) -> Any:
    """Take off `Annotated[...]` and `| None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, UnionType):
        given = [_bare(part) for part in get_args(annotation) if part is not type(None)]
        return given[0] if len(given) == 1 else annotation
    return annotation
