"""Certificates by which two programs know each other."""

from typing import Annotated, ClassVar

from t2i_operator.spec.schema import Block, Rule, described
from t2i_operator.spec.shared import KeySelector, LocalSecret


class CertificateAuthority(Block, frozen=True, kw_only=True):
    """Certificates that vouch for a server."""

    rules: ClassVar = (
        Rule(
            "has(self.secretKeyRef) != has(self.configMapKeyRef)",
            "ca needs exactly one of secretKeyRef and configMapKeyRef",
        ),
    )

    secret_key_ref: Annotated[KeySelector | None, described("Key of a Secret with PEM certificates.")] = None
    config_map_key_ref: Annotated[KeySelector | None, described("Key of a ConfigMap with PEM certificates.")] = None


class ClientTLS(Block, frozen=True, kw_only=True):
    """How a server proves itself to us, and we to it."""

    ca: Annotated[
        CertificateAuthority | None, described("Who vouches for the server. Left out: the public authorities.")
    ] = None
    client_secret_ref: Annotated[
        LocalSecret | None, described("TLS Secret (tls.crt, tls.key) shown to the server. Left out: none.")
    ] = None
