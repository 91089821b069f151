"""The command `t2i-operator`."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from t2i_operator import logs
from t2i_operator.builders.strategic import InvalidPatchError
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.connection import NoClusterError, connect
from t2i_operator.preview import command
from t2i_operator.preview.source import PreviewError
from t2i_operator.runtime.leader import LeadershipLostError
from t2i_operator.settings import Settings, read
from t2i_operator.spec import InvalidSpec

log = structlog.get_logger(__name__)

_TROUBLE = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until told to stop; an exit status other than 0 says that something failed and a restart is wanted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in command.COMMANDS:
        sys.exit(_show(arguments))
    settings = read(arguments)
    logs.configure(settings.log_level)
    try:
        asyncio.run(run(settings))
    except (NoClusterError, LeadershipLostError) as error:
        log.critical(str(error))
        sys.exit(1)


async def run(settings: Settings) -> None:
    """Run the operator in this event loop."""
    connection = await connect(settings.identity)
    with _no_client_library():
        from t2i_operator.runtime.process import Operator  # noqa: PLC0415
    async with connection.session() as session:
        await Operator(settings, connection, session).run()


@contextlib.contextmanager
def _no_client_library() -> Iterator[None]:
    """Let Kopf find none: where one is installed Kopf loads its 17 MiB, to know by their types objects we never use."""
    modules: dict[str, Any] = sys.modules
    hidden = "kubernetes" not in modules
    if hidden:
        modules["kubernetes"] = None
    try:
        yield
    finally:
        if hidden:
            del modules["kubernetes"]


def _show(arguments: Sequence[str]) -> int:
    try:
        return asyncio.run(command.run(arguments))
    except (PreviewError, NoClusterError, InvalidSpec, InvalidPatchError) as error:
        sys.stderr.write(f"t2i-operator: {error}\n")
    except ApiError as error:
        sys.stderr.write(f"t2i-operator: {error.message}\n")
    except BrokenPipeError:  # `| head` has seen enough; the interpreter would complain when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _TROUBLE
