"""A machine that is not fit is told so in one sentence, before anything is made."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dev.cluster import machine, preflight
from dev.cluster.errors import UnfitError
from dev.cluster.paths import Layout

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def listener(address: str, port: int, state: str = "0A") -> str:
    return (
        f"{HEADER}   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0 0 1\n"
    )


@pytest.mark.parametrize("address", ["00000000", "0" * 32])
@pytest.mark.parametrize("port", [2379, 6443, 10250])
def test_a_port_taken_on_every_address_is_named(address: str, port: int) -> None:
    with pytest.raises(UnfitError, match=f"Port {port} is in use"):
        preflight.check_ports([listener(address, port)])


@pytest.mark.parametrize(
    "table",
    [
        HEADER,
        listener("0100007F", 6443),
        listener("00000000", 6443, state="01"),
        listener("00000000", 8080),
    ],
    ids=["nobody", "on loopback alone", "a connection", "another port"],
)
def test_other_listeners_are_no_matter(table: str) -> None:
    preflight.check_ports([table])


def test_a_machine_that_drops_what_it_forwards_is_told_what_to_allow() -> None:
    dropping = "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"
    with pytest.raises(UnfitError, match="iptables -I FORWARD -i t2i0 -j ACCEPT") as refusal:
        preflight.check_firewall(dropping)
    assert "-o t2i0" in str(refusal.value)
    preflight.check_firewall(dropping + "-A FORWARD -i t2i0 -j ACCEPT\n-A FORWARD -o t2i0 -j ACCEPT\n")
    preflight.check_firewall("-P FORWARD ACCEPT\n")


@pytest.mark.parametrize("taken", ["10.244.3.0/24", "10.0.0.0/8", "10.96.0.0/12", "10.244.0.7"])
def test_a_route_into_the_clusters_networks_is_named(taken: str) -> None:
    with pytest.raises(UnfitError, match=r"on wg0\) overlaps"):
        preflight.check_routes([{"dst": taken, "dev": "wg0"}])


def test_other_routes_and_our_own_are_no_matter() -> None:
    routes = [("default", "eth0"), ("192.168.1.0/24", "eth0"), ("10.244.0.0/16", "t2i0"), ("10.97.0.0/16", "wg0")]
    preflight.check_routes([{"dst": dst, "dev": dev} for dst, dev in routes])


def test_too_little_memory_is_said_in_numbers() -> None:
    with pytest.raises(UnfitError, match="1024 MiB of memory are free, 2 GiB are needed"):
        preflight.check_memory("MemTotal: 9999999 kB\nMemAvailable: 1048576 kB\n")
    preflight.check_memory("MemTotal: 9999999 kB\nMemAvailable: 4194304 kB\n")


def test_a_full_disk_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path, tmp_path / "cache")
    monkeypatch.setattr(preflight, "TOOLS", ())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    with pytest.raises(UnfitError, match=r"cache has 1\.0 GiB free, 3 are needed"):
        preflight.check_space(layout)


@pytest.mark.parametrize("checkout", ["/srv/" + "deep/" * 20, "/srv/a,b", "/srv/a:b"])
def test_a_checkout_whose_path_breaks_sockets_or_mounts_is_refused(checkout: str) -> None:
    with pytest.raises(UnfitError, match="clone to a shorter one"):
        preflight.check_checkout(Layout(Path(checkout), Path("/cache")))


def test_an_ordinary_checkout_is_fine() -> None:
    preflight.check_checkout(Layout(Path("/home/someone/src/text-to-image-operator"), Path("/cache")))


def test_who_is_not_root_learns_three_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UnfitError, match=r"sudo make up.*Docker.*CONTEXT=name"):
        preflight.check_person()


def test_cgroups_that_cannot_be_made_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cgroup_hierarchies", lambda: [tmp_path / "missing"])
    with pytest.raises(UnfitError, match="Cgroups cannot be made here"):
        preflight.check_cgroups()


def test_cgroup_v2_hands_the_missing_controllers_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu cpuset io memory pids\n")
    handed_down = tmp_path / "cgroup.subtree_control"
    handed_down.write_text("cpu memory\n")
    preflight.enable_controllers(tmp_path)
    assert handed_down.read_text() == "+cpuset +pids"
