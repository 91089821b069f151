"""The operator's settings: command-line flags, each with an environment variable for Deployments."""

import argparse
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from t2i_operator import naming

JAEGER_IMAGE = "cr.jaegertracing.io/jaegertracing/jaeger:2.13.0"
_PREFIX = "T2I_OPERATOR_"
# By none at all, what is done every so many seconds would be done all the time.
_Seconds = Annotated[float, msgspec.Meta(gt=0)]
_FLAGS: tuple[tuple[str, str, str], ...] = (
    ("namespaces", "", "Namespaces to look after, separated by commas. Empty: all of them."),
    ("class-name", "", "Look after resources with this spec.className only. Empty: those without one."),
    ("workers", "12", "How many resources are reconciled at the same time."),
    ("resync-seconds", "600", "How often to check a resource when nothing has happened."),
    (
        "poll-seconds",
        "45",
        "How often to look at what is not watched: Secrets without the reload label, Gateways, Prometheuses.",
    ),
    ("listen-port", "8080", "Port of /healthz, /readyz and /metrics."),
    ("leader-election", "true", "Whether to wait for a Lease before writing."),
    ("lease-namespace", "", "Namespace of the Lease. Empty: the pod's own."),
    ("log-level", "INFO", "DEBUG, INFO, WARNING or ERROR."),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be set; `identity` tells this replica from others."""

    namespaces: tuple[str, ...] = ()
    class_name: str | None = None
    service_image: str
    jaeger_image: str
    workers: Annotated[int, msgspec.Meta(ge=1)] = 12
    resync_seconds: _Seconds = 600.0
    poll_seconds: _Seconds = 45.0
    listen_port: int = 8080
    leader_election: bool = True
    lease_namespace: str
    lease_name: str
    identity: str
    log_level: str = "INFO"


def read(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Settings:
    """Read flags over the environment; exits with a sentence when something cannot be read."""
    environ = os.environ if environ is None else environ
    parser = argparse.ArgumentParser(
        prog="t2i-operator",
        description="Keeps the objects of every TextToImageService as its spec says.",
        epilog="`t2i-operator render` and `t2i-operator diff` only show what would be done for one resource.",
        parents=[flags(environ)],
    )
    return from_arguments(parser, parser.parse_args(arguments), environ)


def from_arguments(parser: argparse.ArgumentParser, given: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the settings among what a parser with `flags` has read; exits as that parser does."""
    if not given.service_image:
        parser.error("no image of the service: give --service-image or set T2I_SERVICE_IMAGE")
    values = {name: value for name, value in vars(given).items() if value != ""}
    values["namespaces"] = list(filter(None, map(str.strip, given.namespaces.split(","))))
    values["leader_election"] = given.leader_election.lower()
    values.setdefault("lease_namespace", environ.get("POD_NAMESPACE", "default"))
    values["lease_name"] = "-".join(filter(None, (naming.OPERATOR, given.class_name)))
    values["identity"] = environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        parser.error(str(error))


def flags(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the operator's own flags, for the parser of a command that takes them."""
    parser = argparse.ArgumentParser(add_help=False)
    image = "Image of the service for resources that name none (T2I_SERVICE_IMAGE)."
    parser.add_argument("--service-image", default=environ.get("T2I_SERVICE_IMAGE", ""), help=image)
    jaeger = "Image of Jaeger for resources that name none (T2I_JAEGER_IMAGE)."
    parser.add_argument("--jaeger-image", default=environ.get("T2I_JAEGER_IMAGE", JAEGER_IMAGE), help=jaeger)
    for flag, default, text in _FLAGS:
        variable = _PREFIX + flag.upper().replace("-", "_")
        shown = f"{text} ({variable}; default: {default or 'empty'})"
        parser.add_argument(f"--{flag}", default=environ.get(variable, default), help=shown)
    return parser
