"""What the operator would make of a resource, shown and not done: `t2i-operator render` and `t2i-operator diff`.

The API server fills in, checks and merges everything in dry runs, so that what is shown is what it would store.
"""

import argparse
import os
import sys
from collections.abc import AsyncIterator, Container, Sequence
from pathlib import Path

import yaml

from t2i_operator import naming, printout, spec
from t2i_operator.known import drift, references
from t2i_operator.known.cache import Cache
from t2i_operator.known.children import Children
from t2i_operator.known.faults import APPLY_FAILED
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import rollout
from t2i_operator.known.version_cache import VersionCache
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.connection import connect
from t2i_operator.kube.kinds import CHILDREN, DEPLOYMENT, OPTIONAL, RESOURCE, Object
from t2i_operator.reconciling import handover, reclaim, replacement
from t2i_operator.reconciling.finding import find, named
from t2i_operator.reconciling.judgement import Judgement
from t2i_operator.reconciling.objects import Objects
from t2i_operator.reconciling.observe import Observer
from t2i_operator.reconciling.ownership import Whose, whose
from t2i_operator.reconciling.placement import lacking
from t2i_operator.reconciling.prune import PruneDecision, prune_decisions
from t2i_operator.reconciling.wanted import wanted
from t2i_operator.settings import Settings, from_arguments
from t2i_operator.settings import flags as settings_flags

COMMANDS = {"render": "print all objects of a resource", "diff": "print what would change in the cluster"}
_SAME, _DIFFERS = 0, 1
# What is said of objects that would not be deleted, or not at once.
_ENDS = {
    PruneDecision.RELEASE: "would be released: the spec refers to it, and its data stays",
    PruneDecision.KEEP_UNTIL_PLACED: "would stay until what it belongs to is in place and can be looked at",
    PruneDecision.KEEP_UNTIL_ROLLED_OUT: "would be deleted once no pod of the old template is left",
    PruneDecision.KEEP_AS_FALLBACK: "would stay until the cluster serves the kind of what is to follow it",
    PruneDecision.KEEP_OLD_ROUTE: "would stay until RouteReady is True",
    PruneDecision.KEEP_OLD_DASHBOARD: "would stay until a Grafana has the GrafanaDashboard of that name",
}
# Those by which an object does not stay as it is.
_CHANGES = (PruneDecision.RELEASE, PruneDecision.KEEP_UNTIL_ROLLED_OUT)


class PreviewError(Exception):
    """Nothing can be shown; the sentence says why."""


async def run(arguments: Sequence[str]) -> int:
    """Print to standard output; return 0, or 1 when `diff` found a difference, as diff(1) does.

    Raises `PreviewError`, `ApiError`, `spec.InvalidSpec` and `strategic.InvalidPatchError`.
    """
    parser = _parser()
    flags = parser.parse_intermixed_args(arguments)
    settings = from_arguments(parser, flags, os.environ)
    connection = await connect(f"{settings.identity} {flags.command}")
    async with connection.session() as session:
        preview = Preview(Cluster(session), settings, namespace=connection.namespace)
        resource = await preview.resource(flags.resource, flags.file)
        return await (preview.render(resource) if flags.command == "render" else preview.diff(resource))


def _parser() -> argparse.ArgumentParser:
    what = "; ".join(f"{name}: {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(prog="t2i-operator", description=what, parents=[settings_flags(os.environ)])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("resource", nargs="?", help="NAMESPACE/NAME of a resource in the cluster")
    file = "a file with one resource, applied or not, of the context's namespace by default; -: standard input"
    parser.add_argument("-f", "--file", help=file)
    return parser


class Preview:
    """Goes the reconciler's way up to the first write."""

    def __init__(self, cluster: Cluster, settings: Settings, *, namespace: str = "default") -> None:
        """Take a file that names no namespace to mean this one."""
        self._cluster, self._settings, self._namespace = cluster, settings, namespace
        self._objects = Objects(cluster, Children())
        self._observer = Observer(cluster, image=settings.service_image, jaeger_image=settings.jaeger_image)

    async def resource(self, name: str | None, file: str | None) -> spec.TextToImageService:
        """Read a resource from the cluster, or from a file as the API server would store it."""
        if (name is None) == (file is None):
            raise PreviewError("name one resource as NAMESPACE/NAME, or give one file with -f")
        body = await self._live(name) if name else await self._dry_run(_read(str(file)))
        resource = spec.parse(body)
        if resource.spec.class_name != self._settings.class_name:
            raise PreviewError(
                f"the resource's className is {resource.spec.class_name or 'not set'}; give this command"
                f" --class-name={resource.spec.class_name or ''} to see what that class's operator would do"
            )
        return resource

    async def _live(self, name: str) -> Object:
        namespace, slash, name = name.partition("/")
        if not slash:
            raise PreviewError("name the resource as NAMESPACE/NAME, or give a file with -f")
        body = await self._cluster.get(RESOURCE, namespace, name)
        if body is None:
            raise PreviewError(f"there is no {naming.RESOURCE_KIND} {name} in namespace {namespace}")
        return body

    async def _dry_run(self, body: Object) -> Object:
        """Take the file's spec for the whole of it: what `kubectl apply` sent earlier and no longer does, is gone."""
        metadata = body["metadata"]
        live = await self._cluster.get(RESOURCE, metadata.setdefault("namespace", self._namespace), metadata["name"])
        if live is None:
            return await self._cluster.apply(RESOURCE, body, dry_run=True)
        return await self._cluster.replace(RESOURCE, {**live, "spec": body.get("spec")}, dry_run=True)

    async def render(self, resource: spec.TextToImageService) -> int:
        """Print the objects as they would be applied."""
        outcome = _outcome(resource)
        desired = await self._desired(resource, await self._get(_deployment(resource)), outcome)
        sys.stdout.write(printout.documents([body for body in desired if not _left(identify(body), outcome)]))
        return _SAME

    async def diff(self, resource: spec.TextToImageService) -> int:
        """Print a unified difference for each object that would be made, changed or deleted."""
        if resource.spec.paused:
            sys.stdout.write("# spec.paused is true: nothing of this is done\n")
        deployment, outcome = await self._get(_deployment(resource)), _outcome(resource)
        desired = {identify(body): body for body in await self._desired(resource, deployment, outcome)}
        status, ours = _SAME, set[Id]()
        for identity, body in desired.items():
            if not _left(identity, outcome):
                status |= await self._placed(resource, body, outcome, ours)
        return status | await self._unwanted(resource, desired, outcome)

    async def _placed(self, resource: spec.TextToImageService, body: Object, outcome: Outcome, ours: set[Id]) -> int:
        """Print what would become of one object, and take note in `ours` when it would be the resource's."""
        identity = identify(body)
        try:
            live = await self._get(identity)
        except ApiError as error:
            if identity.kind not in OPTIONAL or not error.is_forbidden:
                raise
            outcome.absent[identity.kind] = Absence.FORBIDDEN
            sys.stdout.write(f"# {identity} cannot be looked at: {error.message}\n")
            return _SAME
        if live is not None and whose(live, resource) is Whose.OURS:
            ours.add(identity)
        lacks = lacking(identity, resource, outcome, ours.__contains__)
        if lacks is not None:
            stays = "stay as it is" if live else "not be made"
            sys.stdout.write(f"# {identity} would {stays}: it needs {lacks}, which is not in its place\n")
            return _SAME
        if live is not None and not await self._objects.check_owner(live, body, resource, outcome):
            said = [fault.message for fault in outcome.faults if fault.identity == identity]
            sys.stdout.write(f"# {said[0] if said else outcome.waiting}\n")
            return _SAME
        try:
            return await self._applied(resource, body, live, outcome, ours)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            sys.stdout.write(f"# {identity} would be refused: {error.message}\n")
            outcome.failed(identity, APPLY_FAILED, error)
            return _DIFFERS

    async def _applied(
        self, resource: spec.TextToImageService, body: Object, live: Object | None, outcome: Outcome, ours: set[Id]
    ) -> int:
        """Print what an apply would change, or why that cannot be shown."""
        identity = identify(body)
        kept = handover.kept_replicas(live) if live is not None and identity.kind == DEPLOYMENT else None
        if kept is not None:
            body["spec"].setdefault("replicas", kept)
        try:
            applied = await self._cluster.apply(identity.kind, body, dry_run=True)
        except ApiError as error:
            if identity.kind in OPTIONAL and error.is_not_found:
                outcome.absent[identity.kind] = Absence.MISSING
                sys.stdout.write(f"# {identity} would not be made: the cluster does not serve its kind\n")
                return _SAME
            if live is not None and error.is_invalid and reclaim.claim(body, live):
                put_back = named(find(body, drift.expected(body), live, ()).put_back)
                sys.stdout.write(f"# {identity} would be repaired, and what stands in its place go: {put_back}\n")
                return _DIFFERS
            if identity not in ours or not replacement.is_due(identity, error):
                raise
            sys.stdout.write(f"# {identity} would be deleted and made anew: {' and '.join(error.fields)} is fixed\n")
            applied = await replacement.dry_run(self._cluster, identity, body)
        ours.add(identity)
        if identity == _deployment(resource):
            outcome.rollout = rollout(applied)
        return _print(identity, live, applied)

    async def _unwanted(self, resource: spec.TextToImageService, desired: Container[Id], outcome: Outcome) -> int:
        """Print what becomes of the objects that are the resource's and no longer wanted."""
        cache, found, status = Cache(), {identity: live async for identity, live in self._labelled(resource)}, _SAME
        for identity, live in found.items():
            cache.children.observe(identity.kind, live)
        await Judgement(self._cluster, cache).judge_route(resource, outcome)
        unwanted = list(prune_decisions(cache.children, resource, desired, outcome))
        if unwanted and not outcome.placed:
            until = "that is collected" if outcome.waiting else "all that serves is in its place"
            sys.stdout.write(f"# nothing is deleted until {until}\n")
            return _SAME
        for identity, _, decision in unwanted:
            if decision is PruneDecision.DELETE:
                status |= _print(identity, found[identity], None)
            else:
                sys.stdout.write(f"# {identity} {_ENDS[decision]}\n")
                status |= _DIFFERS if decision in _CHANGES else _SAME
        return status

    async def _desired(
        self, resource: spec.TextToImageService, deployment: Object | None, outcome: Outcome
    ) -> list[Object]:
        cache = VersionCache(self._cluster, max_age_seconds=0)
        versions = await cache.versions(resource.metadata.namespace, references.sources(resource))
        seen = rollout(deployment) if deployment else None
        try:
            desired = await wanted(self._observer, resource, versions, seen, outcome)
        finally:
            if outcome.credentials is not None:
                sys.stderr.write(f"{outcome.credentials.reason}: {outcome.credentials.message}\n")
        for failure in outcome.failures:
            raise failure.error
        for fault in outcome.faults:
            sys.stderr.write(f"{fault.reason}: {fault.message}\n")
        return desired

    async def _get(self, identity: Id) -> Object | None:
        return await self._cluster.get(*identity)

    async def _labelled(self, resource: spec.TextToImageService) -> AsyncIterator[tuple[Id, Object]]:
        selector = f"{naming.CHILD_SELECTOR},{naming.INSTANCE_LABEL}={resource.metadata.name}"
        for kind in CHILDREN:
            try:
                async for page in self._cluster.pages(kind, resource.metadata.namespace, selector):
                    for live in page.objects():
                        head = {"apiVersion": kind.api_version, "kind": kind.name}
                        yield Id(kind, resource.metadata.namespace, live["metadata"]["name"]), {**head, **live}
            except ApiError as error:
                if kind not in OPTIONAL or not (error.is_not_found or error.is_forbidden):
                    raise


def _left(identity: Id, outcome: Outcome) -> bool:
    return any(fault.identity == identity for fault in outcome.faults)


def _outcome(resource: spec.TextToImageService) -> Outcome:
    return Outcome(generation=resource.metadata.generation, resource=resource)


def _deployment(resource: spec.TextToImageService) -> Id:
    return Id(DEPLOYMENT, resource.metadata.namespace, naming.deployment(resource.metadata.name))


def _read(file: str) -> Object:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        found = [body for body in yaml.safe_load_all(text) if isinstance(body, dict)]
    except (OSError, yaml.YAMLError) as error:
        raise PreviewError(f"{file} cannot be read: {error}") from error
    resources: list[Object] = [body for body in found if body.get("kind") == naming.RESOURCE_KIND]
    if len(resources) != 1 or not (resources[0].get("metadata") or {}).get("name"):
        raise PreviewError(f"{file} has {len(resources)} {naming.RESOURCE_KIND}s; exactly one, with a name, is wanted")
    return resources[0]


def _print(identity: Id, before: Object | None, after: Object | None) -> int:
    change = printout.change(identity, before, after)
    sys.stdout.write(change)
    return _DIFFERS if change else _SAME
