"""To whom an object of the right name belongs, and what to tell a person when it is not us."""

from enum import Enum, auto

from t2i_operator import naming, spec
from t2i_operator.known.identity import Id, controller
from t2i_operator.kube.kinds import Object


class Whose(Enum):
    """OFFERED: its owner hands it to us. FORMER: a deleted resource's of the same name, not yet collected."""

    OURS = auto()
    OFFERED = auto()
    FORMER = auto()
    FOREIGN = auto()


def whose(live: Object, resource: spec.TextToImageService) -> Whose:
    """Tell by the controller's uid; without a controller, by the mark we left, or by its owner's offer."""
    metadata, owner = live["metadata"], controller(live["metadata"])
    annotations = metadata.get("annotations", {})
    if owner is not None:
        if owner["uid"] == resource.metadata.uid:
            return Whose.OURS
        former = owner.get("kind") == naming.RESOURCE_KIND and owner["name"] == resource.metadata.name
        return Whose.FORMER if former else Whose.FOREIGN
    if annotations.get(naming.OWNER_UID_ANNOTATION) == resource.metadata.uid:
        return Whose.OURS
    return Whose.OFFERED if annotations.get(naming.ADOPT_ANNOTATION) == resource.metadata.name else Whose.FOREIGN


def selector(deployment: Object) -> tuple[object, object]:
    """Return what can never be changed in a Deployment."""
    wanted = deployment["spec"]["selector"]
    return wanted.get("matchLabels"), wanted.get("matchExpressions")


def foreign_message(identity: Id, live: Object, resource: spec.TextToImageService) -> str:
    """Say whose the object is and how to end the conflict."""
    owner = controller(live["metadata"])
    if owner is not None:
        return f"{identity} is controlled by {owner['kind']} {owner['name']}; rename one of the two resources"
    annotation = f"{naming.ADOPT_ANNOTATION}={resource.metadata.name}"
    return f"{identity} was not made by this resource; delete or rename it, or hand it over: annotate it {annotation}"


def rival_message(identity: Id) -> str:
    """Say how two operators that both serve a resource are kept apart."""
    cure = "give one of the two a class, or namespaces of its own"
    return f"{identity}: another operator of this kind keeps writing it; {cure}"


def selector_message(identity: Id, live: Object) -> str:
    """List the steps by which a Deployment is adopted whose pods are selected by other labels."""
    labels = ",".join(f"{name}={value}" for name, value in live["spec"]["selector"].get("matchLabels", {}).items())
    return (
        f"{identity} cannot be adopted as it is, because its selector ({labels}) differs and can never be changed:"
        f" 1. kubectl -n {identity.namespace} delete deployment {identity.name} --cascade=orphan (its pods serve on);"
        " 2. wait until this resource is Ready;"
        f" 3. kubectl -n {identity.namespace} delete replicaset -l {labels}"
    )
