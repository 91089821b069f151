"""Everything the environment decides, typed and checked once: a wrong value stops the start, not a request."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    HttpUrl,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from t2i_service.callers.access import read_api_keys
from t2i_service.callers.keyring import KeysError, read_signing_keys
from t2i_service.offer.models_config import ModelsError
from t2i_service.offer.models_config import read as read_models

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PREFIX = "T2I_"
CLIENT_CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"

LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda value: str(value).upper())]


Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _sendable(secret: SecretStr) -> SecretStr:
    """Hold that a secret fits into a header; the newline that `echo` puts at its end is none of it."""
    text = secret.get_secret_value().strip()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("it holds a line break or another character that no header can; store the secret alone.")
    return SecretStr(text)


def _base(url: HttpUrl) -> HttpUrl:
    """Hold that a path can follow."""
    if "?" in str(url) or "#" in str(url):
        raise ValueError("links begin with it, so it can have neither ? nor #.")
    return url


def _own(host: str) -> str:
    """Hold that connections can be taken there: on any of the addresses that a name may have."""
    try:
        addresses = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        addresses = []
    for family, kind, protocol, _, address in addresses:
        with suppress(OSError), socket.socket(family, kind, protocol) as tried:
            tried.bind(address)
            return host
    raise ValueError(f"{host!r} is no address of this machine: write one to listen on, or none for all.")


Compression = Annotated[Literal["none", "gzip", "deflate"], BeforeValidator(lambda value: str(value).strip().lower())]
ExportSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Token = Annotated[SecretStr, AfterValidator(_sendable)]


def _readable(read: Callable[[Path], object]) -> AfterValidator:
    """Hold that what a path leads to can be used, so that its mistakes are told with all the others."""

    def validate(path: Path) -> Path:
        try:
            read(path)
        except (ModelsError, KeysError) as error:
            raise ValueError(str(error)) from None
        return path

    return AfterValidator(validate)


class SettingsError(Exception):
    """One sentence per wrong value, so that all of them are mended in one go."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Settings(BaseSettings):
    """The names are the contract with the operator's Deployment; `T2I_` ones are ours, the others are the guide's."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    replicate_api_token: Token = Field(default=SecretStr(""), validation_alias="REPLICATE_API_TOKEN")
    langtrace_api_key: Token = Field(default=SecretStr(""), validation_alias="LANGTRACE_API_KEY")
    langtrace_api_host: HttpUrl = Field(
        default=HttpUrl("https://app.langtrace.ai"), validation_alias="LANGTRACE_API_HOST"
    )
    otlp_endpoint: HttpUrl | None = Field(default=None, validation_alias="OTLP_ENDPOINT")
    otlp_protocol: Literal["grpc", "http/protobuf"] = Field(
        default="grpc", validation_alias="OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
    )
    otlp_authorities: FilePath | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE")
    otlp_certificate: FilePath | None = Field(default=None, validation_alias=CLIENT_CERTIFICATE)
    otlp_key: FilePath | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY")
    # What comes from a user's Secret is held to what can be used where it is, and costs no start.
    otlp_headers: SecretStr = Field(default=SecretStr(""), validation_alias="OTEL_EXPORTER_OTLP_HEADERS")
    otlp_traces_headers: SecretStr = Field(default=SecretStr(""), validation_alias="OTEL_EXPORTER_OTLP_TRACES_HEADERS")
    otlp_traces_timeout: ExportSeconds | None = Field(
        default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"
    )
    otlp_timeout: ExportSeconds = Field(default=10.0, validation_alias="OTEL_EXPORTER_OTLP_TIMEOUT")
    otlp_traces_compression: Compression | None = Field(
        default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"
    )
    otlp_compression: Compression = Field(default="none", validation_alias="OTEL_EXPORTER_OTLP_COMPRESSION")
    resource_attributes: str = Field(default="", validation_alias="OTEL_RESOURCE_ATTRIBUTES")
    log_level: LogLevel = Field(default="INFO", validation_alias="LOG_LEVEL")
    service_name: str = Field(default="text-to-image", validation_alias="OTEL_SERVICE_NAME", min_length=1)

    # A pod's address is not known before it starts, nor of which kind it is. Empty is a socket for each kind: uvloop's
    # for `::` takes IPv6 alone, and with two a client's address is spelled as it always was.
    host: Annotated[str, AfterValidator(_own)] = ""
    port: int = Field(default=8000, ge=0, le=65535)
    models_file: Annotated[Path, _readable(read_models)] | None = None
    api_keys_dir: Annotated[Path, _readable(read_api_keys)] | None = None
    signing_keys_dir: Annotated[Path, _readable(read_signing_keys)] | None = None
    replicate_api_url: HttpUrl = HttpUrl("https://api.replicate.com")
    public_url: Annotated[HttpUrl, AfterValidator(_base)] | None = None
    trace_url: str = Field(default="", description="where Jaeger's pages are for a person's browser")
    commit: str = "unknown"

    max_in_flight: PositiveInt = 64
    max_queued: int = Field(default=256, ge=0)
    max_queue_seconds: Seconds = 30.0
    requests_per_minute: int = Field(default=0, ge=0, description="of one API key on one pod; 0 is no limit")

    prompt_characters: int = Field(default=100, ge=0, description="what logs, spans and errors may show of a prompt")
    sampling_ratio: float = Field(default=1.0, ge=0, le=1)
    langtrace_prompts: Literal["Truncated", "Full"] = "Truncated"

    drain_seconds: Seconds = 10.0
    grace_seconds: Seconds = 130.0

    @field_validator("otlp_compression", "otlp_traces_compression")
    @classmethod
    def _spoken(cls, compression: str | None, info: ValidationInfo) -> str | None:
        if compression == "deflate" and info.data.get("otlp_protocol") == "grpc":
            raise ValueError("deflate needs OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf; gRPC takes none or gzip.")
        return compression

    @field_validator("otlp_traces_timeout", "otlp_timeout", "otlp_traces_compression", "otlp_compression", mode="wrap")
    @classmethod
    def _if_used(cls, value: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        """Let nothing stop the start that is not used: without a collector, or where the one for traces is used."""
        name, sent = str(info.field_name), info.data.get("otlp_endpoint", True)
        for_traces = name.replace("otlp_traces_", "otlp_").replace("otlp_", "otlp_traces_")
        is_used = sent and (name == for_traces or info.data.get(for_traces, name) is None)
        return check(value) if is_used and str(value).strip() else cls.model_fields[name].default

    @field_validator("otlp_authorities", "otlp_certificate")
    @classmethod
    def _sent_encrypted(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        endpoint = info.data.get("otlp_endpoint")
        if file and endpoint and endpoint.scheme != "https":
            raise ValueError("certificates need an OTLP_ENDPOINT that begins with https://")
        return file

    @field_validator("otlp_key")
    @classmethod
    def _fits(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("otlp_certificate", key)
        if (key is None) != (certificate is None):
            raise ValueError(f"it and {CLIENT_CERTIFICATE} need each other: set both or none")
        return key


def load() -> Settings:
    """Raise `SettingsError` naming every wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError([_sentence(item) for item in error.errors(include_url=False)]) from None


def _sentence(item: Any) -> str:
    name = _variable(str(item["loc"][0]))
    if name == "LOG_LEVEL":
        return f"LOG_LEVEL is {item['input']!r}: it must be one of {', '.join(LOG_LEVELS)}."
    if item["type"] == "value_error":
        return f"{name}: {item['ctx']['error']}"
    return f"{name} is {item['input']!r}: {item['msg']}."


def _variable(name: str) -> str:
    """Return the variable's name; what has an alias goes by that when it is set, and by its field when it is not."""
    field = Settings.model_fields.get(name)
    return str(field.validation_alias or f"{PREFIX}{name.upper()}") if field else name
