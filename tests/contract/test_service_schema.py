"""What the service says of itself in its OpenAPI document holds for whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.processes import RunningService

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# A limit may be that of the one model that is chosen, and a size is a string: not all of it fits into a schema.
NOT_CHECKED = "positive_data_acceptance"


def test_the_schema_holds(sandbox: RunningService, tmp_path: Path) -> None:
    result = subprocess.run(  # noqa: S603 - the tool of this environment
        [
            SCHEMATHESIS,
            "run",
            f"{sandbox.url}/openapi.json",
            "--max-examples=8",
            "--generation-deterministic",
            f"--exclude-checks={NOT_CHECKED}",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert not [line for line in sandbox.logs if line["level"] == "error"]


def test_the_document_tells_this_services_own_limits(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        request = client.get("/openapi.json").json()["components"]["schemas"]["GenerateRequest"]["properties"]
    assert request["width"]["anyOf"][0]["maximum"] == 2048
    assert request["prompt"]["maxLength"] == 2000
    assert request["model"]["anyOf"][0]["enum"] == ["sdxl"]
