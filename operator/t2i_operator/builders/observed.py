"""What the builders need to know of the cluster."""

from collections.abc import Mapping

import msgspec


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that `reconcile` gathers, because a builder does no I/O.

    `keys` and `credentials` are Secret data, base64 as on the wire; `credentials` is None unless `<name>-secrets` is
    ours to compose. The checksums change when the pods must be rolled, `storage_checksum` Jaeger's, and say nothing
    about the values; `certificates_checksum` is empty while a certificate that spans are sent with is missing.
    `replicas` is how many pods are wanted where the spec does not say it: the live Deployment's number under an
    autoscaler, else the one that is kept; 0 where there is none. `header_names` are the headers that spans are sent
    with. `volume_size` is what the live claim for Jaeger's volume asks for, "" where there is none.
    """

    image: str
    jaeger_image: str = ""
    keys: Mapping[str, str]
    keys_checksum: str = ""
    credentials: Mapping[str, str] | None = None
    credentials_checksum: str = ""
    certificates_checksum: str = ""
    environment_checksum: str = ""
    storage_checksum: str = ""
    volume_size: str = ""
    header_names: tuple[str, ...] = ()
    replicas: int = 0
