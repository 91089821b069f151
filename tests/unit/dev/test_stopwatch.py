"""What `up` says about its own time is quoted: it must not mix up a cold start with a cluster that was there."""

import io
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from dev.cluster.paths import Layout
from dev.cluster.progress import Progress
from dev.cluster.stopwatch import Stopwatch


@pytest.fixture
def progress() -> Iterator[Progress]:
    progress = Progress(io.StringIO())
    yield progress
    progress.close()


NOTHING = {"cluster": False, "sample": False}
A_CLUSTER = {"cluster": True, "sample": False}
ALL_OF_IT = {"cluster": True, "sample": True}


def run(tmp_path: Path, progress: Progress, there: dict[str, bool], builds: str = "") -> str:
    watch = Stopwatch(Layout(tmp_path, tmp_path), progress)
    with progress.building(builds) if builds else nullcontext(), progress.step("control plane"):
        pass
    watch.find(**there)
    watch.lap("the picture")
    with progress.building("jaeger"):  # what follows the picture does not change how it came about
        pass
    watch.lap("the monitoring stack")
    return watch.report()


@pytest.mark.parametrize(
    ("there", "builds", "found"),
    [
        (NOTHING, "etcd", "cold"),
        (NOTHING, "", "warm"),
        (ALL_OF_IT, "", "already up"),
        (ALL_OF_IT, "the image operator", "partly up"),
        (A_CLUSTER, "", "partly up"),
    ],
)
def test_what_was_there_is_told_with_the_times(
    tmp_path: Path, progress: Progress, there: dict[str, bool], builds: str, found: str
) -> None:
    said = run(tmp_path, progress, there, builds)
    figures = tmp_path / ".local" / "up.json"
    assert said == (
        f"Found {found} (builds: {2 if builds else 1}): the picture after 0s, the monitoring stack after 0s. "
        f"The figures are in {figures}."
    )
    (kept,) = json.loads(figures.read_text()).items()
    assert kept[0] == found
    assert list(kept[1]["seconds"]) == ["the picture", "the monitoring stack"]
    assert kept[1]["built"] == [*([builds] if builds else []), "jaeger"]
    assert {"control plane", "building jaeger"} <= kept[1]["steps"].keys()


def test_the_last_figures_of_each_state_are_kept(tmp_path: Path, progress: Progress) -> None:
    for there in (NOTHING, ALL_OF_IT):
        run(tmp_path, progress, there)
        progress.built.clear()
    first = (tmp_path / ".local" / "up.json").read_text()
    progress.took["node"] = 77.0
    run(tmp_path, progress, ALL_OF_IT)
    kept = json.loads((tmp_path / ".local" / "up.json").read_text())
    assert kept.keys() == {"warm", "already up"}
    assert kept["warm"] == json.loads(first)["warm"]
    assert kept["already up"]["steps"]["node"] == 77.0
