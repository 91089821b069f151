"""This project on a cluster that is not its own: what is there already is left as it is, and only what it made goes."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from dev.cluster.app import CRD, MANIFESTS, App
from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import agrees, kubectl
from dev.cluster.paths import write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dev.cluster.paths import Layout

# On everything made here: a word that only the checkout that made it knows, so that two of them keep apart as well.
MADE_BY = "texttoimage.dev/made-by-make-up"
OPERATORS = ("deployments", "--all-namespaces", "--selector=app.kubernetes.io/part-of=text-to-image-operator")
RESOURCE = "TextToImageService"
# May be there before, for other resources; then they are used as they are.
SHARED = ("Namespace", "CustomResourceDefinition")
NAMED_AT_MOST = 3
# Much faster, where PyYAML was built with libyaml; the CRD is long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Body = dict[str, Any]


class Name(NamedTuple):
    """What an object is called on a cluster; `namespace` is empty where it has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def bare(self) -> Body:
        """Return an object with nothing but its name, which is enough to look it up or delete it."""
        place = {"namespace": self.namespace} if self.namespace else {}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": self.name, **place}}

    @staticmethod
    def of(body: Body) -> Name:
        """Return the name of an object, from a file or from a cluster."""
        metadata = body["metadata"]
        return Name(body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"])


# The sample's stays once it is made: somebody may have put other things there.
NAMESPACE = Name("v1", "Namespace", "", "text-to-image")


@dataclass(frozen=True)
class Guest(App):
    """Installs beside what others have there, or not at all."""

    def check(self) -> None:
        """Refuse before anything is written where the names are taken: an operator re-pointed is a service down."""
        taken = [str(name) for name in self._taken() if name.kind not in SHARED]
        if taken:
            more = f" and {len(taken) - NAMED_AT_MOST} more" if len(taken) > NAMED_AT_MOST else ""
            raise UnfitError(
                f"This cluster has {', '.join(taken[:NAMED_AT_MOST])}{more}, not made by this checkout; nothing was "
                "changed there: take another cluster, or delete what you no longer need."
            )

    def remove(self) -> str:
        """Undo `up` and nothing else; say what became of the CRD."""
        names = self._names()
        owners = live(self.layout, names)
        made = [name for name in names if owners.get(name) == self._word()]
        sample = [name for name in made if name.kind == RESOURCE]
        crds = [name for name in made if name.name == CRD]
        delete(self.layout, sample)
        delete(self.layout, [name for name in made if name not in (*sample, *crds, NAMESPACE)])
        if not crds:
            return "the CRD was not made by it and stays as it is."
        others = kubectl(self.layout, "get", CRD, "--all-namespaces", "--output=name")
        if others:
            return f"the CRD stays, for {len(others.splitlines())} other services are there."
        delete(self.layout, crds)
        return "so is the CRD, for nothing else used it."

    def _apply(self, how: str, source: Path) -> None:
        """Make what is missing, and what this checkout made before; whoever changed that since is told, not forced."""
        bodies = rendered(self.layout, how, source)
        owners = live(self.layout, map(Name.of, bodies))
        ours = [body for body in bodies if owners.get(Name.of(body), self._word()) == self._word()]
        for body in ours:
            body["metadata"].setdefault("annotations", {})[MADE_BY] = self._word()
        if ours:
            kubectl(self.layout, "apply", "--server-side", "--filename=-", feed=_list(ours))

    def _taken(self) -> list[Name]:
        """Return what has one of our names, or is an operator under any name, and was not made by this checkout."""
        operators = json.loads(kubectl(self.layout, "get", *OPERATORS, "--output=json"))["items"]
        # The items of a list from the API server do not say what they are.
        found = {Name.of({"apiVersion": "apps/v1", "kind": "Deployment", **each}): _owner(each) for each in operators}
        found |= live(self.layout, self._names())
        return [name for name, owner in found.items() if owner != self._word()]

    def _names(self) -> list[Name]:
        """Return every object of ours, the last to be made first."""
        sample = [("--filename", self.layout.checkout / manifest) for manifest in MANIFESTS]
        sources = [("--filename", self.layout.checkout / "crds"), ("--kustomize", self._overlay()), *sample]
        names = [Name.of(body) for how, source in sources for body in rendered(self.layout, how, source)]
        return names[::-1]

    def _word(self) -> str:
        """Return this checkout's word, kept as long as its `.local` is."""
        file = self.layout.local / "guest"
        if not file.exists():
            write(file, uuid.uuid4().hex)
        return file.read_text()


def rendered(layout: Layout, how: str, source: Path) -> list[Body]:
    """Return the objects that `kubectl apply` would take from a file, a folder or a kustomization."""
    if how == "--kustomize":
        texts = [kubectl(layout, "kustomize", str(source))]
    else:
        files = sorted(source.glob("*.yaml")) if source.is_dir() else [source]
        texts = [file.read_text() for file in files]
    return [body for text in texts for body in yaml.load_all(text, LOADER) if body]


def live(layout: Layout, names: Iterable[Name]) -> dict[Name, str]:
    """Return which of them are there, and the word of the checkout that made each; empty where it is nobody's."""
    known = agrees(layout, "get", "crd", CRD)
    asked = [name.bare() for name in names if known or name.kind != RESOURCE]
    if not asked:
        return {}
    answer = kubectl(
        layout, "get", "--filename=-", "--ignore-not-found", "--output=json", feed=_list(asked)
    )  # one object comes alone, several as a list, none as nothing
    found = json.loads(answer or '{"kind": "List", "items": []}')
    items = found["items"] if found["kind"] == "List" else [found]
    return {Name.of(body): _owner(body) for body in items}


def delete(layout: Layout, names: list[Name]) -> None:
    """Delete them, and wait until they are gone."""
    if names:
        kubectl(layout, "delete", "--filename=-", "--ignore-not-found", feed=_list([name.bare() for name in names]))


def _owner(body: Body) -> str:
    owner: str = body["metadata"].get("annotations", {}).get(MADE_BY, "")
    return owner


def _list(bodies: list[Body]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
