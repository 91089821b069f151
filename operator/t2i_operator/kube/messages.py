"""What the API server sends, decoded only as far as it is needed: a page of a list, and an event of a watch."""

from collections.abc import Iterator
from typing import Any

import msgspec

from t2i_operator.kube import nesting
from t2i_operator.kube.errors import unreachable
from t2i_operator.kube.kinds import Object


class ObjectMeta(msgspec.Struct, rename="camel"):
    """What metadata says first of all; of a BOOKMARK's object only the version."""

    resource_version: str
    name: str = ""
    namespace: str = ""


class _Outline(msgspec.Struct):
    metadata: ObjectMeta


class Event(msgspec.Struct):
    """One event of a watch, its object not yet decoded: most are of our own writes, and no news."""

    type: str
    object: msgspec.Raw

    def metadata(self) -> ObjectMeta:
        """Read past all the rest, which takes a fifth of the time of decoding it."""
        found: ObjectMeta = decode("watch", self.type, self.object, _Outline).metadata
        return found

    def decoded(self) -> Object:
        """Return the object, nested no deeper than `nesting.DEEPEST`."""
        found: Object = decode("watch", self.type, nesting.shallow(bytes(self.object)))
        return found


class Page(msgspec.Struct):
    """A page of a list, its items undecoded: decoding a page at once would cost ten times its size."""

    metadata: dict[str, Any]
    items: list[msgspec.Raw]

    def objects(self) -> Iterator[Object]:
        """Decode the items, each in its turn."""
        return (decode("list", "an item", raw) for raw in self.items)


def decode(method: str, path: str, content: bytes | msgspec.Raw, shape: Any = Any) -> Any:
    """Take what cannot be read for no answer; of what is passed over at first, as strings are, it is seen later."""
    try:
        return msgspec.json.decode(content, type=shape)
    except ValueError as error:
        raise unreachable(method, path, error) from error


def read_event(line: bytes) -> Event:
    """Read a line of a watch; raises ValueError for one that is no event."""
    try:
        return msgspec.json.decode(line, type=Event)
    except RecursionError:
        return msgspec.json.decode(nesting.shallow(line), type=Event)
