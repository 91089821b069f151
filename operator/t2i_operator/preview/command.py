"""The two commands that show and do nothing."""

import argparse
import os
from collections.abc import Sequence

from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.connection import connect
from t2i_operator.preview.preview import Preview
from t2i_operator.preview.source import Source
from t2i_operator.settings import flags as settings_flags
from t2i_operator.settings import from_arguments

COMMANDS = {"render": "print all objects of a resource", "diff": "print what would change in the cluster"}


async def run(arguments: Sequence[str]) -> int:
    """Print to standard output; return 0, or 1 when `diff` found a difference, as diff(1) does.

    Raises `PreviewError`, `ApiError`, `spec.InvalidSpec` and `strategic.InvalidPatchError`.
    """
    parser = _parser()
    flags = parser.parse_intermixed_args(arguments)
    settings = from_arguments(parser, flags, os.environ)
    connection = await connect(f"{settings.identity} {flags.command}")
    async with connection.session() as session:
        cluster = Cluster(session)
        resource = await Source(cluster, settings, namespace=connection.namespace).resource(flags.resource, flags.file)
        preview = Preview(cluster, settings)
        return await (preview.render(resource) if flags.command == "render" else preview.diff(resource))


def _parser() -> argparse.ArgumentParser:
    what = "; ".join(f"{name}: {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(prog="t2i-operator", description=what, parents=[settings_flags(os.environ)])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("resource", nargs="?", help="NAMESPACE/NAME of a resource in the cluster")
    file = "a file with one resource, applied or not, of the context's namespace by default; -: standard input"
    parser.add_argument("-f", "--file", help=file)
    return parser
