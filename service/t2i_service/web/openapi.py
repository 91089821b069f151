"""The OpenAPI document of this very service: its models and their limits, and every error it answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from t2i_service.callers.access import needs_key
from t2i_service.offer.api import Problem
from t2i_service.offer.models_config import widest
from t2i_service.offer.ranges import ranges
from t2i_service.web.openai_errors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from t2i_service.offer.models import Models

ANYWHERE = ("400", "401", "404", "405", "408", "410", "413", "415", "422", "429", "500")
WHERE_A_PROVIDER_IS_ASKED = ("403", "406", "409", "499", "502", "503", "504")
OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}


BEARER = {"type": "http", "scheme": "bearer", "description": "An API key, where this service asks for one"}


def describe(app: FastAPI, models: Models, *, open_to_all: bool) -> Callable[[], dict[str, Any]]:
    """Return what `app.openapi` is to be; made at the first call and kept."""
    security: list[dict[str, list[str]]] = [{}, {"bearer": []}] if open_to_all else [{"bearer": []}]

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            # Where the document is, whatever prefix a proxy has taken off; left out it would be the root of the host.
            servers = [{"url": "./"}]
            document = get_openapi(title=app.title, version=app.version, routes=app.routes, servers=servers)
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schemas["Problem"].pop("$defs", {})
            schemas["OpenAIError"] = OPENAI_ERROR
            document["components"]["securitySchemes"] = {"bearer": BEARER}
            _limit(schemas["GenerateRequest"]["properties"], models)
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _add_errors(path, operation)
                    if needs_key(path):
                        operation["security"] = security
            app.openapi_schema = document
        return app.openapi_schema

    return openapi


def _add_errors(path: str, operation: dict[str, Any]) -> None:
    quiet = "operations" in operation.get("tags", ())
    kind, name = ("json", "OpenAIError") if path.startswith(PREFIX) else ("problem+json", "Problem")
    content = {f"application/{kind}": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    operation["responses"].pop("422", None)
    for status in (*ANYWHERE, *(() if quiet else WHERE_A_PROVIDER_IS_ASKED)):
        operation["responses"].setdefault(status, {"description": "An error", "content": content})


def _limit(properties: dict[str, Any], models: Models) -> None:
    """Write the widest limits of the models into the request's own schema."""
    limits = widest(model.limits for model in models)
    for field, allowed in ranges(limits).items():
        for option in properties[field].get("anyOf", [properties[field]]):
            if option.get("type") != "null":
                option.update(allowed)
    properties["prompt"]["maxLength"] = limits.max_prompt_characters
    properties["model"]["anyOf"][0]["enum"] = models.names
