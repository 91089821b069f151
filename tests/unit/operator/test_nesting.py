"""How deep JSON may be nested: what is let in has a bound, and within it nothing is changed."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t2i_operator import spec
from t2i_operator.kube import nesting

MOST = 3
NAMES = st.text(st.sampled_from('{["\\x'))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('{}[]"\\\n:,aé')),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=12,
)


def nested(levels: int, opening: str = '{"a":', closing: str = "}") -> str:
    return opening * levels + "1" + closing * levels


def cut(value: Any, levels: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if levels == 1:
        return type(value)()
    if isinstance(value, dict):
        return {name: cut(inside, levels - 1) for name, inside in value.items()}
    return [cut(inside, levels - 1) for inside in value]


@settings(deadline=None)
@given(value=VALUES, escaped=st.booleans(), spaced=st.booleans(), piece=st.sampled_from([1, 2, 7, 2**16]))
def test_what_lies_deeper_is_cut_away_and_nothing_else(value: Any, *, escaped: bool, spaced: bool, piece: int) -> None:
    content = json.dumps(value, ensure_ascii=escaped, indent=1 if spaced else None).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nesting, "DEEPEST", MOST)
        patch.setattr(nesting, "_PIECE", piece)
        found = nesting.shallow(content)
    if nesting.deeper(value, MOST):
        assert json.loads(found) == cut(value, MOST)
    else:
        assert found == content


@pytest.mark.parametrize("levels", [nesting.DEEPEST + 1, 1_500, 9_900])
@pytest.mark.parametrize("brackets", [('{"a":', "}"), ("[", "]"), ('{"{\\"[":[', "]}")])
def test_what_the_api_server_stores_can_be_decoded(levels: int, brackets: tuple[str, str]) -> None:
    found = json.loads(nesting.shallow(f'{{"good":[{{}}],"deep":{nested(levels, *brackets)}}}'.encode()))
    assert found["good"] == [{}]
    assert nesting.deeper(found, nesting.DEEPEST - 1)
    assert not nesting.deeper(found, nesting.DEEPEST)


@pytest.mark.parametrize("path", ["podTemplate", "monitoring.tracing.jaeger.podTemplate"])
@pytest.mark.parametrize("levels", [51, 100, 5_000])
def test_a_nested_pod_is_refused_with_a_sentence(levels: int, path: str) -> None:
    inside: Any = 1
    for _ in range(levels):
        inside = {"a": inside}
    body = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"models": [{"name": "s", "provider": "Sandbox"}]}}
    inside = {"spec": inside}
    for name in reversed(path.split(".")):
        inside = {name: inside}
    body["spec"] |= inside
    with pytest.raises(spec.InvalidSpec, match=rf"^spec\.{re.escape(path)}\.spec: Has more than 50 levels"):
        spec.parse(body)
