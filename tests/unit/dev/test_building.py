"""What is built is kept under a name that changes exactly when its content would."""

import io
from pathlib import Path

import pytest

from dev.cluster import golang, images, jobs, packages, tools
from dev.cluster.base import PUBLIC_MIRROR, mirror
from dev.cluster.errors import UnfitError
from dev.cluster.images import Image
from dev.cluster.paths import Layout
from dev.cluster.progress import Progress, clock
from dev.cluster.tools import TOOLS, Tool


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    module = tmp_path / "dev" / "tools" / "thing"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module x\n\ngo 1.26.6\n\nrequire (\n\texample.org/thing v1.2.3\n)\n")
    (module / "go.sum").write_text("sums\n")
    return Layout(tmp_path, tmp_path / "cache")


THING = Tool("thing", "thing", "example.org/thing/cmd", "example.org/thing", "-X v={version} -X minor={minor}")


def test_every_pinned_program_knows_its_version() -> None:
    layout = Layout.of_this_checkout()
    versions = {tool.name: tools.version(layout, tool) for tool in TOOLS}
    kubernetes = {versions[tool.name] for tool in TOOLS if tool.folder == "kubernetes"}
    assert len(kubernetes) == 1, "the components of one cluster are of one version"
    assert all(version.startswith("v") for version in versions.values())


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_a_changed_pin_is_another_binary(layout: Layout, name: str) -> None:
    before = tools.binary(layout, THING)
    with (layout.tools / "thing" / name).open("a") as file:
        file.write("// changed\n")
    after = tools.binary(layout, THING)
    assert after != before
    assert after.name == "thing"
    assert "v1.2.3" in after.parent.name


def test_a_changed_flag_is_another_binary(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tools.binary(layout, THING)
    monkeypatch.setattr(tools, "BUILD", ("build", "-race"))
    assert tools.binary(layout, THING) != before


def fake_go(folder: Path, script: str) -> None:
    go = folder / "go"
    go.write_text(f'#!/bin/sh\n[ "$1" = env ] && echo go1.27.0 && exit\n{script}\n')
    go.chmod(0o755)


def test_a_build_that_fails_names_its_log_and_leaves_no_binary(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go(tmp_path, "echo no such package >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UnfitError, match=r"build-thing\.log"):
        tools.build(layout, THING, jobs.Jobs())
    assert "no such package" in (layout.logs / "build-thing.log").read_text()
    assert not tools.binary(layout, THING).exists()


def test_programs_are_built_once_with_their_version(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go(tmp_path, f'echo "$@" >> {tmp_path}/calls; while [ "$1" != -o ]; do shift; done; touch "$2"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for _ in range(2):
        progress = Progress(io.StringIO())
        programs = tools.Programs(layout, progress, jobs.Jobs(), (THING,))
        assert programs["thing"].exists()
        programs.close()
        progress.close()
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert "-X v=v1.2.3 -X minor=2" in call
    assert "CGO_ENABLED" in tools.BUILD_ENVIRONMENT


@pytest.mark.parametrize(
    ("reported", "wanted", "enough"),
    [("1.26.8", "1.26.6", True), ("1.27", "1.26.6", True), ("1.26.5", "1.26.6", False), ("1.9", "1.26", False)],
)
def test_a_go_that_is_too_old_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: str, wanted: str, enough: bool
) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho go{reported}\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(golang, "_from_wheel", lambda _: Path("/the/wheel"))
    assert golang.toolchain(wanted, tmp_path) == (go if enough else Path("/the/wheel"))


def image(tmp_path: Path, **changes: object) -> Image:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(str(changes.pop("dockerfile", "FROM scratch")))
    code = tmp_path / "code"
    code.write_text(str(changes.pop("code", "print()")))
    return Image("example.org/thing", dockerfile, {"code": code}, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"dockerfile": "FROM x"}, {"code": "pass"}, {"arguments": {"BASE": "y"}}])
def test_an_images_tag_follows_its_content(tmp_path: Path, change: dict[str, object]) -> None:
    before = image(tmp_path).reference
    assert image(tmp_path).reference == before
    assert image(tmp_path, **change).reference != before


def test_a_published_name_stays_while_the_archive_follows_name_and_content(tmp_path: Path) -> None:
    published: dict[str, object] = {"published": "example.org/thing:1"}
    changes: list[dict[str, object]] = [{}, {"code": "pass"}, {"published": "example.org/thing:2"}]
    assert image(tmp_path, **published).reference == published["published"]
    assert len({image(tmp_path, **{**published, **each}).digest for each in changes}) == len(changes)


def test_old_archives_make_room(tmp_path: Path) -> None:
    builder = images.Builder(Layout(tmp_path, tmp_path), jobs.Jobs())
    archives = [tmp_path / f"service-{number:012x}.tar" for number in range(4)]
    half_written = archives[0].with_suffix(".4711")
    others = {tmp_path / f"{name}-000000000000.tar" for name in ("operator", "service-monitor", "a-service")}
    for path in (*archives, half_written, *others):
        path.touch()
    builder._forget_older(archives[-1])
    left = set(tmp_path.iterdir())
    assert others < left
    assert len(left - others) == images.KEPT_ARCHIVES
    assert archives[-1] in left


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("sources.list", "deb [signed-by=/k.gpg] https://mirror.example/debian bookworm main\n", "https://mirror.example/debian"),
        ("sources.list.d/debian.sources", "Types: deb\nURIs: http://cdn.example/debian/\n", "http://cdn.example/debian"),
        ("sources.list", "# deb http://old.example/debian x main\n", PUBLIC_MIRROR),
        ("sources.list", "deb http://archive.ubuntu.com/ubuntu noble main\n", PUBLIC_MIRROR),
        ("sources.list", "deb http://cdn.example/debian-security bookworm-security main\n", PUBLIC_MIRROR),
    ],
)  # fmt: skip
def test_the_machines_own_mirror_is_used(tmp_path: Path, file: str, text: str, found: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert mirror(tmp_path) == found


def test_missing_packages_are_named_once_each(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.touch()
    needed = {"sh": "dash", str(here): "here", "no-such-program": "beta", "/no/such/file": "alpha", "nor-this": "beta"}
    assert packages.missing(needed) == ["alpha", "beta"]


def test_without_apt_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(UnfitError, match="buildah runc"):
        packages.install(["buildah", "runc"], tmp_path / "log", jobs.Jobs())


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_runs_in_one_line() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    progress.expect(2)
    with progress.step("building etcd"):
        assert terminal.getvalue().endswith("[1/2] building etcd … 0s")
    progress.close()
    assert "[1/2] building etcd 0s\n" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")


def test_elsewhere_a_line_says_what_is_done() -> None:
    log = io.StringIO()
    progress = Progress(log)
    progress.expect(1)
    with progress.step("building etcd"):
        pass
    progress.close()
    assert log.getvalue() == "[1/1] building etcd 0s\n"


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (130, "2m10s"), (3601, "60m01s")])
def test_a_clock_is_read_at_a_glance(seconds: float, text: str) -> None:
    assert clock(seconds) == text
