"""What the builders make of each input is what the golden file says; the API server reads them in tests/cluster."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from t2i_operator import builders, spec
from t2i_operator.builders import Observed
from t2i_operator.known import catalogue
from t2i_operator.known.identity import identify

from tests.golden.builds import INPUTS, build, dump, golden

# Read anew, so that a version that is taken at import is the other one, too.
ANOTHER_VERSION = """
from importlib.metadata import Distribution, version

own = Distribution.version.fget
Distribution.version = property(lambda self: "99.0.0" if self.name == "text-to-image-operator" else own(self))
assert version("text-to-image-operator") == "99.0.0"

from tests.golden.builds import INPUTS, build, dump

print("".join(dump(build(source)) for source in INPUTS), end="")
"""

# As Argo CD marks what it applies, by either way of tracking.
TRACKED = {
    "labels": {"app.kubernetes.io/instance": "app", "argocd.argoproj.io/instance": "app"},
    "annotations": {"argocd.argoproj.io/tracking-id": "app:texttoimage.dev/TextToImageService:studio/pictures"},
}

each_input = pytest.mark.parametrize("source", INPUTS, ids=lambda source: source.name.removesuffix(".input.yaml"))


@each_input
def test_a_build_is_as_it_was(source: Path, request: pytest.FixtureRequest) -> None:
    text = dump(build(source))
    if request.config.getoption("--update", default=False):
        golden(source).write_text(text)
    assert golden(source).read_text() == text, "pytest tests/golden --update writes it anew"


def test_another_version_of_the_operator_builds_the_same(checkout: Path) -> None:
    """Or a release would restart every pod that it finds."""
    command = [sys.executable, "-c", ANOTHER_VERSION]
    done = subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603

    assert done.stdout == "".join(dump(build(source)) for source in INPUTS)


def test_no_golden_file_is_left_over() -> None:
    files = {path for path in Path(__file__).parent.glob("*.yaml") if not path.name.endswith(".input.yaml")}
    assert files == {golden(source) for source in INPUTS}


@each_input
def test_a_build_keeps_to_its_owner(source: Path) -> None:
    (body,) = (each for each in yaml.safe_load_all(source.read_text()) if each["kind"] == "TextToImageService")
    for each in build(source):
        metadata = each["metadata"]
        assert metadata["namespace"] == body["metadata"]["namespace"]
        known = catalogue.lists(identify(each).kind, metadata["name"], body["metadata"]["name"])
        assert known, f"{metadata['name']} would be taken for a copy, and never be taken away"
        assert metadata["labels"]["app.kubernetes.io/instance"] == body["metadata"]["name"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "text-to-image-operator"
        assert [owner["controller"] for owner in metadata["ownerReferences"]] == [True]


@each_input
def test_argo_s_tracking_labels_and_annotations_are_not_copied_to_children(source: Path, tmp_path: Path) -> None:
    """Argo CD would take them for objects of its application that are not in its repository, and delete them."""
    documents = list(yaml.safe_load_all(source.read_text()))
    for body in documents:
        if body["kind"] == "TextToImageService":
            body["metadata"] |= TRACKED
    tracked = tmp_path / source.name
    tracked.write_text(yaml.safe_dump_all(documents))

    assert build(tracked) == build(source)


@each_input
def test_a_builder_changes_nothing_it_is_given_and_returns_fresh_objects(source: Path) -> None:
    body = next(each for each in yaml.safe_load_all(source.read_text()) if each["kind"] == "TextToImageService")
    body["metadata"]["uid"] = "u"
    before = copy.deepcopy(body)
    resource, observed = spec.parse(body), Observed(image="i", keys={"a": "b"})
    once, twice = builders.desired(resource, observed), builders.desired(resource, observed)
    for each in once:
        each["metadata"]["labels"].clear()
        each["metadata"]["annotations"].clear()

    assert body == before
    assert twice == builders.desired(resource, observed)
