"""From a parsed resource and what was observed to the objects that ought to exist: no I/O, no clock, no randomness."""

from t2i_operator import spec
from t2i_operator.builders.autoscaler import autoscaler
from t2i_operator.builders.config_map import config_map
from t2i_operator.builders.credentials import credentials
from t2i_operator.builders.deployment import deployment
from t2i_operator.builders.http_route import http_route
from t2i_operator.builders.ingress import ingress
from t2i_operator.builders.keys import keys
from t2i_operator.builders.monitoring.desired import monitoring_objects
from t2i_operator.builders.network_policy import network_policy
from t2i_operator.builders.observed import Observed
from t2i_operator.builders.pod_disruption_budget import pod_disruption_budget
from t2i_operator.builders.service import service
from t2i_operator.builders.service_account import service_account
from t2i_operator.kube.kinds import Object

__all__ = ["Observed", "desired"]


def desired(resource: spec.TextToImageService, observed: Observed) -> list[Object]:
    """Return every object of the resource, in the order in which pods need them to be there.

    Raises `strategic.InvalidPatchError` when a `podTemplate` cannot be merged.
    """
    objects = (
        service_account(resource),
        keys(resource, observed),
        config_map(resource),
        credentials(resource, observed.credentials) if observed.credentials is not None else None,
        service(resource),
        network_policy(resource),
        pod_disruption_budget(resource, observed),
        deployment(resource, observed),
        autoscaler(resource),
        ingress(resource),
        http_route(resource),
        *monitoring_objects(resource, observed),
    )
    return [each for each in objects if each is not None]
