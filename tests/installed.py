"""What an install comes to, read from its objects: those of a kustomization, or of a release of the chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2i_operator.settings import Settings, read

if TYPE_CHECKING:
    from collections.abc import Sequence

Object = dict[str, Any]


def only(objects: Sequence[Object], kind: str, part: str = "") -> Object:
    """Return the one object of a kind that has this in its name."""
    (found,) = (body for body in objects if body["kind"] == kind and part in body["metadata"]["name"])
    return found


def settings(objects: Sequence[Object]) -> Settings:
    """Return the settings that the operator would read in its pod."""
    deployment = only(objects, "Deployment")
    fields = {"metadata.name": "pod", "metadata.namespace": deployment["metadata"]["namespace"]}
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environ = {
        each["name"]: each["value"] if "value" in each else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container["env"]
    }
    assert len(environ) == len(container["env"]), "each variable once"
    return read([], environ)


def leads(objects: Sequence[Object]) -> bool:
    """Tell whether the pod's account is granted the very Lease by which the operator would lead."""
    role, binding = (only(objects, kind, "leader-election") for kind in ("Role", "RoleBinding"))
    home = settings(objects).lease_namespace
    account = {
        "kind": "ServiceAccount",
        "name": only(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"],
        "namespace": home,
    }
    rights = {
        verb
        for rule in role["rules"]
        if settings(objects).lease_name in rule.get("resourceNames", [settings(objects).lease_name])
        for verb in rule["verbs"]
    }
    places = {body["metadata"]["namespace"] for body in (role, binding, only(objects, "ServiceAccount"))}
    return (
        rights == {"create", "get", "update"}
        and places == {home}
        and binding["subjects"] == [account]
        and binding["roleRef"]["name"] == role["metadata"]["name"]
        and only(objects, "ServiceAccount")["metadata"]["name"] == account["name"]
    )
