"""`GET /docs`: the API to read and to try, by Swagger UI from an installed package, under a policy of no other origin.

FastAPI's own page runs whatever a public CDN sends, on the origin where people type prompts and keys.
"""

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException

from t2i_service.routes.page import hash_of

# The package is found and not imported: it holds the files, and an application of its own that is not wanted here.
PACKAGE = "fastapi_offline"
ASSETS = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})
CACHED = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}

SCRIPT = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null});
"""
HTML = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Text to image: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>{SCRIPT}</script>
</body>
</html>
"""
HEADERS = {
    # Swagger UI writes styles into its elements, so those alone may be inline.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self' {hash_of(SCRIPT)}; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def add_to(app: FastAPI) -> None:
    """Add these routes."""
    app.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False, response_class=HTMLResponse)
    app.add_api_route("/docs/{asset}", asset, methods=["GET"], include_in_schema=False, response_class=FileResponse)


async def docs() -> HTMLResponse:
    """Serve the page."""
    return HTMLResponse(HTML, headers=HEADERS)


async def asset(asset: str) -> FileResponse:
    """Serve one file of Swagger UI from the disk, where it costs no memory while nobody reads."""
    if asset not in ASSETS:
        raise HTTPException(404)
    return FileResponse(folder() / asset, headers=CACHED)


def folder() -> Path:
    """Return where the package keeps its files."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed")
    return Path(spec.origin).parent / "static"
