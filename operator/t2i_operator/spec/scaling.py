"""How many pods run, and how many may go away at once. The metric blocks are those of autoscaling/v2."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from t2i_operator.spec.scalars import Mode, Percentage, PositiveQuantity, Text
from t2i_operator.spec.schema import Block, Rule, described
from t2i_operator.spec.shared import LabelSelector


class MetricTarget(Block, frozen=True, kw_only=True):
    """The value that the autoscaler holds."""

    rules: ClassVar = (
        Rule(
            "(self.type == 'Utilization') == has(self.averageUtilization)"
            " && (self.type == 'AverageValue') == has(self.averageValue)"
            " && (self.type == 'Value') == has(self.value)",
            "a target needs the value that its type names, and no other: averageUtilization, averageValue or value",
        ),
    )

    type: Annotated[Literal["Utilization", "Value", "AverageValue"], described("Which of the three values is meant.")]
    average_utilization: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None, described("Percentage of the pods' requests, for Resource metrics.")
    ] = None
    average_value: Annotated[PositiveQuantity | None, described("Value a pod.")] = None
    value: Annotated[PositiveQuantity | None, described("Value of the whole metric.")] = None


class MetricIdentifier(Block, frozen=True, kw_only=True):
    """A metric of the custom or external metrics API."""

    name: Annotated[Text, described("Name of the metric.")]
    selector: Annotated[LabelSelector | None, described("Narrows the metric by its labels.")] = None


class ResourceMetric(Block, frozen=True, kw_only=True):
    """CPU or memory of the pods."""

    name: Annotated[Text, described("Name of the resource: cpu or memory.")]
    target: Annotated[MetricTarget, described("The value to hold.")]


class ContainerResourceMetric(ResourceMetric, frozen=True, kw_only=True):
    """CPU or memory of one container of the pods."""

    container: Annotated[Text, described("Name of the container; the service's own is text-to-image.")]


class PodsMetric(Block, frozen=True, kw_only=True):
    """A metric that every pod has, such as active_requests."""

    metric: Annotated[MetricIdentifier, described("Which metric.")]
    target: Annotated[MetricTarget, described("The value to hold; its type is AverageValue.")]


class ObjectReference(Block, frozen=True, kw_only=True):
    """Another object of the namespace."""

    api_version: Annotated[Text | None, described("API version of the object.")] = None
    kind: Annotated[Text, described("Kind of the object.")]
    name: Annotated[Text, described("Name of the object.")]


class ObjectMetric(PodsMetric, frozen=True, kw_only=True):
    """A metric of another object, such as an Ingress."""

    described_object: Annotated[ObjectReference, described("The object that has the metric.")]


class ExternalMetric(PodsMetric, frozen=True, kw_only=True):
    """A metric from outside the cluster."""


class ScalingMetric(Block, frozen=True, kw_only=True):
    """One metric that the autoscaler looks at; the metric that asks for most replicas decides."""

    rules: ClassVar = (
        Rule(
            "(self.type == 'Resource') == has(self.resource)"
            " && (self.type == 'ContainerResource') == has(self.containerResource)"
            " && (self.type == 'Pods') == has(self.pods)"
            " && (self.type == 'Object') == has(self.object)"
            " && (self.type == 'External') == has(self.external)",
            "a metric needs the block that its type names, and no other:"
            " resource, containerResource, pods, object or external",
        ),
    )

    type: Annotated[
        Literal["Resource", "ContainerResource", "Pods", "Object", "External"], described("Which block is filled in.")
    ]
    resource: Annotated[ResourceMetric | None, described("CPU or memory of the pods.")] = None
    container_resource: Annotated[ContainerResourceMetric | None, described("CPU or memory of one container.")] = None
    pods: Annotated[PodsMetric | None, described("A metric that every pod has.")] = None
    object: Annotated[ObjectMetric | None, described("A metric of another object.")] = None
    external: Annotated[ExternalMetric | None, described("A metric from outside the cluster.")] = None


class ScalingPolicy(Block, frozen=True, kw_only=True):
    """How much may change in how much time."""

    type: Annotated[Literal["Pods", "Percent"], described("What value counts.")]
    value: Annotated[int, Meta(ge=1, le=10000), described("Most pods, or percent of the pods, that may change.")]
    period_seconds: Annotated[int, Meta(ge=1, le=1800), described("The time in which they may change.")]


class ScalingRules(Block, frozen=True, kw_only=True):
    """How fast the autoscaler moves in one direction."""

    stabilization_window_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=3600)] | None,
        described("How far back recommendations are looked at, against flapping."),
    ] = None
    select_policy: Annotated[
        Literal["Max", "Min", "Disabled"] | None, described("Which policy counts; Disabled stops this direction.")
    ] = None
    policies: Annotated[
        tuple[ScalingPolicy, ...], Meta(max_length=8), described("How much may change in how much time.")
    ] = ()


class ScalingBehavior(Block, frozen=True, kw_only=True):
    """How fast the autoscaler moves; Kubernetes' own defaults where nothing is said."""

    scale_up: Annotated[ScalingRules | None, described("How fast replicas are added.")] = None
    scale_down: Annotated[ScalingRules | None, described("How fast replicas are taken away.")] = None


class Autoscaling(Block, frozen=True, kw_only=True):
    """A HorizontalPodAutoscaler; while this block is there, it owns the number of replicas."""

    rules: ClassVar = (
        Rule(
            "self.minReplicas <= self.maxReplicas",
            "autoscaling.minReplicas exceeds maxReplicas; raise maxReplicas or lower minReplicas",
        ),
        Rule(
            "!has(self.targetCPUUtilizationPercentage) || !has(self.metrics) || self.metrics.size() == 0",
            "autoscaling takes either targetCPUUtilizationPercentage or metrics; write CPU as a Resource metric",
        ),
    )

    min_replicas: Annotated[int, Meta(ge=1, le=1000), described("Fewest replicas.")] = 1
    max_replicas: Annotated[int, Meta(ge=1, le=1000), described("Most replicas.")]
    target_cpu_utilization_percentage: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        described("CPU to hold, in percent of the pods' requests. Left out, and without metrics: 80."),
    ] = None
    metrics: Annotated[
        tuple[ScalingMetric, ...], Meta(max_length=16), described("What to hold, as in autoscaling/v2.")
    ] = ()
    behavior: Annotated[ScalingBehavior | None, described("How fast replicas are added and taken away.")] = None


class PodDisruptionBudget(Block, frozen=True, kw_only=True):
    """How many pods a drain of nodes may take at once."""

    rules: ClassVar = (
        Rule(
            "!has(self.minAvailable) || !has(self.maxUnavailable)",
            "podDisruptionBudget takes either minAvailable or maxUnavailable; remove one of them",
        ),
    )

    mode: Annotated[
        Mode, described("Managed: a budget is kept while there is more than one replica. Disabled: none.")
    ] = "Managed"
    min_available: Annotated[
        int | Percentage | None, described("Pods that must stay, as a number or a percentage such as 50%.")
    ] = None
    max_unavailable: Annotated[
        int | Percentage | None,
        described("Pods that may be away, as a number or a percentage. Left out, and without minAvailable: 1."),
    ] = None
