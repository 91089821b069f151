"""Blocks that several parts of the spec have: references to Secrets, compute resources, selectors of labels."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from t2i_operator.spec.scalars import Labels, LabelValue, Quantity, Subdomain, Text
from t2i_operator.spec.schema import Block, described, spelled


class LocalSecret(Block, frozen=True, kw_only=True):
    """A Secret in the resource's own namespace."""

    name: Annotated[Subdomain, described("Name of the Secret.")]


class KeySelector(Block, frozen=True, kw_only=True):
    """One key of a Secret or ConfigMap in the resource's own namespace."""

    name: Annotated[Subdomain, described("Name of the object.")]
    key: Annotated[
        str,
        spelled("^[-._a-zA-Z0-9]+$", "write a key of the object: letters, digits, -, _ and .", longest=253),
        described("Key inside the object."),
    ]


class SecretValue(Block, frozen=True, kw_only=True):
    """A value that is kept in a Secret."""

    secret_key_ref: Annotated[KeySelector, described("The Secret's name and the key that holds the value.")]


class Resources(Block, frozen=True, kw_only=True):
    """Compute resources of one container."""

    requests: Annotated[
        Mapping[str, Quantity], Meta(max_length=16), described("What the scheduler sets aside, as `cpu: 100m`.")
    ] = msgspec.field(default_factory=dict)
    limits: Annotated[
        Mapping[str, Quantity], Meta(max_length=16), described("What the container may not exceed, as `memory: 512Mi`.")
    ] = msgspec.field(default_factory=dict)


class LabelSelectorRequirement(Block, frozen=True, kw_only=True):
    """One condition on a label."""

    key: Annotated[Text, described("The label's key.")]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"], described("How the label's value and `values` relate.")
    ]
    values: Annotated[
        tuple[LabelValue, ...],
        Meta(max_length=16),
        described("Values for In and NotIn; empty for Exists and DoesNotExist."),
    ] = ()


class LabelSelector(Block, frozen=True, kw_only=True):
    """A query over labels; an empty selector matches everything."""

    match_labels: Annotated[Labels, described("Labels that must be there with these values.")] = msgspec.field(
        default_factory=dict
    )
    match_expressions: Annotated[
        tuple[LabelSelectorRequirement, ...], Meta(max_length=16), described("Conditions that must all hold.")
    ] = ()
