"""Who may call the service, with which credentials it calls others, and how much it takes on at once."""

from typing import Annotated, ClassVar

from msgspec import Meta

from t2i_operator.spec.schema import Block, Rule, described
from t2i_operator.spec.shared import LocalSecret, SecretValue


class Credentials(Block, frozen=True, kw_only=True):
    """The provider's and LangTrace's keys: a whole Secret used in place, or single keys that are composed into one."""

    rules: ClassVar = (
        Rule(
            "has(self.secretRef) != (has(self.replicateApiToken) || has(self.langtraceApiKey))",
            "credentials needs either secretRef (a Secret with the keys REPLICATE_API_TOKEN and LANGTRACE_API_KEY)"
            " or replicateApiToken and langtraceApiKey, not both",
        ),
    )

    secret_ref: Annotated[
        LocalSecret | None,
        described("A Secret, used in place, whose keys are named REPLICATE_API_TOKEN and LANGTRACE_API_KEY."),
    ] = None
    replicate_api_token: Annotated[SecretValue | None, described("Where Replicate's API token is kept.")] = None
    langtrace_api_key: Annotated[SecretValue | None, described("Where LangTrace's API key is kept.")] = None


class Access(Block, frozen=True, kw_only=True):
    """Who may call the service."""

    api_keys_secret_ref: Annotated[
        LocalSecret | None,
        described(
            "A Secret of which every key is a caller's id and every value that caller's API key; re-read while running."
            " Left out: the service answers anybody."
        ),
    ] = None
    requests_per_minute: Annotated[
        Annotated[int, Meta(ge=1, le=1000000)] | None,
        described("Most generations a minute for one API key, counted in each pod. Left out: unlimited."),
    ] = None


class Admission(Block, frozen=True, kw_only=True):
    """How much one pod takes on at once; what exceeds it is answered 503 with Retry-After."""

    max_in_flight: Annotated[
        int, Meta(ge=1, le=10000), described("Most generations that one pod runs at the same time.")
    ] = 64
    max_queued: Annotated[
        int, Meta(ge=0, le=10000), described("Most generations that wait in one pod for their turn. 0: none may wait.")
    ] = 256
    max_queue_seconds: Annotated[
        int, Meta(ge=1, le=600), described("Longest time that a generation waits for its turn.")
    ] = 30
