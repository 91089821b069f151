"""The one error that a person is meant to read."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = (errno.ENOSPC, errno.EDQUOT)


class UnfitError(Exception):
    """Something that the person must change: one sentence that says what is wrong and the way out."""


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Translate what any write may meet, once and at the edge: raises UnfitError for a disk that filled midway."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f", {error.filename}" if error.filename else ""
        raise UnfitError(
            f"A disk is full ({error.strerror}{where}); make room and run the same command again: it goes on from here."
        ) from error
