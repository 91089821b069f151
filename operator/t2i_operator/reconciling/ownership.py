"""To whom an object of the right name belongs, and what to tell a person when it is not us."""

import shlex
from enum import Enum, auto

from t2i_operator import naming, spec
from t2i_operator.known.faults import jaeger_of
from t2i_operator.known.identity import Id, controller
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import OPENTELEMETRY_COLLECTOR, Object


class Whose(Enum):
    """OFFERED: its owner hands it to us. FORMER: a deleted one's, to be collected. LEAVING: goes with our collector."""

    OURS = auto()
    OFFERED = auto()
    FORMER = auto()
    LEAVING = auto()
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


async def find_owner(cluster: Cluster, live: Object, resource: spec.TextToImageService) -> Whose:
    """Tell likewise, and look at the controller where that may be the OpenTelemetryCollector that Jaeger was before.

    The OpenTelemetry operator makes a Service for it that has the name of ours, and goes with it. Where that kind
    is not served, no garbage collector takes such a Service away, and nobody can tell whether the collector is gone.
    """
    owner, by = whose(live, resource), controller(live["metadata"])
    before = Id(OPENTELEMETRY_COLLECTOR, resource.metadata.namespace, naming.jaeger(resource.metadata.name))
    if owner is not Whose.FOREIGN or by is None or jaeger_of(resource) == before:
        return owner
    if (by.get("kind"), by["name"]) != (before.kind.name, before.name):
        return owner
    try:
        collector = await cluster.get(*before)
        if collector is None and not await cluster.served(before.kind):
            return owner
    except ApiError as error:
        if not error.is_forbidden:
            raise
        return owner
    if collector is None or collector["metadata"]["uid"] != by["uid"] or whose(collector, resource) is Whose.OURS:
        return Whose.LEAVING
    return owner


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


def former_message(identity: Id, live: Object) -> str:
    """Say what the garbage collector is waited for to take away."""
    return f"{identity} belongs to a deleted {_controller(live)}; it is being collected{held(live)}"


def held(live: Object) -> str:
    """Say who keeps an object that is to go; "" where nobody does."""
    finalizers = ", ".join(live["metadata"].get("finalizers", ()))
    return f", held by {finalizers}: whoever set that finalizer has to let go of it" if finalizers else ""


def leaving_message(identity: Id, live: Object) -> str:
    """Say with what it goes."""
    return f"{identity} is the OpenTelemetry operator's, and goes with {_controller(live)}"


def rival_message(identity: Id) -> str:
    """Say how two operators that both serve a resource are kept apart."""
    cure = "give one of the two a class, or namespaces of its own"
    return f"{identity}: another operator of this kind keeps writing it; {cure}"


def selector_message(identity: Id, live: Object) -> str:
    """List the steps by which a Deployment is adopted whose pods are selected by other labels."""
    labels = _as_kubectl_has_it(live["spec"]["selector"])
    return (
        f"{identity} cannot be adopted as it is, because its selector ({labels}) differs and can never be changed:"
        f" 1. kubectl -n {identity.namespace} delete deployment {identity.name} --cascade=orphan (its pods serve on);"
        " 2. wait until this resource is Ready;"
        f" 3. kubectl -n {identity.namespace} delete replicaset -l {shlex.quote(labels)}"
    )


def _as_kubectl_has_it(selector: Object) -> str:
    """Spell all of it: with a part left out, step 3 would delete what is somebody else's."""
    said = [f"{name}={value}" for name, value in selector.get("matchLabels", {}).items()]
    for each in selector.get("matchExpressions", ()):
        match each["operator"]:
            case "Exists":
                said.append(each["key"])
            case "DoesNotExist":
                said.append(f"!{each['key']}")
            case among:
                said.append(f"{each['key']} {among.lower()} ({','.join(each['values'])})")
    return ",".join(said)


def _controller(live: Object) -> str:
    owner = controller(live["metadata"]) or {}
    return f"{owner.get('kind')} {owner.get('name')}"
