"""A resource whose whole passes are run, over a cluster that stores what is applied."""

import copy
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import aiohttp
import msgspec
import pytest
from t2i_operator import builders, spec
from t2i_operator.known.cache import Cache
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.version_cache import VersionCache
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import (
    CHILDREN,
    DEPLOYMENT,
    GRAFANA_DASHBOARD,
    OPENTELEMETRY_COLLECTOR,
    RESOURCE,
    Kind,
    Object,
)
from t2i_operator.kube.messages import Page
from t2i_operator.naming import FIELD_MANAGER, Key
from t2i_operator.reconciling.failure_grace import FailureGrace
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.settings import read
from t2i_operator.status.conditions import Condition, conditions

from tests.unit.operator.resources import OBSERVED, UNOBSERVED

KEY = Key("studio", "pictures")
DEPLOYED = Id(DEPLOYMENT, *KEY)
JAEGER = {kind: Id(kind, KEY.namespace, "pictures-jaeger") for kind in (DEPLOYMENT, OPENTELEMETRY_COLLECTOR)}
ROUTED: Object = {"httpRoute": {"parentRefs": [{"name": "public"}]}}
SERVES: Object = dict.fromkeys(
    ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration"), 1
)


class StoringCluster(Cluster):
    """Stores what is applied; what is `refused` cannot be read, and of kinds that are `unserved` there is nothing."""

    def __init__(self) -> None:
        super().__init__(MagicMock(spec=aiohttp.ClientSession))
        self.live: dict[Id, Object] = {}
        self.refused: dict[Id, ApiError] = {}
        self.unserved: set[Kind] = set()
        self.read: list[Id] = []
        self.written: list[Id] = []

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        identity = Id(kind, namespace, name)
        self.read.append(identity)
        if identity in self.refused:
            error = self.refused[identity]
            raise ApiError(error.status, error.reason, error.message)  # another each time: a message may be added to
        return copy.deepcopy(self.live.get(identity))

    async def served(self, kind: Kind) -> bool:
        return kind not in self.unserved

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        identity = identify(body)
        self.written.append(identity)
        return copy.deepcopy(self.store(identity, body))

    async def delete(self, kind: Kind, metadata: Object) -> None:
        self.live.pop(Id(kind, metadata["namespace"], metadata["name"]))

    def store(self, identity: Id, body: Object) -> Object:
        before = self.live.get(identity, {"metadata": {"resourceVersion": "0"}})
        version = str(int(before["metadata"]["resourceVersion"]) + 1)
        own = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": _fields(body)}
        marks = {"uid": str(identity), "resourceVersion": version, "generation": 1, "managedFields": [own]}
        kept = {name: value for name, value in before.items() if name == "status"}
        self.live[identity] = {**kept, **body, "metadata": {**body["metadata"], **marks}}
        return self.live[identity]


def _fields(value: Any) -> Any:
    return {f"f:{name}": _fields(inside) for name, inside in value.items()} if isinstance(value, dict) else {}


class Shown(StoringCluster):
    """Answers dry runs, lists what it has, and takes no write."""

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        assert dry_run, body
        if kind == GRAFANA_DASHBOARD:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return self.live.get(identify(body), body)

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Page]:
        items = [
            msgspec.Raw(msgspec.json.encode(live)) for identity, live in self.live.items() if identity.kind == kind
        ]
        yield Page(metadata={}, items=items)


class Harness:
    """A resource that is in place and ready; `now` is what the grace period takes for the time."""

    def __init__(self, **wanted: Any) -> None:
        models = [{"name": "sdxl", "provider": "Sandbox"}]
        self.metadata: Object = {"name": KEY.name, "namespace": KEY.namespace, "uid": "0f0f", "generation": 0}
        self.fields: Object = {"replicas": 1, "models": models, "monitoring": UNOBSERVED, **wanted}
        self.cluster, self.stored, self.now, self._version = StoringCluster(), list[Object](), 0.0, 0
        self.reporter = MagicMock(report=AsyncMock(), report_deeds=AsyncMock())
        self._start()
        self.edit()
        for desired in builders.desired(spec.parse({"metadata": self.metadata, "spec": self.fields}), OBSERVED):
            self.cluster.store(identify(desired), desired)
            self.say(identify(desired), SERVES if desired["kind"] == DEPLOYMENT.name else {})

    def _start(self) -> None:
        self.cache = Cache()
        secrets = VersionCache(self.cluster, max_age_seconds=0)
        settings = read(["--service-image=service:1"], {})
        self.reconciler = Reconciler(self.cluster, self.cache, secrets, self.reporter, settings)
        self.reconciler._failure_grace = FailureGrace(lambda: self.now)

    def restart(self) -> None:
        """Have a new process begin, which knows what the API server shows."""
        self._start()
        self._show()
        for identity, live in self.cluster.live.items():
            if identity.kind in CHILDREN and "managedFields" in live["metadata"]:
                self.cache.children.observe(identity.kind, live)

    def edit(self, **wanted: Any) -> None:
        self.metadata["generation"] += 1
        self.fields |= wanted
        self._show()

    def _show(self) -> None:
        """Have an event bring the resource and what was last said of it."""
        self._version += 1
        status = {"conditions": self.stored}
        own = {"manager": FIELD_MANAGER, "subresource": "status", "fieldsV1": {"f:status": _fields(status)}}
        metadata = {**self.metadata, "resourceVersion": str(self._version), "managedFields": [own]}
        body = {"metadata": metadata, "spec": self.fields, "status": status}
        self.cluster.live[Id(RESOURCE, *KEY)] = copy.deepcopy(body)
        self.cache.resources.observe(body)

    def say(self, identity: Id, status: Object) -> None:
        """Have an object's controller say something."""
        live = {**self.cluster.live[identity], "status": status}
        version = str(int(live["metadata"]["resourceVersion"]) + 1)
        self.cluster.live[identity] = live = {**live, "metadata": {**live["metadata"], "resourceVersion": version}}
        self.cache.children.observe(identity.kind, live)

    async def look(self, error: ApiError | None = None) -> dict[str, Condition]:
        """Return what is said after one pass, which fails with this error or with none."""
        before = self.reporter.report.await_count
        if error is None:
            await self.reconciler.reconcile(KEY)
        else:
            with pytest.raises(ApiError) as raised:
                await self.reconciler.reconcile(KEY)
            assert raised.value.status == error.status
        assert self.reporter.report.await_count == before + 1, "nothing is told"
        said = conditions(self.outcome, self.stored)
        names = ("type", "status", "reason", "message")
        generation = {"observedGeneration": self.outcome.generation}
        self.stored = [dict(zip(names, each, strict=True)) | generation for each in said]
        self._show()
        return {each.type: each for each in said}

    @property
    def outcome(self) -> Outcome:
        found: Outcome = self.reporter.report.await_args.args[2]
        return found
