"""What the operator reports. Only the CRD is made from these types: the operator itself writes plain objects."""

from typing import Annotated, Literal

from msgspec import Meta

from t2i_operator.spec.schema import Block, described, list_map


class Condition(Block, frozen=True, kw_only=True):
    """One aspect of the state, as in metav1.Condition."""

    type: Annotated[str, Meta(max_length=316), described("Which aspect.")]
    status: Annotated[Literal["True", "False", "Unknown"], described("Whether it holds.")]
    observed_generation: Annotated[int | None, described("The generation of the spec that this was said of.")] = None
    last_transition_time: Annotated[
        str, Meta(extra_json_schema={"format": "date-time"}), described("When status last changed.")
    ]
    reason: Annotated[str, Meta(max_length=1024), described("Why, in one word for machines.")]
    message: Annotated[str, Meta(max_length=32768), described("Why, and what to do, in a sentence for people.")]


class OwnedObject(Block, frozen=True, kw_only=True):
    """One object that belongs to the resource."""

    api_version: Annotated[str, described("API version of the object.")]
    kind: Annotated[str, described("Kind of the object.")]
    name: Annotated[str, described("Name of the object.")]


class Status(Block, frozen=True, kw_only=True):
    """What the operator last saw and did."""

    observed_generation: Annotated[
        int | None,
        described("The generation of the spec that this status speaks of; -1 until the operator has seen any."),
    ] = None
    conditions: Annotated[
        tuple[Condition, ...],
        list_map("type"),
        described(
            "Accepted, CredentialsReady, Available, Progressing, Ready, Monitored and their parts, each with a reason."
        ),
    ] = ()
    replicas: Annotated[int | None, described("Pods that exist.")] = None
    ready_replicas: Annotated[int | None, described("Pods of the newest template that are ready.")] = None
    replicas_summary: Annotated[str | None, described("Ready pods of wanted pods, as 2/3.")] = None
    selector: Annotated[str | None, described("Label selector of the pods, for autoscalers.")] = None
    endpoint: Annotated[str | None, described("Where the service answers.")] = None
    traces_endpoint: Annotated[str | None, described("Where spans are sent.")] = None
    objects: Annotated[tuple[OwnedObject, ...], described("The objects that belong to the resource.")] = ()
