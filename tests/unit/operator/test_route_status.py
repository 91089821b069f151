"""What an Ingress and an HTTPRoute say of themselves, as their controllers write it."""

from typing import Any

import pytest
from t2i_operator.known.route_status import route_status
from t2i_operator.kube.kinds import HTTP_ROUTE, INGRESS, SERVICE

GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateways"}


def conditions(generation: int = 2, **states: str) -> list[dict[str, Any]]:
    return [
        {"type": kind, "status": status, "observedGeneration": generation, "reason": "Because", "message": "of that"}
        for kind, status in states.items()
    ]


def route(*statuses: Any, parents: Any = ({"name": "public", "namespace": "gateways"},)) -> Any:
    return route_status(
        HTTP_ROUTE,
        {
            "metadata": {"namespace": "studio", "generation": 2},
            "spec": {"parentRefs": list(parents)},
            "status": {"parents": [{"parentRef": ref, "conditions": found} for ref, found in statuses]},
        },
    )


@pytest.mark.parametrize(
    ("found", "works"),
    [
        (conditions(Accepted="True", ResolvedRefs="True"), True),
        (conditions(Accepted="True"), True),
        (conditions(Accepted="True", ResolvedRefs="False"), False),
        (conditions(Accepted="False", ResolvedRefs="True"), False),
        (conditions(Accepted="True", Programmed="False"), False),
        (conditions(generation=1, Accepted="True", ResolvedRefs="True"), None),
        (conditions(ResolvedRefs="True"), None),
        ([], None),
    ],
)
def test_a_route_works_once_its_gateway_has_accepted_the_newest_generation(found: Any, works: bool | None) -> None:
    assert route((GATEWAY, found)).works is works


def test_a_refusal_is_told_in_the_controllers_words() -> None:
    said = route((GATEWAY, conditions(Accepted="False")))

    assert said.message == "Gateway gateways/public does not accept it: Because: of that"


def test_every_parent_has_to_accept_it_and_a_refusal_is_told_before_a_silence() -> None:
    parents = ({"name": "a"}, {"name": "b"}, {"name": "c", "sectionName": "https"})
    accepted = [({**GATEWAY, "name": name, "namespace": "studio"}, conditions(Accepted="True")) for name in "ab"]
    section = {**GATEWAY, "name": "c", "namespace": "studio", "sectionName": "https"}

    assert route(*accepted, parents=parents).message == "Gateway studio/c has not accepted it yet"
    assert route((section, conditions(Accepted="False")), parents=parents).works is False
    assert route(*accepted, (section, conditions(Accepted="True")), parents=parents).works is True


def test_one_of_several_controllers_is_enough() -> None:
    assert route((GATEWAY, conditions(Accepted="False")), (GATEWAY, conditions(Accepted="True"))).works is True


def test_a_controller_may_say_by_itself_that_the_route_is_in_force() -> None:
    assert route((GATEWAY, conditions(Accepted="True", Programmed="True"))).programmed
    assert not route((GATEWAY, conditions(Accepted="True"))).programmed


@pytest.mark.parametrize(
    ("status", "works"),
    [
        ({}, None),
        ({"loadBalancer": {"ingress": [{"ports": []}]}}, None),
        ({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}, True),
        ({"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}, True),
    ],
)
def test_an_ingress_works_once_it_has_an_address(status: Any, works: bool | None) -> None:
    said = route_status(INGRESS, {"metadata": {}, "spec": {}, "status": status})

    assert said is not None
    assert said.works is works


def test_other_kinds_are_no_way_in() -> None:
    assert route_status(SERVICE, {"metadata": {}, "spec": {}}) is None
