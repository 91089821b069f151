"""What somebody may do, as the API server answers it, and what of it somebody does."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from tests.api import Api
from tests.cluster.forwarder import ThreadedForwarder, is_watch
from tests.cluster.operators import writes

_READS = ("get", "list", "watch")
# All else is answered to those only who have the right: that there is no such object, too.
_NOT_GRANTED = (401, 403)


class Right(NamedTuple):
    """One right as a role grants it: the resource with its subresource, if any."""

    verb: str
    group: str
    resource: str

    @property
    def writes(self) -> bool:
        return self.verb not in _READS


class Witness(ThreadedForwarder):
    """Notes which rights are used on the way to the API server; the audit log leaves reads out.

    `unselected` are the Secrets that were asked for by the collection and without a label.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.used: set[Right] = set()
        self.unselected: list[str] = []
        super().__init__(kubeconfig)

    def answered(self, request: web.Request, status: int) -> None:
        """Take what was granted; the pages that tell which kinds there are take no right."""
        root, *parts = request.path.strip("/").split("/")
        group, parts = ("", parts[1:]) if root == "api" else (parts[0] if parts else "", parts[2:])
        if parts and status not in _NOT_GRANTED:
            if parts[0] == "namespaces" and len(parts) > 2:
                parts = parts[2:]
            resource, name, subresource = (*parts, "", "")[:3]
            self.used |= _used(_verb(request, name), group, resource, subresource, status)
            if (group, resource, name) == ("", "secrets", "") and not request.query.get("labelSelector"):
                self.unselected.append(f"{request.method} {request.path_qs}")


def _verb(request: web.Request, name: str) -> str:
    if request.method == "GET":
        return "watch" if is_watch(request) else "get" if name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]


def _used(verb: str, group: str, resource: str, subresource: str, status: int) -> set[Right]:
    """Return the rights that a request took: to make an object by an apply takes `create` as well."""
    verbs = (verb, "create") if (verb, status) == ("patch", 201) else (verb,)
    return {Right(each, group, "/".join(filter(None, (resource, subresource)))) for each in verbs}


def audited(log: Path, account: str, since: int) -> set[Right]:
    """Return the rights to write that a user has used since an offset into the audit log, those on Leases aside."""
    used = set()
    for entry in writes(log, account, since):
        target, status = entry["objectRef"], entry["responseStatus"]["code"]
        if status not in _NOT_GRANTED:
            words = (target.get("apiGroup", ""), target["resource"], target.get("subresource", ""))
            used |= _used(entry["verb"], *words, status)
    return used


def may(api: Api, who: str, where: str, question: str) -> bool:
    """Ask the API server; a question is a verb, a resource with its subresource, and its group.

    What was bound a moment ago it may not know yet: wait for the rights that are expected.
    """
    verb, resource, group = (*question.split(), "")[:3]
    resource, _, subresource = resource.partition("/")
    wanted = {"namespace": where, "verb": verb, "group": group, "resource": resource, "subresource": subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": who, "resourceAttributes": wanted},
    }
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def granted(api: Api, who: str, where: str, questions: Sequence[str]) -> list[str]:
    """Return the questions that are answered with yes."""
    return [question for question in questions if may(api, who, where, question)]
