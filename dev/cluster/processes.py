"""The cluster's daemons: started so that they outlive us, and ended only when they are provably ours."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.paths import MACHINE, write

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = MACHINE / "processes"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Daemon:
    """A program that runs until `down`, with its log."""

    name: str
    argv: list[str]
    log: Path
    config: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return what changes with the arguments and with what the configuration files say."""
        digest = hashlib.sha256("\0".join(self.argv).encode())
        for path in self.config:
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Identity:
    """A process told apart from a later one that got the same pid: by its start and its command line."""

    pid: int
    started: int
    argv: list[str]

    def alive(self) -> bool:
        """Tell whether it is still this very process."""
        return identify(self.pid) == self

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal unless it is gone."""
        with suppress(ProcessLookupError):
            if self.alive():
                os.kill(self.pid, number)


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None for nobody, and for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    state, *rest = stat[stat.rindex(")") + 2 :].split()
    if state in "ZX":
        return None
    return Identity(pid, int(rest[18]), argv.decode(errors="replace").rstrip("\0").split("\0"))


@dataclass(frozen=True)
class Record:
    """A daemon that was started and not yet ended; it may have died since."""

    identity: Identity
    fingerprint: str


def everybody() -> Iterator[Identity]:
    """Yield every process there is."""
    for folder in Path("/proc").glob("[0-9]*"):
        if identity := identify(int(folder.name)):
            yield identity


def records() -> dict[str, Record]:
    """Return what was started and not yet ended, by name."""
    found = {}
    for path in sorted(RECORDS.glob("*.json")):
        content = json.loads(path.read_text())
        found[path.stem] = Record(Identity(**content["identity"]), content["fingerprint"])
    return found


def ensure(daemon: Daemon) -> bool:
    """Start it unless it runs with this very configuration; True when it had to be started."""
    record = records().get(daemon.name)
    if record and record.fingerprint == daemon.fingerprint() and record.identity.alive():
        return False
    stop(daemon.name)
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    with _uninterrupted():
        identity = _settled(_spawn(daemon), daemon)
        content = {"identity": asdict(identity), "fingerprint": daemon.fingerprint()}
        write(RECORDS / f"{daemon.name}.json", json.dumps(content))
    return True


def _spawn(daemon: Daemon) -> int:
    """Start it in a session of its own: what ends ours, a closed terminal or a killed group, does not end it."""
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        daemon.argv[0],
        daemon.argv,
        {**os.environ, **daemon.environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(daemon.log), appending, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold signals back until the daemon is written down: nobody could end one that is not."""
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for received in caught:
            signal.raise_signal(received)


def _settled(pid: int, daemon: Daemon) -> Identity:
    """Wait until /proc shows its command line, a moment after it was spawned: an earlier identity matches nobody."""
    while identity := identify(pid):
        if identity.argv == daemon.argv:
            return identity
    raise UnfitError(f"{daemon.name} ended as soon as it was started; its log, {daemon.log}, says why.")


def stop(name: str, grace: float = 10.0) -> None:
    """End it, by force after the grace time; nothing is sent to a process that is not the one recorded."""
    record = records().get(name)
    if record is not None:
        end(record.identity, grace)
    (RECORDS / f"{name}.json").unlink(missing_ok=True)


def end(identity: Identity, grace: float) -> None:
    """SIGTERM, and SIGKILL once the grace time is over."""
    signals = [(signal.SIGTERM, grace), (signal.SIGKILL, 10.0)]
    for number, patience in signals:
        if not identity.alive():
            return
        identity.kill(number)
        deadline = time.monotonic() + patience
        while identity.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
    if identity.alive():
        raise UnfitError(f"Process {identity.pid} ({identity.argv[0]}) does not end; end it and run `make down` again.")
