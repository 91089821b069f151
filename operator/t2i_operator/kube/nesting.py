"""How deep JSON may be nested.

The API server stores 10,000 levels (tried): where a schema leaves a field open, and in `managedFields` of every object.
Python's decoders end with a RecursionError at a thousand and what walks an object at half as many, so nothing deep is
let in: what lies below is cut away, which leaves more levels than a spec may have (`spec.parse`).
"""

import re
from itertools import accumulate
from typing import Any

# No field that Kubernetes defines lies deeper than some twenty levels, OpenAPI schemas aside.
DEEPEST = 100

_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_STEPS = [(byte in b"{[") - (byte in b"}]") for byte in range(256)]
# Bytes.
_PIECE = 2**16
_ESCAPED = re.compile(rb"\\*.?", re.DOTALL)
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]')


def shallow(content: bytes) -> bytes:
    """Return JSON as it is, or with everything that lies more than DEEPEST levels deep taken out of its brackets."""
    if content.count(b"{") + content.count(b"[") <= DEEPEST or _depth(content) <= DEEPEST:
        return content
    kept, depth, start = [], 0, 0
    for token in _TOKENS.finditer(content):
        step = _STEPS[content[token.start()]]
        if step > 0:
            depth += 1
            if depth == DEEPEST:
                kept.append(content[start : token.end()])
        elif step < 0:
            if depth == DEEPEST:
                start = token.start()
            depth -= 1
    return b"".join([*kept, content[start:]])


def _depth(content: bytes) -> int:
    """Count brackets that stand outside of strings; about as fast as decoding is, and a piece at a time.

    A list of a thousand resources has ten megabytes, and each of its strings would be an object.
    """
    depth = deepest = start = inside = 0
    while start < len(content):
        end = start + _PIECE
        if content[end - 1 : end] == b"\\":  # what is escaped belongs to the same piece
            end = _ESCAPED.match(content, end).end()  # type: ignore[union-attr]
        piece = content[start:end].replace(rb"\\", b"").replace(rb"\"", b"")
        parts = piece.split(b'"')
        brackets = b"".join(parts[inside::2]).translate(None, _NO_BRACKETS)
        levels = list(accumulate(map(_STEPS.__getitem__, brackets), initial=depth))
        depth, deepest = levels[-1], max(deepest, *levels)
        inside ^= (len(parts) - 1) & 1
        start = end
    return deepest


def deeper(value: Any, levels: int) -> bool:
    """Tell whether decoded JSON has more levels of objects and lists than this many."""
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(deeper(each, levels - 1) for each in inside)
