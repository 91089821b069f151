"""The API server reads every golden pair: it takes the resource, and each object as what the operator asked for."""

from pathlib import Path

import pytest
import yaml
from t2i_operator import drift
from t2i_operator.differences import differences
from t2i_operator.kinds import OPTIONAL, RESOURCE
from t2i_operator.objects import identify

from tests.cluster.api import Api
from tests.golden.builds import INPUTS, build

each_input = pytest.mark.parametrize("source", INPUTS, ids=lambda source: source.name.removesuffix(".input.yaml"))


@each_input
@pytest.mark.usefixtures("crd")
def test_the_api_server_takes_what_it_is_built_from(source: Path, api: Api, namespace: str) -> None:
    kind = RESOURCE.name
    [body] = (each for each in yaml.safe_load_all(source.read_text()) if each["kind"] == kind)
    body["metadata"]["namespace"] = namespace
    strictly = {"dryRun": "All", "fieldValidation": "Strict"}

    assert api.request("POST", RESOURCE.path(namespace), body, **strictly)["kind"] == kind


@each_input
def test_the_api_server_takes_it_and_no_drift_is_seen(source: Path, api: Api, namespace: str) -> None:
    apply = {"fieldManager": "text-to-image-operator", "force": "true", "dryRun": "All"}
    for desired in build(source):
        kind, _, name = identify(desired)
        if kind in OPTIONAL:
            continue  # read by their own tests, which install the CRDs
        desired["metadata"]["namespace"] = namespace
        live = api.request("PATCH", kind.path(namespace, name), desired, "application/apply-patch+yaml", **apply)

        assert drift.observed(live) == drift.expected(desired), f"{kind.name} {name}: {differences(desired, live)}"
