"""The AlertmanagerConfig: who hears of the alerts."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring import notifications
from t2i_operator.kube.kinds import ALERTMANAGER_CONFIG, Object
from t2i_operator.spec.receivers import Email, PagerDuty, Receiver, Slack, Webhook
from t2i_operator.spec.shared import SecretValue

# Or Alertmanager would take its own, and show the credentials in it to whatever address the spec's Secret holds.
_OWN_CLIENT: Object = {"followRedirects": True}
# No receiver of the spec can be spelled so: the Prometheus Operator refuses an object with two of one name.
_NOBODY = "_nobody"
# What is one trouble to a person is one notification, and one incident of a pager: a warning's open incident must not
# take in the critical alert that comes later, nor one objective's the other's.
_ONE_TROUBLE = ["alertname", "namespace", "service", "severity", "slo", "signal"]


def alertmanager_config(resource: spec.TextToImageService) -> Object:
    """Route this service's alerts to every receiver that wants them.

    The namespace is matched here: the Prometheus Operator adds it only by an Alertmanager's default matcher strategy.
    """
    receivers = resource.spec.monitoring.alerts.receivers
    body = metadata(resource, naming.alertmanager_config(resource.metadata.name))
    body["labels"] = {**resource.spec.monitoring.alerts.labels, **body["labels"]}
    return {
        "apiVersion": ALERTMANAGER_CONFIG.api_version,
        "kind": ALERTMANAGER_CONFIG.name,
        "metadata": body,
        "spec": {
            "route": {
                "receiver": _NOBODY,
                "matchers": [
                    _equal("namespace", resource.metadata.namespace),
                    _equal("service", naming.service(resource.metadata.name)),
                ],
                "groupBy": [*_ONE_TROUBLE],
                "routes": [_route(receiver) for receiver in receivers],
            },
            "receivers": [{"name": _NOBODY}, *(_receiver(receiver) for receiver in receivers)],
            "inhibitRules": [_inhibition(cause) for cause in ("TextToImageDown", "TextToImageAbsent")],
        },
    }


def _equal(label: str, value: str) -> Object:
    return {"name": label, "value": value, "matchType": "="}


def _route(receiver: Receiver) -> Object:
    body: Object = {"receiver": receiver.name, "continue": True}
    if receiver.minimum_severity == "Critical":
        body["matchers"] = [_equal("severity", "critical")]
    return body


def _inhibition(cause: str) -> Object:
    """Keep warnings back while the service is down: they are consequences."""
    return {
        "sourceMatch": [_equal("alertname", cause)],
        "targetMatch": [_equal("severity", "warning")],
        "equal": ["namespace", "service"],
    }


def _receiver(receiver: Receiver) -> Object:
    resolved = {"sendResolved": receiver.send_resolved is not False}
    body: Object = {"name": receiver.name}
    if receiver.slack:
        body["slackConfigs"] = [{**_slack(receiver.slack), **resolved}]
    if receiver.pagerduty:
        body["pagerdutyConfigs"] = [{**_pagerduty(receiver.pagerduty), **resolved}]
    if receiver.email:
        body["emailConfigs"] = [{**_email(receiver.email), **resolved}]
    if receiver.webhook:
        body["webhookConfigs"] = [{**_webhook(receiver.webhook), **resolved}]
    return body


def _secret(value: SecretValue) -> Object:
    return {"name": value.secret_key_ref.name, "key": value.secret_key_ref.key}


def _slack(slack: Slack) -> Object:
    body: Object = {
        "apiURL": _secret(slack.api_url),
        "httpConfig": {**_OWN_CLIENT},
        "title": notifications.TITLE,
        "text": notifications.TEXT,
    }
    return {**body, "channel": slack.channel} if slack.channel else body


def _pagerduty(pagerduty: PagerDuty) -> Object:
    return {
        "routingKey": _secret(pagerduty.routing_key),
        "severity": notifications.PAGERDUTY_SEVERITY,
        "description": notifications.SUMMARY,
        "details": [{"key": key, "value": value} for key, value in notifications.DETAILS.items()],
    }


def _email(email: Email) -> Object:
    """Give the password as the secret of CRAM-MD5, too: a server chooses how it is asked, and that one is inherited."""
    password = _secret(email.auth_password) if email.auth_password else None
    given: Object = {
        "to": email.to,
        "from": email.from_,
        "smarthost": email.smarthost,
        "authUsername": email.auth_username,
        "authPassword": password,
        "authSecret": {**password} if password else None,
        "headers": [{"key": "Subject", "value": notifications.TITLE}],
    }
    return {name: value for name, value in given.items() if value is not None}


def _webhook(webhook: Webhook) -> Object:
    return {"urlSecret": _secret(webhook.url), "httpConfig": {**_OWN_CLIENT}}
