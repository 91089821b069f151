"""What of a resource is too large to be decoded, in what the API server answers.

In Python a megabyte and a half of `{"":{}},` takes 44 MB, and Kopf keeps what it has decoded until its turn comes: a
dozen such resources took 550 MB at every start. What is refused anyway, or read by nobody, is taken out before that.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from t2i_operator import naming

# Bytes of JSON.
LARGEST = 128 * 1024
# What stands for such a template. No field of a PodSpec has a space in it.
TOO_LARGE = "too large"
_STUB = msgspec.json.encode({TOO_LARGE: True})

_KIND = msgspec.json.encode(naming.RESOURCE_KIND)
# All that is read of a resource's metadata, our entry of `managedFields` aside.
_READ = ("name", "namespace", "uid", "generation", "resourceVersion", "deletionTimestamp")
# Go writes six bytes for each of these characters.
_ESCAPES = (rb"\u003c", rb"\u003e", rb"\u0026")


class _Entry(msgspec.Struct):
    """One of `managedFields`, which has a name for each key of a template."""

    manager: str = ""
    subresource: str = ""

    @property
    def is_our_status(self) -> bool:
        return self.manager == naming.FIELD_MANAGER and self.subresource == "status"


def cut(content: bytes) -> bytes:
    """Return a resource, a list of them or an event of a watch with a stub for each such template.

    Of metadata that is as large what nobody reads is left out: besides `managedFields`, labels have no bound either.
    """
    if len(content) <= LARGEST or _KIND not in content:
        return content
    try:
        return _cut(content)
    except msgspec.DecodeError:
        return content  # whoever asked will say so


def _cut(content: bytes) -> bytes:
    if len(content) <= LARGEST:
        return content
    fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    ours = bytes(fields.get("kind", b"")) == _KIND
    return _within(content, _RESOURCE if ours else {"items": _items, "object": _cut})


def _items(content: bytes) -> bytes:
    return msgspec.json.encode([msgspec.Raw(_cut(item)) for item in _raw(content)])


def _raw(content: bytes) -> list[bytes]:
    return [bytes(item) for item in msgspec.json.decode(content, type=list[msgspec.Raw])]


def _within(content: bytes, how: Any) -> bytes:
    """Cut parts of an object, by functions that are arranged as they are."""
    if len(content) <= LARGEST:
        return content
    if not isinstance(how, Mapping):
        return bytes(how(content))
    fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    cuts = {name: msgspec.Raw(_within(bytes(fields[name]), inside)) for name, inside in how.items() if name in fields}
    return msgspec.json.encode(fields | cuts)


def _metadata(content: bytes) -> bytes:
    fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    kept = {name: fields[name] for name in _READ if name in fields}
    entries = _raw(bytes(fields.get("managedFields", b"[]")))
    ours = [msgspec.Raw(each) for each in entries if msgspec.json.decode(each, type=_Entry).is_our_status]
    managed = msgspec.json.encode(ours)
    return msgspec.json.encode(kept | {"managedFields": msgspec.Raw(managed if len(managed) <= LARGEST else b"[]")})


def _template(content: bytes) -> bytes:
    size = len(content) - 5 * sum(map(content.count, _ESCAPES))  # as `msgspec` encodes it
    return _STUB if size > LARGEST else content


_RESOURCE = {
    "metadata": _metadata,
    "spec": {
        "podTemplate": {"spec": _template},
        "monitoring": {"tracing": {"jaeger": {"podTemplate": {"spec": _template}}}},
    },
}
