"""The API server takes any spec that the properties are tried on, and what is built of it: all by dry runs."""

import pytest
from hypothesis import given
from t2i_operator import builders, spec
from t2i_operator.known.identity import identify
from t2i_operator.kube.kinds import OPTIONAL, RESOURCE

from tests.api import Api, Object
from tests.cluster.goldens import taken_without_drift
from tests.cluster.specs import SPECS, drawn
from tests.unit.operator.resources import WITH_JAEGER


def body(namespace: str, wanted: Object) -> Object:
    metadata = {"name": "pictures", "namespace": namespace}
    return {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name, "metadata": metadata, "spec": wanted}


@pytest.mark.usefixtures("crd")
def test_any_spec_that_is_drawn_is_taken(api: Api, namespace: str) -> None:
    @drawn(40)
    @given(wanted=SPECS)
    def taken(wanted: Object) -> None:
        strictly = {"dryRun": "All", "fieldValidation": "Strict"}
        api.request("POST", RESOURCE.path(namespace), body(namespace, wanted), **strictly)

    taken()


def test_what_is_built_of_any_spec_is_taken_without_drift(api: Api, namespace: str) -> None:
    @drawn(10)
    @given(wanted=SPECS)
    def taken(wanted: Object) -> None:
        resource = body(namespace, wanted)
        resource["metadata"] |= {"uid": "00000000-0000-4000-8000-000000000000", "generation": 1}
        for desired in builders.desired(spec.parse(resource), WITH_JAEGER):
            if identify(desired).kind not in OPTIONAL:
                taken_without_drift(api, namespace, desired)

    taken()
