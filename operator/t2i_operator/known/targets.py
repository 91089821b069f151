"""What some objects act on by its name alone, whoever made it."""

from t2i_operator import naming
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import AUTOSCALER, DEPLOYMENT, HTTP_ROUTE, INGRESS, SERVICE


def target(identity: Id, name: str) -> Id | None:
    """Return the object that has to be the resource's own first; these act on a name, which may be somebody else's."""
    if identity.kind == AUTOSCALER:
        return Id(DEPLOYMENT, identity.namespace, naming.deployment(name))
    if identity.kind in (INGRESS, HTTP_ROUTE):
        return Id(SERVICE, identity.namespace, naming.service(name))
    return None
