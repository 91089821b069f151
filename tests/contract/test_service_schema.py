"""What the service says of itself in its OpenAPI document holds for whatever is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.conftest import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.processes import RunningService

SMALL = {"prompt": "a lighthouse at dusk", "width": 64, "height": 64}
ALICE = {"authorization": "Bearer key-of-alice"}
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# A limit may be that of the one model that is chosen, and a size is a string: not all of it fits into a schema.
NOT_CHECKED = "positive_data_acceptance"


def schemathesis(service: RunningService, folder: Path, *options: str) -> str:
    """Return what it says of a service that holds what it promises."""
    result = subprocess.run(  # noqa: S603 - the tool of this environment
        [
            SCHEMATHESIS,
            "run",
            f"{service.url}/openapi.json",
            "--max-examples=8",
            "--generation-deterministic",
            "--request-timeout=60",
            f"--exclude-checks={NOT_CHECKED}",
            "--no-color",
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert not [line for line in service.logs if line["level"] == "error"]
    return result.stdout


def test_the_schema_holds(sandbox: RunningService, tmp_path: Path) -> None:
    schemathesis(sandbox, tmp_path)


def test_the_schema_holds_for_who_has_a_key_and_a_generation(
    start: Callable[..., RunningService], tmp_path: Path
) -> None:
    """What is made up is no id of ours: without one, only the refusals of its routes are seen."""
    (keys := tmp_path / "keys").mkdir()
    (keys / "alice").write_text("key-of-alice")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(keys))
    with service.client(headers=ALICE) as client:
        result = client.post("/generate", json=SMALL | {"response_format": "url"}).json()
    signature = result["images"][0]["url"].partition("signature=")[2]
    seeds = {"generation_id": result["id"], "index": 0, "signature": signature}
    lines = [f"{name} = {json.dumps(value)}" for name, value in seeds.items()]
    (tmp_path / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines]))
    schemathesis(service, tmp_path, "--header", f"Authorization: {ALICE['authorization']}")
    served = {(line["method"], line["endpoint"], line["status"]) for line in service.logged("Request served")}
    assert served >= {
        ("GET", "/generations/{generation_id}", 200),
        ("POST", "/generations/{generation_id}/cancel", 409),
        ("GET", "/generations/{generation_id}/images/{index}", 200),
        ("GET", "/v1/models", 200),
    }


def test_the_document_tells_this_services_own_limits(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        request = client.get("/openapi.json").json()["components"]["schemas"]["GenerateRequest"]["properties"]
    assert request["width"]["anyOf"][0]["maximum"] == 2048
    assert request["prompt"]["maxLength"] == 2000
    assert request["model"]["anyOf"][0]["enum"] == ["sdxl"]
