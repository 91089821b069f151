"""A machine that is not fit is told so in one sentence, before anything is made."""

import socket
from pathlib import Path

import pytest

from dev.cluster import commands, machine, network, packages, preflight, space
from dev.cluster.errors import UnfitError
from dev.cluster.paths import Layout
from dev.cluster.workshop import workshop

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


def test_who_is_not_root_learns_which_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(packages, "missing", lambda: ["buildah", "runc"])
    with pytest.raises(UnfitError, match=r"sudo make up.*\(buildah runc\).*Docker.*CONTEXT=name"):
        preflight.check_person()
    monkeypatch.setattr(packages, "missing", list)
    with pytest.raises(UnfitError) as refusal:
        preflight.check_person()
    assert "packages" not in str(refusal.value)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Return a checkout on a machine that lacks a package, is fit otherwise, and is nobody's."""
    ours = tmp_path / "run"
    monkeypatch.setattr(commands, "MACHINE", ours)
    monkeypatch.setattr(machine, "LOCK", ours / "lock")
    monkeypatch.setattr(machine, "RECORD", ours / "cluster.json")
    monkeypatch.setattr(machine, "cgroup_hierarchies", list)
    monkeypatch.setattr(preflight, "check_kernel", lambda: None)
    monkeypatch.setattr(preflight, "SOCKET_PATH_LIMIT", 1000)
    monkeypatch.setattr(preflight, "MEMORY", 0)
    for share in ("PROGRAMS", "IMAGES", "RUNNING"):
        monkeypatch.setattr(space, share, 0)
    monkeypatch.setattr(network, "PORTS", ())
    monkeypatch.setattr(packages, "missing", lambda: ["buildah"])
    monkeypatch.setattr(packages, "install", lambda *_: pytest.fail("a package is installed"))
    (tmp_path / "dev").symlink_to(Layout.of_this_checkout().checkout / "dev")
    return Layout(tmp_path, tmp_path / "cache")


@pytest.mark.parametrize("unfit", ["path", "disk", "memory", "cgroups", "kernel", "port"])
def test_a_machine_that_is_refused_has_no_package_more_and_no_trace(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, unfit: str
) -> None:
    def refuse() -> None:
        raise UnfitError("no br_netfilter")

    with socket.create_server(("", 0)) as taken:
        change: dict[str, tuple[object, str, object]] = {
            "path": (preflight, "SOCKET_PATH_LIMIT", 1),
            "disk": (space, "RUNNING", 1 << 30),
            "memory": (preflight, "MEMORY", 1 << 30),
            "cgroups": (machine, "cgroup_hierarchies", lambda: [layout.checkout / "missing"]),
            "kernel": (preflight, "check_kernel", refuse),
            "port": (network, "PORTS", (taken.getsockname()[1],)),
        }
        monkeypatch.setattr(*change[unfit])
        with workshop(layout) as shop, pytest.raises(UnfitError):
            commands._take(layout, shop, space.wanted(app=True, stack=True))
    assert not machine.LOCK.parent.exists()


def test_a_cluster_that_runs_is_asked_for_room_too(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make up` after `make up STACK=off` builds the stack."""
    monkeypatch.setattr(commands, "_runs", lambda _: True)
    monkeypatch.setattr(space, "PROGRAMS", 1 << 30)
    with workshop(layout) as shop, pytest.raises(UnfitError, match="GiB free"):
        commands._take(layout, shop, space.wanted(app=True, stack=True))


def test_a_fit_machine_gets_the_packages_that_are_missing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test above would prove nothing."""

    def install(absent: list[str], *_: object) -> None:
        raise UnfitError(f"installing {absent}")

    monkeypatch.setattr(packages, "install", install)
    with workshop(layout) as shop, pytest.raises(UnfitError, match="buildah"):
        commands._take(layout, shop, space.wanted(app=True, stack=True))
    assert not machine.LOCK.parent.exists()


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
