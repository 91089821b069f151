"""Whom alerts are sent to; the AlertmanagerConfig is made from it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from t2i_operator.spec.scalars import Label, Severity, Text
from t2i_operator.spec.schema import Block, Rule, described, spelled
from t2i_operator.spec.shared import SecretValue


class Slack(Block, frozen=True, kw_only=True):
    """A Slack channel."""

    api_url: Annotated[SecretValue, described("Where the incoming webhook's URL is kept.")]
    channel: Annotated[Text | None, described("The channel, as #alerts. Left out: the webhook's own.")] = None


class PagerDuty(Block, frozen=True, kw_only=True):
    """A PagerDuty service."""

    routing_key: Annotated[SecretValue, described("Where the integration key (Events API v2) is kept.")]


_OWN_LOGIN = Rule(
    "!has(self.smarthost) || (has(self.authUsername) && has(self.authPassword))",
    "email.smarthost needs authUsername and authPassword: without them Alertmanager shows that server its own; a server"
    " that asks for none is not shown them",
)


class Email(Block, frozen=True, kw_only=True):
    """An e-mail address."""

    rules: ClassVar = (_OWN_LOGIN,)

    to: Annotated[Text, described("Address that is written to.")]
    from_: Annotated[Text | None, described("Address that writes. Left out: Alertmanager's own.")] = None
    smarthost: Annotated[
        Annotated[str, spelled("^[^\\s:]+:[0-9]{1,5}$", "write host:port, such as smtp.example.com:587", longest=253)]
        | None,
        described("Mail server as host:port, with authUsername and authPassword. Left out: Alertmanager's own."),
    ] = None
    auth_username: Annotated[Text | None, described("User name at the mail server.")] = None
    auth_password: Annotated[SecretValue | None, described("Where the password at the mail server is kept.")] = None


class Webhook(Block, frozen=True, kw_only=True):
    """An HTTP endpoint that takes Alertmanager's notifications."""

    url: Annotated[SecretValue, described("Where the endpoint's URL is kept.")]


class Receiver(Block, frozen=True, kw_only=True):
    """Where alerts are sent; makes an AlertmanagerConfig."""

    rules: ClassVar = (
        Rule(
            "[has(self.slack), has(self.pagerduty), has(self.email), has(self.webhook)].exists_one(given, given)",
            "a receiver needs exactly one of slack, pagerduty, email and webhook; add a receiver for each other way",
        ),
    )

    name: Annotated[
        Label,
        described("Name of the receiver, unique in the list."),
    ]
    minimum_severity: Annotated[
        Severity | None, described("Critical: only critical alerts. Left out: warnings as well.")
    ] = None
    send_resolved: Annotated[bool | None, described("Whether it hears that an alert is over. Left out: true.")] = None
    slack: Annotated[Slack | None, described("Send to a Slack channel.")] = None
    pagerduty: Annotated[PagerDuty | None, described("Send to a PagerDuty service.")] = None
    email: Annotated[Email | None, described("Send an e-mail.")] = None
    webhook: Annotated[Webhook | None, described("Send to an HTTP endpoint.")] = None


def problems(receivers: Sequence[Receiver], field: str) -> Iterator[str]:
    """Yield a sentence for each that would be told Alertmanager's own password, by whatever CRD it was stored."""
    for receiver in receivers:
        email = receiver.email
        if email and email.smarthost and not (email.auth_username and email.auth_password):
            yield f"{field}[{receiver.name}]: {_OWN_LOGIN.message}"
