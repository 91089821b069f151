"""One cluster for every suite that needs one.

Ask for what you use; nothing of it costs a test that does not ask:

- `cluster`: the running cluster (`cluster.kubeconfig`, `cluster.audit_log`, `cluster.logs`).
- `kubectl(*argv, input=None) -> str`: on that cluster; raises `KubectlError` (its text is stderr) when kubectl fails.
- `api`: a client of it in this process, for what is asked often: an answer takes milliseconds, a kubectl half a second.
- `helm(*argv) -> str`: as kubectl; a cold build of it takes some minutes, so mark the test with a longer time limit.
- `toolbox`: the name of an image with a shell and Python, for pods that try something.
- `namespace`: the name of a fresh namespace under restricted Pod Security, deleted afterwards; `shared_namespace`: one
  for the whole module.

`make test` runs two suites side by side, since most of their time is spent waiting: a suite on the cluster stays with
one worker, `tests/unit` and `tests/contract` are shared out by file, and `tests/machine` waits until it has the machine
for itself.

The operator, its CRD and the sample are installed when a test under `tests/e2e` is among those that run, or one that
asks for `stack`, as a few of `tests/cluster` do: the monitoring stack comes with those. What is up already is used as
it is, if it is the embedded cluster: any other is refused.
"""

import fcntl
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from dev.cluster import ground
from dev.cluster import kubectl as program
from dev.cluster.paths import Layout
from tests.api import Api
from tests.kubectl import KubectlError
from tests.programs import HELM, built

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


TESTS = Path(__file__).parent
ALONE = "machine"
BY_FILE = {"unit", "contract", "rules"}
_TURN = pytest.StashKey[IO[bytes]]()
_BUILDS = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure() -> None:
    """Take interrupts, and let children take them: a run started in the background by a shell ignores them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin to build what only tests need, if every test is to run: where nothing is cached that takes minutes."""
    config, quiet = session.config, subprocess.DEVNULL
    is_worker, every = hasattr(config, "workerinput"), config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if every and not is_worker and not config.option.collectonly:
        command = ["nice", "--adjustment=5", sys.executable, "-m", "tests.programs"]
        config.stash[_BUILDS] = subprocess.Popen(  # noqa: S603
            command, cwd=config.rootpath, stdout=quiet, stderr=quiet, start_new_session=True
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if builds := session.config.stash.get(_BUILDS, None):
        builds.terminate()
        builds.wait()


class _ASuiteEach(LoadScopeScheduling):
    """Keeps a suite with one worker, whose tests share what is dear to set up; `BY_FILE` share nothing beyond a file.

    xdist's own groups do the same, but 3.8 writes them into a private field that pytest 9.2 no longer has.
    """

    def _split_scope(self, nodeid: str) -> str:
        suite = nodeid.split("/")[1]
        return nodeid.partition("::")[0] if suite in BY_FILE else suite


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ASuiteEach:
    return _ASuiteEach(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Take turns between workers, outside of any test's time: one suite ends the cluster that others run on."""
    stash = item.session.stash
    if _TURN not in stash:
        stash[_TURN] = (TESTS / "conftest.py").open("rb")
        fcntl.flock(stash[_TURN], fcntl.LOCK_EX if _suite(item) == ALONE else fcntl.LOCK_SH)
    try:
        return (yield)
    finally:
        if nextitem is None or _suite(nextitem) != _suite(item):
            stash[_TURN].close()
            del stash[_TURN]


def _suite(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give who asks for the toolbox time to wait: while the guide is tried, nobody else may work on the cluster."""
    for item in items:
        if "toolbox" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring the cluster up before the first test: a cold start takes longer than any test is allowed to.

    One of several workers begins before the others have collected, so `make test` brings it up before there are any.
    """
    if hasattr(session.config, "workerinput"):
        return
    needed = [item for item in session.items if "cluster" in getattr(item, "fixturenames", ())]
    if not needed or session.config.option.collectonly:
        return
    end_to_end = any("e2e" in item.path.parts for item in needed)
    monitored = any("stack" in getattr(item, "fixturenames", ()) for item in needed)
    wanted = {"--no-app": end_to_end or monitored, "--no-stack": monitored}
    left_out = [option for option in wanted if not wanted[option]]
    command = [sys.executable, "-m", "dev.cluster", "up", "--on=embedded", *left_out]
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        result = subprocess.run(command, cwd=session.config.rootpath, check=False)  # noqa: S603
    if result.returncode != 0:
        pytest.exit("the cluster did not come up; the line above says why", returncode=3)


@pytest.fixture(scope="session")
def cluster() -> Layout:
    """Refuse a cluster that somebody else may work with, also where one of several workers came without `make test`."""
    layout = Layout.of_this_checkout()
    ground.need_embedded(layout)
    return layout


@pytest.fixture(scope="session")
def kubectl(cluster: Layout) -> Callable[..., str]:
    def run(*argv: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        result = program.run(cluster, *argv, feed=input)
        if result.returncode != 0:
            raise KubectlError(result.stderr.strip())
        return result.stdout

    return run


@pytest.fixture(scope="session")
def stack(cluster: Layout) -> None:
    """Ask for Prometheus, Alertmanager, metrics-server and Jaeger; they are installed before the first test."""


@pytest.fixture(scope="session")
def api(cluster: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return a client with all rights."""
    copy = tmp_path_factory.mktemp("api") / "kubeconfig"
    copy.write_text(cluster.kubeconfig.read_text())
    client = Api(copy)
    yield client
    client.close()


@pytest.fixture(scope="session")
def helm(cluster: Layout) -> Callable[..., str]:
    (program,) = built(HELM)

    def run(*argv: str) -> str:
        command = [str(program), *argv, f"--kubeconfig={cluster.kubeconfig}"]
        result = subprocess.run(command, cwd=cluster.checkout, text=True, capture_output=True, check=False)  # noqa: S603
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


@pytest.fixture(scope="session")
def toolbox(cluster: Layout) -> str:
    command = [sys.executable, "-m", "dev.cluster", "images", "toolbox"]
    result = subprocess.run(command, cwd=cluster.checkout, check=True, text=True, stdout=subprocess.PIPE)  # noqa: S603
    return result.stdout.split()[0]


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> Iterator[str]:
    yield from _namespace(api, request.node.originalname)


@pytest.fixture(scope="module")
def shared_namespace(api: Api, request: pytest.FixtureRequest) -> Iterator[str]:
    yield from _namespace(api, request.module.__name__.rpartition(".")[2])


def _namespace(api: Api, asking: str) -> Iterator[str]:
    words = "".join(letter if letter.isalnum() else "-" for letter in asking.lower())
    name = f"{words[:40].strip('-')}-{uuid.uuid4().hex[:6]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    api.request("POST", "/api/v1/namespaces", body)
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def checkout() -> Path:
    return Path(__file__).resolve().parents[1]
