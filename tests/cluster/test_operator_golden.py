"""The API server reads every golden pair: it takes the resource, and each object as what the operator asked for."""

from pathlib import Path

import pytest
import yaml
from t2i_operator.known.identity import identify
from t2i_operator.kube.kinds import OPTIONAL, RESOURCE

from tests.api import Api
from tests.cluster.goldens import taken_without_drift
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
    for desired in build(source):
        if identify(desired).kind not in OPTIONAL:  # those are read where their CRDs are installed
            taken_without_drift(api, namespace, desired)
