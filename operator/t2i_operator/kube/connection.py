"""Where the API server is and who we are there, for our own client and for Kopf alike."""

import asyncio.sslproto
import os
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.metadata import version
from typing import Protocol

import aiohttp

from t2i_operator.kube import service_account
from t2i_operator.kube.answer import Answer
from t2i_operator.kube.errors import NoClusterError

__all__ = ["Connection", "NoClusterError", "connect"]

_READ_BUFFER = 2**21  # a watch event has up to that much, and often comes whole
# Python's 256 KiB are zeroed, hence resident, for each of some thirty connections; a TLS record has 16 KiB.
_TLS_BUFFER = 2**15

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
Check = Callable[[aiohttp.ClientResponse], Awaitable[None]]


class Login(Protocol):
    """What is asked of the client library's `Configuration`, or of what stands in for it."""

    host: str
    ssl_ca_cert: str | None
    cert_file: str | None
    key_file: str | None
    verify_ssl: bool
    proxy: str | None

    async def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> str | None:
        """Return a token that is fresh; None where a certificate says who we are."""


class Connection:
    """Makes sessions whose requests carry a token that is fresh at the time of each request."""

    def __init__(
        self, login: Login, reload: Callable[[], Awaitable[object]], *, identity: str, namespace: str = "default"
    ) -> None:
        """Take whoever names no namespace to mean this one."""
        self._login, self._reload = login, reload
        self._agent = f"t2i-operator/{version('text-to-image-operator')} ({identity})"
        self.server, self.namespace = login.host, namespace
        self._tls = _tls(login)

    def session(self, *traces: aiohttp.TraceConfig, check: Check | bool = False) -> aiohttp.ClientSession:
        """Open a session without a limit: workers bound themselves, and watches must never wait for a connection.

        `check` may raise for an answer before whoever asked sees it.
        """
        return aiohttp.ClientSession(
            base_url=self.server,
            headers={"User-Agent": self._agent},
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            middlewares=(self._authenticate,),
            proxy=self._login.proxy,
            read_bufsize=_READ_BUFFER,
            response_class=Answer,
            trace_configs=list(traces),
            raise_for_status=check,
        )

    async def _authenticate(self, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        """Read the token anew when it is refused; a write is left to its sender to repeat, who knows whether it may."""
        await self._authorize(request)
        response = await handler(request)
        if response.status != HTTPStatus.UNAUTHORIZED:
            return response
        reads = request.method == "GET"
        if reads:
            response.release()
        await self._reload()
        if not reads:
            return response
        await self._authorize(request)
        return await handler(request)

    async def _authorize(self, request: aiohttp.ClientRequest) -> None:
        token = await self._login.get_api_key_with_prefix("BearerToken", "authorization")
        if token:
            request.headers["Authorization"] = token if token.lower().startswith("bearer ") else f"Bearer {token}"


async def connect(identity: str) -> Connection:
    """Read `KUBECONFIG`, else the pod's ServiceAccount, else `~/.kube/config`, as kubectl does.

    `identity` tells replicas apart in the API server's audit log.
    """
    asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER
    try:
        if "KUBECONFIG" not in os.environ and service_account.in_pod():
            account = service_account.ServiceAccount(os.environ, service_account.FOLDER)
            return Connection(account, account.reload, identity=identity, namespace=account.namespace)
        return await _by_kubeconfig(identity)
    except NoClusterError as error:
        raise NoClusterError(f"no cluster to talk to: {error}; set KUBECONFIG or run as a pod") from error


async def _by_kubeconfig(identity: str) -> Connection:
    """Leave kubeconfigs, with the programs and certificates they may name, to those who know them."""
    from kubernetes.aio.client import Configuration  # noqa: PLC0415 - 17 MiB that a pod need not hold
    from kubernetes.aio.config import (  # noqa: PLC0415
        ConfigException,
        list_kube_config_contexts,
        load_kube_config,
    )

    configuration = Configuration()

    async def load() -> None:
        await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]

    try:
        await load()
        _, context = list_kube_config_contexts()  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise NoClusterError(str(error)) from error
    namespace = context["context"].get("namespace") or "default"
    return Connection(configuration, load, identity=identity, namespace=namespace)


def _tls(login: Login) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=login.ssl_ca_cert)
    if login.cert_file:
        context.load_cert_chain(login.cert_file, login.key_file)
    if not login.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
