"""How large the body of a request may be, and for how long it may come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from t2i_service.offer.models_config import widest

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from t2i_service.offer.models import Models

LEAST_BODY_BYTES = 64 * 1024
# A character outside the basic plane is two escapes in JSON, as in "\ud83d\ude00".
BYTES_A_CHARACTER = 12
BYTES_BESIDE_PROMPTS = 16 * 1024
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# The whole request: what comes piece by piece would else hold its place, and a pod that stops, for as long as it likes.
ARRIVAL_SECONDS = 30
# Set in a request's scope, by the one who reads the connection, to why no more of its body comes: status and detail.
BODY_ENDED = "t2i.body_ended"


def most_bytes(models: Models) -> int:
    """Return how large a body may be: both prompts, as long as any model takes them, however JSON spells them."""
    characters = 2 * widest(model.limits for model in models).max_prompt_characters
    return max(LEAST_BODY_BYTES, characters * BYTES_A_CHARACTER + BYTES_BESIDE_PROMPTS)


def limited(scope: Scope, receive: Receive, most: int) -> Receive:
    """Stop reading a body that does not end, or is too large for all of them; Starlette's own limit is plain text."""
    if scope["method"] not in WITH_BODY:
        return receive
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    size = int(declared) if declared.isdigit() else 0

    async def receive_limited() -> Message:
        nonlocal size
        if size > most:
            raise HTTPException(413, f"A request's body may have {most} bytes.")
        message = await receive()
        if message.get("more_body") and BODY_ENDED in scope:
            status, detail = scope[BODY_ENDED]
            raise HTTPException(status, detail, {"Connection": "close"})
        if declared == b"0" and (size := size + len(message.get("body", b""))) > most:
            raise HTTPException(413, f"A request's body may have {most} bytes.")
        return message

    return receive_limited
