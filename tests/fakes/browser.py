"""Headless Chromium, driven over its own debugging protocol: a page is tried as a person has it before them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import websocket

from tests.programs import installed
from tests.waiting import eventually, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LISTENING = re.compile(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/")
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_KEYS = {"Tab": 9, "Enter": 13, "Space": 32}


class Page:
    """One tab."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._number = 0
        self.console: list[str] = []
        self.requested: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._heard(message)

    def _heard(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message["method"] == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif message["method"] == "Log.entryAdded":
            self.console.append(params["entry"]["text"])
        elif message["method"] == "Runtime.exceptionThrown":
            self.console.append(json.dumps(params["exceptionDetails"]))

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        wait_for(lambda: self.value("document.readyState") == "complete")

    def value(self, expression: str) -> Any:
        """Evaluate an expression and return its plain value."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, selector: str) -> str:
        return str(self.value(f"document.querySelector({selector!r}).textContent.trim()"))

    def write(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key as a keyboard does; 2 is Control."""
        code = {"key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        text = {"Enter": "\r", "Space": " "}.get(key)
        down: dict[str, Any] = {**code, "modifiers": modifiers}
        if text and not modifiers:
            down["text"] = text
        self.send("Input.dispatchKeyEvent", type="keyDown", **down)
        self.send("Input.dispatchKeyEvent", type="keyUp", **code, modifiers=modifiers)

    def resize(self, width: int, height: int, *, mobile: bool) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


@contextmanager
def browsing(profile: Path) -> Iterator[Page]:
    program = installed("chromium")
    process = subprocess.Popen(  # noqa: S603 - found on the PATH
        [program, *_OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        port = next(found[1] for line in process.stderr if (found := _LISTENING.search(line)))
        address = eventually(lambda: _tab(port), "the browser's tab")
        socket = websocket.create_connection(address, timeout=30, suppress_origin=True)
        try:
            yield Page(socket)
        finally:
            socket.close()
    finally:
        process.terminate()
        process.wait(60)
        if process.stderr:
            process.stderr.close()


def _tab(port: str) -> str:
    """Return its address, once there is one: the browser listens before it has opened any."""
    targets = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
    return next(str(target["webSocketDebuggerUrl"]) for target in targets if target["type"] == "page")
