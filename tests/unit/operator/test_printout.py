"""What `t2i-operator render` and `diff` print of an object; tests/cluster has the commands."""

from t2i_operator import printout
from t2i_operator.known.children import Id
from t2i_operator.kube.kinds import CONFIG_MAP, SECRET, Object

KEPT, OLD, NEW = "a2VwdA==", "b2xk", "bmV3"


def secret(**data: str) -> Object:
    metadata = {"name": "a", "namespace": "n", "resourceVersion": str(len(data)), "uid": "u"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def test_values_of_secrets_are_told_apart_and_never_shown() -> None:
    before, after = secret(same=KEPT, other=OLD, gone=OLD), secret(same=KEPT, other=NEW)
    texts = [printout.documents([before, after])]
    texts += [printout.change(Id(SECRET, "n", "a"), *pair) for pair in ((before, after), (None, after), (before, None))]
    assert not [value for value in (KEPT, OLD, NEW) for text in texts if value in text]
    changed = [line for line in texts[1].splitlines() if line.startswith(("-  ", "+  "))]
    assert changed == ["-  gone: '***'", "-  other: '*** (before)'", "+  other: '*** (after)'"]


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
