"""What `t2i-operator render` and `diff` print of an object; tests/cluster has the commands."""

import json

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import CONFIG_MAP, SECRET, Object
from t2i_operator.preview import printout

KEPT, OLD, NEW = "a2VwdA==", "b2xk", "bmV3"


def secret(**data: str) -> Object:
    metadata = {"name": "a", "namespace": "n", "resourceVersion": str(len(data)), "uid": "u"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def applied(**data: str) -> Object:
    """Return a Secret as `kubectl apply` leaves it, and as nobody but a person would write it."""
    body = secret(**data)
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(body), "team": "images"}
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}, "stringData": {"plain": OLD}}


def test_values_of_secrets_are_told_apart_and_never_shown() -> None:
    before, after = secret(same=KEPT, other=OLD, gone=OLD), secret(same=KEPT, other=NEW)
    texts = [printout.documents([before, after])]
    texts += [printout.change(Id(SECRET, "n", "a"), *pair) for pair in ((before, after), (None, after), (before, None))]
    assert not [value for value in (KEPT, OLD, NEW) for text in texts if value in text]
    changed = [line for line in texts[1].splitlines() if line.startswith(("-  ", "+  "))]
    assert changed == ["-  gone: '***'", "-  other: '*** (before)'", "+  other: '*** (after)'"]


def test_what_kubectl_noted_of_a_secret_is_never_shown_either() -> None:
    before, after, identity = applied(same=KEPT, other=OLD), applied(same=KEPT, other=NEW), Id(SECRET, "n", "a")
    texts = [printout.documents([before])]
    texts += [printout.change(identity, *pair) for pair in ((before, after), (None, after), (before, secret()))]
    assert not [value for value in (KEPT, OLD, NEW) for text in texts if value in text]
    assert "team: images" in texts[0]
    assert "plain: '***'" in texts[0]


def test_what_the_api_server_keeps_for_itself_is_no_difference() -> None:
    body: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "uid": "u"},
        "data": {"a": "1\n2\n"},
    }
    live = {**body, "metadata": {"name": "a", "resourceVersion": "2"}, "status": {}}
    identity = Id(CONFIG_MAP, "n", "a")
    assert printout.change(identity, live, body) == ""
    told = printout.change(identity, live, {**body, "data": {"a": "1\n3\n"}})
    assert [line for line in told.splitlines() if line[0] in "-+"][2:] == ["-    2", "+    3"], "line by line"


@pytest.mark.parametrize("value", ["1234567890123e45", "1E5", "1__2e3", "1.5e3", "-2e+7", "089", "0o17", "y", "N"])
def test_text_that_kubectl_would_take_for_something_else_is_quoted(value: str) -> None:
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": {value: value}}}
    assert f"    '{value}': '{value}'\n" in printout.documents([body])


@pytest.mark.parametrize("value", ["100m", "10.0.0.0/8", "1e5 steps", "yes, please", "v1"])
def test_other_text_is_not(value: str) -> None:
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": {"a": value}}}
    assert f"    a: {value}\n" in printout.documents([body])
