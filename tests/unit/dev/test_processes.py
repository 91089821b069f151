"""A daemon outlives its starter, and only a process that is provably ours is ever ended."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.cluster import processes
from dev.cluster.errors import UnfitError
from dev.cluster.processes import Daemon, identify


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(processes, "RECORDS", tmp_path / "processes")
    yield tmp_path / "processes"
    for name in processes.records():
        processes.stop(name)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    config = tmp_path / "config"
    config.write_text("one")
    return Daemon("sleeper", ["/bin/sleep", "300"], tmp_path / "sleeper.log", (config,))


def start(daemon: Daemon) -> int:
    """Start it from a process that ends at once, as `make up` does."""
    code = (
        "import sys; from pathlib import Path; from dev.cluster import processes;"
        "from dev.cluster.processes import Daemon;"
        "processes.RECORDS = Path(sys.argv[1]);"
        "print(processes.ensure(Daemon(sys.argv[2], ['/bin/sleep', '300'], Path(sys.argv[3]), (Path(sys.argv[4]),))))"
    )
    argv = [sys.executable, "-c", code, str(processes.RECORDS), daemon.name, str(daemon.log), str(daemon.config[0])]
    answer = subprocess.run(argv, check=True, text=True, capture_output=True)  # noqa: S603
    return answer.stdout.strip() == "True"


def test_it_outlives_its_starter_in_a_session_of_its_own(daemon: Daemon) -> None:
    assert start(daemon)
    identity = processes.records()["sleeper"].identity
    assert identity.alive()
    session = Path(f"/proc/{identity.pid}/stat").read_text().rsplit(")", 1)[1].split()[3]
    assert int(session) == identity.pid


def test_a_running_one_is_left_alone(daemon: Daemon) -> None:
    assert start(daemon)
    before = processes.records()
    assert not start(daemon)
    assert processes.records() == before


def test_a_changed_configuration_restarts_it(daemon: Daemon) -> None:
    start(daemon)
    before = processes.records()["sleeper"].identity
    daemon.config[0].write_text("two")
    assert start(daemon)
    assert not before.alive()
    assert processes.records()["sleeper"].identity.alive()


def test_a_killed_one_is_started_again(daemon: Daemon) -> None:
    start(daemon)
    processes.records()["sleeper"].identity.kill()
    assert start(daemon)


def test_a_stranger_with_the_recorded_pid_is_spared(daemon: Daemon) -> None:
    start(daemon)
    record = processes.records()["sleeper"]
    for stranger in (
        replace(record.identity, started=record.identity.started - 1),
        replace(record.identity, argv=["/bin/sleep", "301"]),
    ):
        assert not stranger.alive()
        stranger.kill()
        processes.end(stranger, grace=0)
    assert record.identity.alive()


def test_one_that_ends_at_once_names_its_log(daemon: Daemon) -> None:
    child = subprocess.Popen(["/bin/false"])
    assert child.wait() == 1
    with pytest.raises(UnfitError, match=r"sleeper\.log"):
        processes._settled(child.pid, daemon)


def test_one_that_ignores_a_polite_signal_is_ended_by_force(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"
    with subprocess.Popen(["/bin/sh", "-c", script]) as child:  # noqa: S603
        while not ready.exists():
            assert child.poll() is None
        identity = identify(child.pid)
        assert identity
        processes.end(identity, grace=0.2)
        assert not identity.alive()


def test_an_interruption_waits_until_the_daemon_is_written_down(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = processes._spawn

    def interrupted(which: Daemon) -> int:
        pid = spawn(which)
        signal.raise_signal(signal.SIGINT)
        return pid

    monkeypatch.setattr(processes, "_spawn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        processes.ensure(daemon)
    assert processes.records()["sleeper"].identity.alive()


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["/bin/true"])
    try:
        while identify(child.pid):
            pass
    finally:
        assert child.wait() == 0
