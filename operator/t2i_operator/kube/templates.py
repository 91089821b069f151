"""Pod templates of resources that are too large to be decoded, in what the API server answers.

In Python a megabyte and a half of `{"":{}},` takes 44 MB, and Kopf keeps what it has decoded until its turn comes: a
dozen such resources took 550 MB at every start. What is refused anyway is taken out before that.
"""

from collections.abc import Sequence

import msgspec

# Bytes of JSON.
LARGEST = 128 * 1024
# What stands for such a template. No field of a PodSpec has a space in it.
TOO_LARGE = "too large"
_STUB = msgspec.json.encode({TOO_LARGE: True})

_TEMPLATES = ("spec.podTemplate.spec", "spec.monitoring.tracing.jaeger.podTemplate.spec")
# Go writes six bytes for each of these characters.
_ESCAPES = (rb"\u003c", rb"\u003e", rb"\u0026")


def cut(content: bytes) -> bytes:
    """Return an object, a list or an event of a watch with a stub for each such template."""
    if len(content) <= LARGEST or b'"podTemplate"' not in content:
        return content
    try:
        for path in _TEMPLATES:
            for around in ([], ["items"], ["object"]):
                content = _cut(content, [*around, *path.split(".")])
    except msgspec.DecodeError:
        pass  # whoever asked will say so
    return content


def _cut(content: bytes, path: Sequence[str]) -> bytes:
    if len(content) <= LARGEST:
        return content
    if not path:
        return _STUB if _size(content) > LARGEST else content
    if content.lstrip()[:1] == b"[":
        items = msgspec.json.decode(content, type=list[msgspec.Raw])
        return msgspec.json.encode([msgspec.Raw(_cut(bytes(item), path)) for item in items])
    if content.lstrip()[:1] != b"{":
        return content
    fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    if path[0] not in fields:
        return content
    fields[path[0]] = msgspec.Raw(_cut(bytes(fields[path[0]]), path[1:]))
    return msgspec.json.encode(fields)


def _size(content: bytes) -> int:
    """Count as `msgspec` encodes it."""
    return len(content) - 5 * sum(map(content.count, _ESCAPES))
