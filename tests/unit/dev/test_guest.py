"""On a cluster of somebody else's, `up` changes nothing that is there, and `down` removes nothing that it did not make.

tests/machine/test_context.py tries it on a real one; here an API server is as little as decides who made what.
"""

import copy
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import app, guest, kubectl
from dev.cluster.errors import UnfitError
from dev.cluster.guest import MADE_BY, Guest, Name
from dev.cluster.paths import Layout
from dev.cluster.progress import Progress

OPERATOR = Name("apps/v1", "Deployment", "text-to-image-system", "text-to-image-operator")
HOME = Name("v1", "Namespace", "", "text-to-image-system")
NAMESPACE = Name("v1", "Namespace", "", "text-to-image")
CRD = Name("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", app.CRD)
SAMPLE = Name("texttoimage.dev/v1alpha1", "TextToImageService", "text-to-image", "text-to-image")
OTHER = SAMPLE._replace(namespace="theirs", name="theirs")
HELM = OPERATOR._replace(namespace="ops", name="by-helm")
PART = {"app.kubernetes.io/part-of": "text-to-image-operator"}


@dataclass
class Server:
    """Objects by name, and what was asked for that writes."""

    objects: dict[Name, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    rendered: Callable[..., str] = kubectl.kubectl

    def has(self, *names: Name) -> None:
        for name in names:
            body = name.bare()
            body["metadata"]["labels"] = PART
            self.objects[name] = body

    def kubectl(self, layout: Layout, *argv: str, feed: str | None = None) -> str:
        match argv:
            case ("kustomize", *_):
                return self.rendered(layout, *argv)
            case ("get", "deployments", *_):
                items = [copy.deepcopy(body) for name, body in self.objects.items() if name.kind == "Deployment"]
                return json.dumps(
                    {"kind": "List", "items": [{k: v for k, v in i.items() if k == "metadata"} for i in items]}
                )
            case ("get", app.CRD, *_):
                return "\n".join(str(name) for name in self.objects if name.kind == "TextToImageService")
            case ("get", "--filename=-", *_):
                found = [self.objects[name] for name in _names(feed) if name in self.objects]
                return json.dumps(found[0] if len(found) == 1 else {"kind": "List", "items": found}) if found else ""
            case ("apply", *_):
                self.writes.append("apply")
                self.objects |= {Name.of(body): body for body in json.loads(feed or "")["items"]}
            case ("delete", *_):
                self.writes.append("delete")
                for name in _names(feed):
                    self.objects.pop(name, None)
        return ""

    def agrees(self, _: Layout, *argv: str) -> bool:
        match argv:
            case ("get", "crd", _):
                return CRD in self.objects
            case ("get", "t2iservice/text-to-image", _):
                return SAMPLE in self.objects
        return True


def _names(feed: str | None) -> list[Name]:
    return [Name.of(body) for body in json.loads(feed or "")["items"]]


@pytest.fixture(scope="module")
def rendered() -> Callable[..., str]:
    """Return what `kubectl kustomize` makes of the manifests, once: they are the same in every test."""
    texts: list[str] = []

    def render(*argv: Any) -> str:
        texts.append(texts[0] if texts else kubectl.kubectl(*argv))
        return texts[0]

    return render


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, rendered: Callable[..., str]) -> Server:
    server = Server(rendered=rendered)
    for module in (app, guest):
        monkeypatch.setattr(module, "kubectl", server.kubectl)
        monkeypatch.setattr(module, "agrees", server.agrees)
    monkeypatch.setattr(Guest, "_draw", lambda _: None)
    return server


def checkout(folder: Path) -> Guest:
    for part in ("crds", "manifests", "k8s"):
        (folder / part).parent.mkdir(exist_ok=True)
        (folder / part).symlink_to(Layout.of_this_checkout().checkout / part)
    return Guest(Layout(folder, folder / "cache"), Progress(io.StringIO()), "example.org/operator:1", "service:1")


@pytest.fixture
def here(tmp_path: Path) -> Guest:
    return checkout(tmp_path / "here")


def up(this: Guest) -> None:
    this.check()
    this.up()


def test_on_a_cluster_that_never_saw_it_all_is_made_and_all_but_the_samples_namespace_goes(
    here: Guest, server: Server
) -> None:
    up(here)
    assert {OPERATOR, HOME, NAMESPACE, CRD, SAMPLE} <= server.objects.keys()
    assert "nothing else used it" in here.remove()
    assert server.objects.keys() == {NAMESPACE}


def test_a_second_up_brings_in_what_changed(here: Guest, server: Server) -> None:
    up(here)
    server.objects[OPERATOR]["spec"] = "an image before this one"
    up(here)
    assert server.objects[OPERATOR]["spec"] != "an image before this one"


@pytest.mark.parametrize("there", [OPERATOR, SAMPLE, HELM], ids=["operator", "sample", "operator of another name"])
def test_what_is_theirs_is_named_and_neither_changed_nor_removed(here: Guest, server: Server, there: Name) -> None:
    server.has(CRD, HOME, NAMESPACE, there)
    before = copy.deepcopy(server.objects)
    with pytest.raises(UnfitError, match=f"{there}.* not made by this checkout; nothing was changed there"):
        here.check()
    here.remove()
    assert server.objects == before
    assert not server.writes or server.writes == ["delete"] * len(server.writes)


def test_their_crd_and_namespaces_are_used_and_stay(here: Guest, server: Server) -> None:
    server.has(CRD, HOME, NAMESPACE)
    before = copy.deepcopy(server.objects)
    up(here)
    assert {OPERATOR, SAMPLE} <= server.objects.keys()
    assert "was not made by it" in here.remove()
    assert server.objects == before


def test_a_crd_that_others_use_meanwhile_stays(here: Guest, server: Server) -> None:
    up(here)
    server.has(OTHER)
    assert "the CRD stays, for 1 other" in here.remove()
    assert server.objects.keys() == {NAMESPACE, CRD, OTHER}


def test_what_was_made_anew_by_somebody_else_is_theirs(here: Guest, server: Server) -> None:
    up(here)
    server.has(OPERATOR)
    with pytest.raises(UnfitError, match=str(OPERATOR)):
        here.check()
    here.remove()
    assert OPERATOR in server.objects


def test_two_checkouts_keep_apart(here: Guest, server: Server, tmp_path: Path) -> None:
    up(here)
    there = checkout(tmp_path / "there")
    before = copy.deepcopy(server.objects)
    with pytest.raises(UnfitError):
        there.check()
    there.remove()
    assert server.objects == before
    assert server.objects[OPERATOR]["metadata"]["annotations"][MADE_BY]
