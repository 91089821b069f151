"""A receiver that every Alertmanager can be given.

Without a mail server of its own, or of the Alertmanager's, the Prometheus Operator gives that one no receiver at all,
whosever it be (`amcfg.go`); and with one it needs a login.
"""

from tests.api import Api, Object

_SECRET, _KEY = "mail", "password"
MAIL: Object = {
    "name": "mail",
    "email": {
        "to": "team@example.com",
        "from": "alerts@example.com",
        "smarthost": "mail.example.com:587",
        "authUsername": "images",
        "authPassword": {"secretKeyRef": {"name": _SECRET, "key": _KEY}},
    },
}


def make_login(api: Api, namespace: str) -> None:
    """Make the Secret that the receiver names."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _SECRET}, "stringData": {_KEY: "a"}}
    api.create("secrets", namespace, body)
