"""Where the API server is and who we are there, for our own client and for Kopf alike."""

import os
import ssl
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from t2i_operator.answer import Answer

_READ_BUFFER = 2**21  # one watch event is one line, and an object may be 1.5 MiB

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


class NoClusterError(Exception):
    """Neither a kubeconfig nor a pod's ServiceAccount says where the API server is."""


class Connection:
    """Makes sessions whose requests carry a token that is fresh at the time of each request."""

    def __init__(self, configuration: Configuration, reload: Callable[[], Awaitable[object]], *, identity: str) -> None:
        self._configuration, self._reload = configuration, reload
        self._agent = f"t2i-operator/{version('text-to-image-operator')} ({identity})"
        self.server: str = configuration.host
        self._tls = _tls(configuration)

    def session(self, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        """Open a session without a limit: workers bound themselves, and watches must never wait for a connection."""
        return aiohttp.ClientSession(
            base_url=self.server,
            headers={"User-Agent": self._agent},
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            middlewares=(self._authenticate,),
            proxy=self._configuration.proxy,
            read_bufsize=_READ_BUFFER,
            response_class=Answer,
            trace_configs=list(traces),
        )

    async def _authenticate(self, request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        """Read the token anew when it is refused; a write is left to its sender to repeat, who knows whether it may."""
        await self._authorize(request)
        response = await handler(request)
        if response.status != 401:
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
        token = await self._configuration.get_api_key_with_prefix("BearerToken", "authorization")
        if token:
            request.headers["Authorization"] = token if token.lower().startswith("bearer ") else f"Bearer {token}"


async def connect(identity: str) -> Connection:
    """Read `KUBECONFIG`, else the pod's ServiceAccount, else `~/.kube/config`, as kubectl does.

    `identity` tells replicas apart in the API server's audit log.
    """
    configuration = Configuration()

    async def load() -> None:
        if "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]

    try:
        await load()
    except ConfigException as error:
        raise NoClusterError(f"no cluster to talk to: {error}; set KUBECONFIG or run as a pod") from error
    return Connection(configuration, load, identity=identity)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
