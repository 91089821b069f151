"""The API server reads every golden build: it takes each object, and gives it back as what the operator asked for."""

from pathlib import Path

import pytest
from t2i_operator import drift
from t2i_operator.differences import differences
from t2i_operator.kinds import OPTIONAL
from t2i_operator.objects import identify

from tests.cluster.api import Api
from tests.golden.builds import INPUTS, build


@pytest.mark.parametrize("source", INPUTS, ids=lambda source: source.name.removesuffix(".input.yaml"))
def test_the_api_server_takes_it_and_no_drift_is_seen(source: Path, api: Api, namespace: str) -> None:
    apply = {"fieldManager": "text-to-image-operator", "force": "true", "dryRun": "All"}
    for desired in build(source):
        kind, _, name = identify(desired)
        if kind in OPTIONAL:
            continue  # read by their own tests, which install the CRDs
        desired["metadata"]["namespace"] = namespace
        live = api.request("PATCH", kind.path(namespace, name), desired, "application/apply-patch+yaml", **apply)

        assert drift.observed(live) == drift.expected(desired), f"{kind.name} {name}: {differences(desired, live)}"
