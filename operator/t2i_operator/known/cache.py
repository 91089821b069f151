"""What the streams have shown of the cluster so far; a copy, never the truth: it may be dropped at any time."""

import msgspec

from t2i_operator.known.children import Children
from t2i_operator.known.pods import Pods
from t2i_operator.known.resources import Resources
from t2i_operator.kube.absences import Absences


class Cache(msgspec.Struct, frozen=True):
    """Everything but the absences is keyed by resource."""

    resources: Resources = msgspec.field(default_factory=Resources)
    children: Children = msgspec.field(default_factory=Children)
    pods: Pods = msgspec.field(default_factory=Pods)
    absences: Absences = msgspec.field(default_factory=Absences)
