"""The one error that a person is meant to read."""

from __future__ import annotations


class UnfitError(Exception):
    """Something that the person must change: one sentence that says what is wrong and the way out."""
