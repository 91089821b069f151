"""Says what came of a reconciliation: in the status, in Events and in metrics, and each only when there is news."""

import datetime
import secrets

import structlog

from t2i_operator.known import drift
from t2i_operator.known.contest import RIVAL, Contest
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.resources import Resources, Seen
from t2i_operator.kube.cluster import ApiError, Cluster, NotLeadingError
from t2i_operator.kube.kinds import EVENT, RESOURCE, Object
from t2i_operator.naming import OPERATOR, Key
from t2i_operator.status.conditions import conditions
from t2i_operator.status.events import NOTE_BYTES, Notice, changes, deeds
from t2i_operator.status.metrics import Metrics
from t2i_operator.status.status import status

log = structlog.get_logger(__name__)


class Reporter:
    """Writes statuses and posts Events; `instance` is the replica's name."""

    def __init__(self, cluster: Cluster, resources: Resources, metrics: Metrics, *, instance: str) -> None:
        self._cluster, self._resources, self._metrics, self._instance = cluster, resources, metrics, instance
        self._contest = Contest()
        # Only where another operator says something, too.
        self._said: dict[Key, Object] = {}

    async def report(self, key: Key, seen: Seen, outcome: Outcome) -> None:
        """Compare with the stored status and write what differs; then tell what is new."""
        before = seen.status_object()
        found = conditions(outcome, before.get("conditions", []))
        now = datetime.datetime.now(datetime.UTC)
        after = status(key, outcome, found, before, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        gives_way = self._gives_way(key, before, outcome)
        try:
            if not gives_way:
                await self._say(key, seen.uid, before, after, rivalled=outcome.rivalled)
        except Exception:
            await self.report_deeds(key, seen, outcome)  # the next pass knows nothing of them
            raise
        self._metrics.reported(key, found)
        await self.report_deeds(key, seen, outcome)
        for notice in () if gives_way else changes(before.get("conditions", []), found):
            await self._tell(key, seen.uid, notice, now)

    async def report_deeds(self, key: Key, seen: Seen, outcome: Outcome) -> None:
        """Tell what was done, and judge nothing."""
        self._metrics.repaired(outcome)
        for notice in deeds(outcome):
            await self._tell(key, seen.uid, notice, datetime.datetime.now(datetime.UTC))

    def forget(self, key: Key) -> None:
        """Count a resource no more."""
        self._metrics.forget(key)
        self._said.pop(key, None)

    def _gives_way(self, key: Key, before: Object, outcome: Outcome) -> bool:
        """Tell whether another operator keeps writing over what we say, which would wake both for ever."""
        if not outcome.rivalled:
            self._said.pop(key, None)
            return False
        identity = Id(RESOURCE, key.namespace, key.name)
        if key in self._said and not drift.same(before, self._said[key]):
            if RIVAL in self._contest.given_up(identity):
                return True
            self._contest.repaired(identity, RIVAL)
        return False

    async def _say(self, key: Key, uid: str, before: Object, after: Object, *, rivalled: bool) -> None:
        """Remember as said only what is stored: else a write that failed would look like another operator's."""
        if not drift.same(after, before):
            await self._write(key, uid, after)
        if rivalled:
            self._said[key] = after

    async def _write(self, key: Key, uid: str, after: Object) -> None:
        metadata = {"namespace": key.namespace, "name": key.name, "uid": uid}
        body = {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name, "metadata": metadata, "status": after}
        try:
            self._resources.answered(await self._cluster.apply_status(RESOURCE, body))
        except ApiError as error:
            if not error.is_object_not_found:
                raise
            log.info("the resource was deleted meanwhile")
            self._resources.drop(key, uid)

    async def _tell(self, key: Key, uid: str, notice: Notice, now: datetime.datetime) -> None:
        """Post an Event. It is a courtesy: the status has said the same, and it is what others wait on."""
        log.info(notice.note, reason=notice.reason)
        regarding = {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name, "uid": uid}
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"namespace": key.namespace, "name": f"{key.name}.{secrets.token_hex(8)}"},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": notice.type,
            "reason": notice.reason,
            "action": notice.action,
            "note": notice.note.encode()[:NOTE_BYTES].decode(errors="ignore"),
            "regarding": {**regarding, "namespace": key.namespace, "name": key.name},
            "reportingController": OPERATOR,
            "reportingInstance": self._instance,
        }
        try:
            await self._cluster.create(EVENT, event)
        except (ApiError, NotLeadingError) as error:
            log.warning("event not posted", reason=notice.reason, error=str(error))
