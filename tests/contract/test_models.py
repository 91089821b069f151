"""What `spec.models` may say is what the service reads, and what it leaves out is filled in as the CRD says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from t2i_operator import spec
from t2i_operator.crd import crd
from t2i_operator.spec.alerts import DURATION_BUCKETS
from t2i_service.observing.telemetry import DURATION_BUCKETS as SERVICE_BUCKETS
from t2i_service.offer.models_config import Model, read
from t2i_service.settings import Settings

CHECKOUT = Path(__file__).parents[2]
SPEC = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
SANDBOX = {"name": "sdxl", "provider": "Sandbox"}
LEFT_OUT = re.compile(r"Left out: ([^ ]+)\.$")


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema["properties"].items():
        yield f"{path}{name}", field
        if "properties" in field:
            yield from fields(field, f"{path}{name}.")


def read_by_service(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for field in model.model_fields.values():
        yield f"{path}{field.alias}"
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from read_by_service(part, f"{path}{field.alias}.")


def test_the_service_reads_every_field_of_a_model_and_no_other() -> None:
    assert sorted(read_by_service(Model)) == sorted(path for path, _ in fields(SPEC["models"]["items"]))


def test_the_service_reads_the_models_of_the_sample_with_everything(tmp_path: Path) -> None:
    sample = yaml.safe_load((CHECKOUT / "manifests/samples/everything.yaml").read_text())
    models = [spec.to_wire(model) for model in spec.parse(sample).spec.models]
    (tmp_path / "models.json").write_text(json.dumps({"models": models}))

    sdxl, draft = read(tmp_path / "models.json")

    assert (sdxl.timeout_seconds, sdxl.limits.max_width, sdxl.defaults.steps) == (120, 1536, 40)
    assert (draft.sandbox.latency, draft.sandbox.failure_rate) == (1.5, 0.01)


def test_what_is_left_out_is_filled_in_as_the_reference_says() -> None:
    filled = Model.model_validate({**SANDBOX, "price": {"perImage": "0.01"}}).model_dump(by_alias=True)
    told = {path: told[1] for path, field in fields(SPEC["models"]["items"]) if (told := said(field))}

    assert {path: str(_at(filled, path)) for path in told} == told
    assert {"weight", "timeoutSeconds", "limits.maxWidth", "defaults.guidanceScale"} <= told.keys()


def said(field: dict[str, Any]) -> re.Match[str] | None:
    found = LEFT_OUT.search(field["description"])
    return found if found and (found[1][0].isdigit() or found[1].isupper()) else None


def _at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body[name] if body is not None else None
    return int(body) if isinstance(body, float) and body.is_integer() else body


@pytest.mark.parametrize("name", ["max_in_flight", "max_queued", "max_queue_seconds"])
def test_admission_is_the_same_with_and_without_the_operator(name: str) -> None:
    resource = spec.parse({"metadata": {"name": "a", "namespace": "b"}, "spec": {"models": [SANDBOX]}})

    assert getattr(resource.spec.admission, name) == Settings.model_fields[name].default


def test_latency_thresholds_are_bounds_of_the_service_histograms() -> None:
    assert [float(spec.seconds(bound)) for bound in DURATION_BUCKETS] == list(SERVICE_BUCKETS)
