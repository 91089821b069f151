"""The real Alertmanager on loopback, configured by an AlertmanagerConfig as the Prometheus Operator would have it."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dev.bench.programs import Program, free_port, http, running
from dev.stack.debian import alertmanager
from tests.fakes.receivers import PAGERDUTY, FakeReceivers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PAIRS = {"details", "headers"}  # lists of key and value there, mappings here
_MATCHERS = {"sourceMatch": "source_matchers", "targetMatch": "target_matchers", "matchers": "matchers"}
_NAMES = {"urlSecret": "url", "apiURL": "api_url", "inhibitRules": "inhibit_rules"}
NOBODY = "null"  # who hears, with the Prometheus Operator, of what no AlertmanagerConfig takes
# What a platform's own Alertmanager holds, which nobody whom a resource chooses may see.
OWN = "alertmanager-s-own"
CREDENTIALS = {
    "http_config": {"authorization": {"credentials": OWN}},
    "smtp_auth_username": OWN,
    "smtp_auth_password": OWN,
    "smtp_auth_secret": OWN,
}
QUICK = {"group_wait": "2s", "group_interval": "1s", "repeat_interval": "1h"}


class Alertmanager:
    """A running one."""

    def __init__(self, process: Program) -> None:
        self._process = process

    def send(self, *alerts: Mapping[str, Any]) -> None:
        """Tell it of alerts, as Prometheus does."""
        http(f"{self._process.url}/api/v2/alerts", [dict(alert) for alert in alerts])


@contextmanager
def alerting(
    config: Mapping[str, Any], secrets: Mapping[str, str], fake: FakeReceivers, folder: Path
) -> Iterator[Alertmanager]:
    """Run it until the block ends; `secrets` gives the value of each key that the configuration refers to."""
    read = _read(config["spec"], secrets)
    for receiver in read["receivers"]:
        for mail in receiver.get("email_configs", ()):
            mail.setdefault("require_tls", False)
    settings = {
        "global": {"pagerduty_url": f"{fake.url}{PAGERDUTY}", "smtp_from": "alertmanager@example.com", **CREDENTIALS},
        "route": {"receiver": NOBODY, "routes": [read["route"]], **QUICK},
        "receivers": [{"name": NOBODY}, *read["receivers"]],
        "inhibit_rules": read.get("inhibit_rules", []),
    }
    file, port = folder / "alertmanager.yml", free_port()
    file.write_text(json.dumps(settings))
    argv: list[str | Path] = [
        *alertmanager(),
        f"--config.file={file}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(argv, port, "/-/ready", {}) as process:
        yield Alertmanager(process)


def _read(node: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_read(each, secrets) for each in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"name", "key"}:
        return secrets[node["key"]]
    return {_name(key): _value(key, value, secrets) for key, value in node.items()}


def _name(key: str) -> str:
    return _MATCHERS.get(key) or _NAMES.get(key) or re.sub(r"(?<=[a-z])([A-Z])", lambda m: f"_{m[1].lower()}", key)


def _value(key: str, value: Any, secrets: Mapping[str, str]) -> Any:
    if key in _MATCHERS:
        return [f'{each["name"]}{each["matchType"]}"{each["value"]}"' for each in value]
    if key in _PAIRS:
        return {pair["key"]: pair["value"] for pair in value}
    return _read(value, secrets)
