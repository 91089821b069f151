"""What the container is told: the spec's own words, in which the kubelet must find nothing to put in."""

import re

import pytest
from t2i_operator.builders.environment import environment

from tests.unit.operator.resources import OBSERVED, UNOBSERVED, resource

# As the kubelet reads a value (third_party/forked/golang/expansion): `$$` is one `$`, and `$(NAME)` is put in.
READ = re.compile(r"\$(?:(\$)|(\([^)]*\)))")
TOKEN = "$(REPLICATE_API_TOKEN)"


def kubelet_s(value: str) -> str:
    return READ.sub(lambda found: found[1] or "r8_secret", value)


def test_the_kubelet_would_put_the_token_in() -> None:
    """Or the test below could not fail."""
    assert kubelet_s(f"https://e/{TOKEN}/$$/$x") == "https://e/r8_secret/$/$x"


@pytest.mark.parametrize("written", [TOKEN, f"${TOKEN}", f"$${TOKEN}", "$", "$$"])
def test_what_the_spec_says_reaches_the_service_as_it_is(written: str) -> None:
    url = f"https://e.example.com/{written}"
    tracing = {"mode": "External", "endpoint": url}
    monitoring = {**UNOBSERVED, "dashboards": {"traceURL": url}, "tracing": tracing, "langtrace": {"host": url}}
    told = environment(resource(publicURL=url, monitoring=monitoring), f"registry/a:{written}", OBSERVED)
    values = {each["name"]: kubelet_s(each["value"]) for each in told if "value" in each}
    urls = ("T2I_TRACE_URL", "T2I_PUBLIC_URL", "OTLP_ENDPOINT", "LANGTRACE_API_HOST")
    assert {values[name] for name in urls} == {url}
    assert values["OTEL_RESOURCE_ATTRIBUTES"].endswith(f"service.version={written}")
