"""Credentials end to end: the token in the Secret is the token that Replicate's (fake) API is called with."""

import base64
import json
from collections.abc import Iterator

import pytest

from dev.cluster.network import NODE_IP
from tests.e2e.subject import Subject, until
from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, VERSION, FakeReplicate

WRONG = "r8_RevokedTokenThatMustShowUpNowhere0000"


@pytest.fixture
def replicate() -> Iterator[FakeReplicate]:
    """Run the fake on the address of this machine that pods reach."""
    fake = FakeReplicate()
    with serving(fake.app, NODE_IP) as url:
        fake.base_url = url
        yield fake


def give(subject: Subject, token: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "provider", "namespace": subject.namespace, "labels": {"texttoimage.dev/reload": "true"}},
        "data": {"REPLICATE_API_TOKEN": base64.b64encode(token.encode()).decode()},
    }
    subject.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(body))


def test_a_token_comes_is_rotated_and_is_never_shown(subject: Subject, replicate: FakeReplicate) -> None:
    environment = [{"name": "T2I_REPLICATE_API_URL", "value": replicate.base_url}]
    subject.apply(
        {
            "models": [{"name": "sdxl", "provider": "Replicate", "version": f"stability-ai/sdxl:{VERSION}"}],
            "credentials": {"secretRef": {"name": "provider"}},
            "podTemplate": {"spec": {"containers": [{"name": "text-to-image", "env": environment}]}},
        }
    )
    missing = subject.wait("CredentialsReady", "False", "SecretMissing")
    assert "provider" in missing["message"]
    assert "REPLICATE_API_TOKEN" in missing["message"]

    give(subject, WRONG)
    subject.ready()
    refused = subject.generate(width=64, height=64)
    assert refused.status_code >= 400
    assert WRONG not in refused.text

    before = subject.pod_uids()
    give(subject, TOKEN)
    until(lambda: subject.pods() and not before & subject.all_uids(), "pods with the new token, and no others")
    subject.ready()
    answer = subject.generate(width=64, height=64)
    assert answer.status_code == 200, answer.text
    assert answer.json()["provider"] == "replicate"
    assert replicate.statuses() == ["succeeded"]

    said = subject.kubectl("get", "t2i,deploy,rs,pods,configmaps,events", "-n", subject.namespace, "-o", "json")
    logs = subject.kubectl("logs", f"deployment/{subject.name}", "-n", subject.namespace)
    operator = subject.kubectl("logs", "deployment/text-to-image-operator", "-n", "text-to-image-system")
    for token in (WRONG, TOKEN):
        for text in (token, base64.b64encode(token.encode()).decode()):
            assert text not in said + logs + operator
