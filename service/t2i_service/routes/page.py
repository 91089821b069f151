"""`GET /`: a page to try a prompt, one file without any other origin, under a policy that lets nothing else run."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse


def add_to(app: FastAPI) -> None:
    """Add this route."""
    app.add_api_route("/", page(), methods=["GET", "HEAD"], include_in_schema=False, response_class=HTMLResponse)


def page() -> Callable[[Request], Awaitable[HTMLResponse]]:
    """Put the page together once, with the hashes of its style and its script as the policy."""
    folder = files("t2i_service") / "page"
    style, script = (folder / "page.css").read_text(), (folder / "page.js").read_text()
    html = (folder / "page.html").read_text().replace("__STYLE__", style).replace("__SCRIPT__", script)
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src {hash_of(style)}; script-src {hash_of(script)}; img-src data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }

    async def serve(_request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    return serve


def hash_of(text: str) -> str:
    """Return a text as a policy names it, to let that inline text alone run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
