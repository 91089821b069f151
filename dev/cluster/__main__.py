"""The command line of the local cluster."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from dev.cluster import catalog, commands, ground, kind, machine
from dev.cluster.context import Context
from dev.cluster.errors import UnfitError, full_disk_told
from dev.cluster.paths import Layout
from dev.cluster.run import system_path

if TYPE_CHECKING:
    from dev.cluster.ground import Ground


def main(argv: list[str] | None = None) -> int:
    """Return the exit status; what is not fit goes to stderr as one sentence."""
    options = _parser().parse_args(argv)
    os.environ["PATH"] = system_path()
    # What CI sends to a job that takes too long: builds end with us, and a cluster half made is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with full_disk_told():
            print(_run(options, Layout.of_this_checkout()))
    except UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="bring the cluster up, or mend it, and run the sample in it")
    up.add_argument("--no-app", action="store_true", help="the cluster alone: no CRD, no operator, no sample")
    without = "leave Prometheus, Alertmanager and metrics-server out, and Jaeger's image, which has to be pulled then"
    up.add_argument("--no-stack", action="store_true", help=without)
    up.add_argument(
        "--on", default="", choices=(ground.EMBEDDED, ground.KIND), help="by default kind if Docker answers"
    )
    down = verbs.add_parser("down", help="end it and remove it; installed packages and caches stay")
    for verb in (up, down):
        verb.add_argument("--context", default="", metavar="NAME", help="your own cluster, by its context's name")
    images = verbs.add_parser("images", help="build images and let a running cluster have them")
    described = f"of {', '.join(catalog.ON_BASE)}; our own two by default"
    images.add_argument("names", nargs="*", metavar="NAME", help=described)
    verbs.add_parser("status", help="what runs")
    return parser


def _run(options: argparse.Namespace, layout: Layout) -> str:
    if options.verb == "up":
        here = _ground(ground.chosen(layout, _wanted(options.on, options.context)))
        return here.up(layout, app=not options.no_app, stack=not options.no_stack)
    if options.verb == "down":
        wanted = _wanted("", options.context) or _left_over(layout)
        told = _ground(ground.chosen(layout, wanted)).down(layout)
        ground.end(layout)
        return told
    here = _ground(ground.begun(layout) or ground.chosen(layout))
    if options.verb == "images":
        return here.images(layout, tuple(options.names) or catalog.PROGRAMS)
    return here.status(layout)


def _wanted(on: str, context: str) -> str:
    if on and context:
        raise UnfitError(f"{on} and CONTEXT={context} are two clusters; `make test` is for the embedded one alone.")
    return f"{ground.CONTEXT} {context}" if context else on


def _left_over(layout: Layout) -> str:
    """Let a checkout that has begun nothing clear away what a dead cluster left on the machine."""
    return ground.EMBEDDED if not ground.begun(layout) and machine.read() else ""


def _ground(name: str) -> Ground:
    grounds: dict[str, Ground] = {ground.EMBEDDED: commands, ground.KIND: kind}
    return grounds.get(name) or Context(name.removeprefix(f"{ground.CONTEXT} "))


if __name__ == "__main__":
    sys.exit(main())
