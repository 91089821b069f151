"""A model that is paid for, on a fake of its provider that pods reach, and how the fake is told to refuse."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dev.cluster.network import NODE_IP
from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, VERSION, FakeReplicate, Knobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAID = "paid"
MODEL = {"name": PAID, "provider": "Replicate", "version": f"stability-ai/sdxl:{VERSION}"}
TOKENS = {"input": 77, "output": 1024}
# What the service counts a refusal as.
REASONS = {"429": "rate_limited", "401": "unauthorized"}
ACCEPTED = "slow:0"


@contextmanager
def provider() -> Iterator[FakeReplicate]:
    """Serve a fake on the address of this machine that pods reach."""
    fake = FakeReplicate()
    with serving(fake.app, NODE_IP) as url:
        fake.base_url = url
        yield fake


def customer(kubectl: Callable[..., str], namespace: str, fake: FakeReplicate) -> dict[str, Any]:
    """Make the Secret; return what else of a spec a service needs to call the fake."""
    key = f"--from-literal=REPLICATE_API_TOKEN={TOKEN}"
    kubectl("create", "secret", "generic", "provider", "-n", namespace, key)
    environment = [{"name": "T2I_REPLICATE_API_URL", "value": fake.base_url}]
    return {
        "credentials": {"secretRef": {"name": "provider"}},
        "podTemplate": {"spec": {"containers": [{"name": "text-to-image", "env": environment}]}},
    }


def refuse(fake: FakeReplicate, creates: Sequence[str] = (), seconds: float = 0.01) -> list[str]:
    """Answer the next creates so, one each, and all after them well; return the list that they are taken from.

    A create that is throttled may be sent again at once. A prediction takes `seconds`.
    """
    waiting = list(creates)
    tokens = {f"{kind}_token_count": count for kind, count in TOKENS.items()}
    fake.knobs = Knobs(predict_seconds=seconds, throttle_seconds=0, tokens=tokens, faults={"create": waiting})
    return waiting
