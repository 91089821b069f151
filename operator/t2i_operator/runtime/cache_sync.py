"""Tracks which namespaces have finished their first lists: before that, objects that exist would look deleted."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from t2i_operator.naming import Key
from t2i_operator.runtime.watches import Stream


class CacheSync:
    """The streams of each watched namespace (None: of all), none of which waits for another namespace's."""

    def __init__(self) -> None:
        self._streams: dict[str | None, Sequence[Stream]] = {}
        self._full: set[str | None] = set()

    def add(self, namespace: str | None, streams: Sequence[Stream]) -> None:
        """Take in what a namespace is seen by."""
        self._streams[namespace] = streams

    @property
    def streams(self) -> list[Stream]:
        """All streams of all namespaces."""
        return [stream for streams in self._streams.values() for stream in streams]

    def has_synced(self, key: Key) -> bool:
        """Tell whether a resource's namespace is seen in full."""
        return None in self._full or key.namespace in self._full

    def unsynced(self) -> list[str]:
        """Name the streams that were never listed."""
        return [stream.name for stream in self.streams if not stream.synced.is_set()]

    def refused(self) -> set[str]:
        """Name the streams that the API server refuses."""
        return {stream.name for stream in self.streams if stream.refused}

    @property
    def ready(self) -> bool:
        """Whether there is a namespace to serve, and nothing to wait for but what is refused."""
        return bool(self._full) and self.refused().issuperset(self.unsynced())

    async def run(self, release: Callable[[], None]) -> None:
        """Call `release` whenever one more namespace is seen in full; for ever, as every part of the process runs."""
        await asyncio.gather(*(self._sync(namespace, release) for namespace in self._streams))
        await asyncio.Event().wait()

    async def _sync(self, namespace: str | None, release: Callable[[], None]) -> None:
        streams = self._streams[namespace]
        await _listed(stream for stream in streams if not stream.optional)
        for stream in streams:
            stream.wait_no_longer()
        await _listed(streams)
        self._full.add(namespace)
        release()


async def _listed(streams: Iterable[Stream]) -> None:
    for stream in streams:
        await stream.synced.wait()
