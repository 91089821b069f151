"""Where the resource comes from that is shown: the cluster, or a file as the API server would store it."""

import sys
from pathlib import Path

import yaml

from t2i_operator import naming, spec
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.kinds import RESOURCE, Object
from t2i_operator.settings import Settings


class PreviewError(Exception):
    """Nothing can be shown; the sentence says why."""


class Source:
    """Reads the one resource that the arguments name."""

    def __init__(self, cluster: Cluster, settings: Settings, *, namespace: str = "default") -> None:
        """Take a file that names no namespace to mean this one."""
        self._cluster, self._settings, self._namespace = cluster, settings, namespace

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
