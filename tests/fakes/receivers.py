"""Where Alertmanager sends: PagerDuty, Slack and a webhook on one HTTP socket, and a mail server on another."""

from __future__ import annotations

import base64
import json
import quopri
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socketserver import BaseServer

PAGERDUTY, SLACK, WEBHOOK = "/pagerduty", "/slack", "/webhook"
SEVERITIES = {"critical", "error", "warning", "info"}
SUMMARY_CHARACTERS = 1024
CHALLENGE = b"<1@fake>"


@dataclass(frozen=True)
class Mail:
    """One message, as a person would read it."""

    subject: str
    body: str


@dataclass
class FakeReceivers:
    """Keeps what arrives; PagerDuty's refusals are kept too, for Alertmanager sends none of them again."""

    url: str = ""
    smarthost: str = ""
    pages: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    # What those who came showed of themselves: on HTTP by path, to the mail server as RFC 2195 has it.
    authorizations: dict[str, str | None] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)

    def take(self, path: str, body: dict[str, Any]) -> int:
        """Return the status of the answer."""
        if path == PAGERDUTY:
            fit = is_fit(body)
            (self.pages if fit else self.refused).append(body)
            return 202 if fit else 400
        (self.messages if path == SLACK else self.calls).append(body)
        return 200


def is_fit(event: dict[str, Any]) -> bool:
    """Tell what Events API v2 takes: its reference demands these of `payload`, or answers 400."""
    payload = event["payload"]
    return (
        0 < len(payload["summary"]) <= SUMMARY_CHARACTERS
        and bool(payload["source"])
        and payload["severity"] in SEVERITIES
    )


@contextmanager
def receiving(host: str = "127.0.0.1") -> Iterator[FakeReceivers]:
    """Listen until the block ends."""
    fake = FakeReceivers()
    web, mail = _Web((host, 0), fake), _MailServer((host, 0), fake)
    fake.url = f"http://{host}:{web.server_address[1]}"
    fake.smarthost = f"{host}:{mail.server_address[1]}"
    servers: tuple[BaseServer, ...] = (web, mail)
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield fake
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


class _Web(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], fake: FakeReceivers) -> None:
        super().__init__(address, _Request)
        self.fake = fake


class _Request(BaseHTTPRequestHandler):
    server: _Web

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.fake.authorizations[self.path] = self.headers["Authorization"]
        status = self.server.fake.take(self.path, body)
        answer = b"ok" if status < 300 else b'{"status":"invalid event"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's own spelling
        """Say nothing."""


class _MailServer(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], fake: FakeReceivers) -> None:
        super().__init__(address, _Session)
        self.fake = fake


class _Session(StreamRequestHandler):
    """As much of RFC 5321 as a client without TLS needs; it is asked for a login by CRAM-MD5."""

    server: _MailServer

    def handle(self) -> None:
        self._say("220 fake")
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("EHLO"):
                self._say("250-fake")
                self._say("250 AUTH CRAM-MD5")
                continue
            if verb.startswith("AUTH"):
                self._say(f"334 {base64.b64encode(CHALLENGE).decode()}")
                self.server.fake.logins.append(base64.b64decode(self.rfile.readline()).decode())
                self._say("235 ok")
                continue
            if verb.startswith("QUIT"):
                self._say("221 bye")
                return
            if verb.startswith("DATA"):
                self._say("354 go on")
                self.server.fake.mails.append(_read(self._data()))
            self._say("250 ok")

    def _data(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) and line.rstrip("\r\n") != ".":
            lines.append(line.removeprefix(".") if line.startswith("..") else line)
        return "".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _read(text: str) -> Mail:
    message = message_from_string(text)
    parts = [str(part.get_payload()) for part in message.walk() if not part.is_multipart()]
    body = "".join(quopri.decodestring(part.encode()).decode() for part in parts)
    return Mail(str(message["Subject"]), body)
