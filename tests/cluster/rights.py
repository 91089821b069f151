"""What somebody may do, as the API server answers it."""

import json
from collections.abc import Callable


def may(kubectl: Callable[..., str], who: str, where: str, question: str) -> bool:
    """Ask the API server; a question is a verb, a resource with its subresource, and its group."""
    verb, resource, group = (*question.split(), "")[:3]
    resource, _, subresource = resource.partition("/")
    wanted = {"namespace": where, "verb": verb, "group": group, "resource": resource, "subresource": subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": who, "resourceAttributes": wanted},
    }
    answer = json.loads(kubectl("create", "--output=json", "--filename=-", input=json.dumps(review)))
    return bool(answer["status"]["allowed"])
