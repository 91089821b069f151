"""The resource itself."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from t2i_operator.spec.access import Access, Admission, Credentials
from t2i_operator.spec.models import Model
from t2i_operator.spec.monitoring import Monitoring
from t2i_operator.spec.networking import HTTPRoute, Ingress, NetworkPolicy, Service, ServiceAccount
from t2i_operator.spec.pod_template import PodTemplate
from t2i_operator.spec.scalars import (
    DURATION,
    BaseURL,
    Block,
    Image,
    Label,
    Rule,
    described,
    list_map,
    matches,
)
from t2i_operator.spec.scaling import Autoscaling, PodDisruptionBudget
from t2i_operator.spec.status import Status

MOST_REPLICAS = 1000


class Logging(Block, frozen=True, kw_only=True):
    """What the service logs."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], described("Least level that is logged.")] = "INFO"
    prompt_characters: Annotated[
        int,
        Meta(ge=0, le=10000),
        described("How much of a prompt may appear in logs, spans and errors. 0: nothing of it."),
    ] = 100


class Spec(Block, frozen=True, kw_only=True):
    """What is wanted."""

    rules: ClassVar = (
        Rule(
            "has(self.className) == has(oldSelf.className)"
            " && (!has(self.className) || self.className == oldSelf.className)",
            "className cannot be set, changed or removed later; make a new resource with the class that is wanted",
        ),
        Rule(
            "self.models.exists(model, !has(model.weight) || model.weight > 0)",
            "at least one model needs a weight above 0, or requests that name no model have none to go to",
        ),
        Rule(
            "!has(self.ingress) || !has(self.httpRoute)",
            "a service is reached by ingress or by httpRoute; remove one of them",
        ),
        Rule(
            "!has(self.monitoring) || !has(self.monitoring.alerts) || !has(self.monitoring.alerts.budget)"
            " || self.models.exists(model, has(model.price) && self.monitoring.alerts.budget.currency =="
            " (has(model.price.currency) ? model.price.currency : 'USD'))",
            "alerts.budget needs a model with a price in its currency; set models[].price, or remove the budget",
        ),
        Rule(
            "!has(self.monitoring) || !has(self.monitoring.tracing) || !has(self.monitoring.tracing.jaeger)"
            " || !has(self.monitoring.tracing.jaeger.tailSampling)"
            " || !has(self.monitoring.tracing.jaeger.tailSampling.decisionWait)"
            f" || !{matches('self.monitoring.tracing.jaeger.tailSampling.decisionWait', DURATION)}"
            " || self.models.all(model, duration(self.monitoring.tracing.jaeger.tailSampling.decisionWait).getSeconds()"
            " > (has(model.timeoutSeconds) ? model.timeoutSeconds : 120))",
            "tailSampling.decisionWait must exceed every model's timeoutSeconds (120 when left out), or slow traces are"
            " judged before they are over; leave it out to have 10 s more than the longest",
        ),
    )

    class_name: Annotated[
        Label | None,
        described(
            "Which operator looks after the resource, where several run. Left out: the one without a class. Immutable."
        ),
    ] = None
    paused: Annotated[bool, described("Leave all objects as they are; the status is still kept.")] = False
    image: Annotated[Image | None, described("Image of the service. Left out: the one that matches the operator.")] = (
        None
    )
    image_pull_policy: Annotated[Literal["Always", "IfNotPresent", "Never"], described("When the image is pulled.")] = (
        "IfNotPresent"
    )
    replicas: Annotated[
        Annotated[int, Meta(ge=0, le=MOST_REPLICAS)] | None,
        described(
            "How many pods run; `kubectl scale` writes here. Ignored while autoscaling is on. Left out: one at first,"
            " and where autoscaling is switched off, or a number taken away, as many as there were then."
        ),
    ] = None
    autoscaling: Annotated[
        Autoscaling | None, described("Let the load decide how many pods run. Left out: replicas does.")
    ] = None
    models: Annotated[
        tuple[Model, ...],
        Meta(min_length=1, max_length=32),
        list_map("name"),
        described("The models that the service offers."),
    ]
    credentials: Annotated[
        Credentials | None,
        described("Where the providers' keys are kept. Left out: none, which is enough for Sandbox models."),
    ] = None
    access: Annotated[Access, described("Who may call the service.")] = Access()
    admission: Annotated[Admission, described("How much one pod takes on at once.")] = Admission()
    public_url: Annotated[
        BaseURL | None,
        described(
            "Where callers reach the service; links to images and `Location` begin with it."
            " Left out: as the request was addressed, with the scheme that a proxy tells in `X-Forwarded-Proto`."
        ),
    ] = None
    service: Annotated[Service, described("The Service in front of the pods.")] = Service()
    ingress: Annotated[Ingress | None, described("An Ingress in front of the Service. Left out: none.")] = None
    http_route: Annotated[HTTPRoute | None, described("An HTTPRoute to the Service. Left out: none.")] = None
    service_account: Annotated[ServiceAccount, described("The ServiceAccount of the pods.")] = ServiceAccount()
    pod_disruption_budget: Annotated[
        PodDisruptionBudget, described("How many pods a drain of nodes may take at once.")
    ] = PodDisruptionBudget()
    network_policy: Annotated[NetworkPolicy, described("Who may reach the pods and what they may reach.")] = (
        NetworkPolicy()
    )
    pod_template: Annotated[PodTemplate, described("What is merged over the pods that the operator builds.")] = (
        PodTemplate()
    )
    logging: Annotated[Logging, described("What the service logs.")] = Logging()
    monitoring: Annotated[Monitoring, described("Metrics, alerts, dashboards, traces and LangTrace.")] = Monitoring()


class Metadata(Block, frozen=True, kw_only=True):
    """The parts of ObjectMeta that the operator needs."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0


def _composed_elsewhere(key: str) -> Rule:
    return Rule(
        f"!has(self.spec.credentials) || !has(self.spec.credentials.{key})"
        f" || self.spec.credentials.{key}.secretKeyRef.name != self.metadata.name + '-secrets'",
        f"credentials.{key} names the Secret that the operator composes;"
        " use credentials.secretRef to use <name>-secrets in place, or keep the value in another Secret",
    )


class TextToImageService(Block, frozen=True, kw_only=True):
    """A text-to-image API, kept running and observable: one resource, and the operator makes all that belongs to it."""

    rules: ClassVar = (
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name becomes the name of a Service: begin with a letter and use only a-z, 0-9 and -",
        ),
        Rule(
            "self.metadata.name.size() <= 46",
            "metadata.name has more than 46 characters; shorten it, because its objects' names add up to 17",
        ),
        _composed_elsewhere("replicateApiToken"),
        _composed_elsewhere("langtraceApiKey"),
    )

    metadata: Metadata
    spec: Annotated[Spec, described("What is wanted.")]
    status: Annotated[Status | None, described("What the operator last saw and did.")] = None
