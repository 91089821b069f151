"""What every block is made of: the base class, CEL rules, and the few kinds of value that the API knows.

Every string, list and map has an upper bound: the API server refuses a CRD whose CEL rules could cost too much, and it
can only know their cost from these bounds.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal as Number
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

_INITIALISMS = {"url": "URL", "urls": "URLs", "cpu": "CPU"}


class Rule(NamedTuple):
    """One `x-kubernetes-validations` entry; `message` says what to write instead."""

    cel: str
    message: str


def wire_name(attribute: str) -> str:
    """Spell `target_cpu_utilization_percentage` as Kubernetes does: `targetCPUUtilizationPercentage`."""
    head, *tail = attribute.rstrip("_").split("_")
    return head + "".join(_INITIALISMS.get(word, word.capitalize()) for word in tail)


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=wire_name):
    """A JSON object of the API.

    `omit_defaults` makes `msgspec.to_builtins(block)` give back what the user wrote, not what we filled in.
    A subclass states its cross-field rules in the class variable `rules`, and repeats frozen and kw_only, which
    msgspec does not inherit.
    """


def described(text: str) -> Meta:
    """Document a field for `kubectl explain`."""
    return Meta(description=text)


class Spelling(NamedTuple):
    """A pattern that the CRD had not always; what breaks it is read, and `reconciling.stored` makes nothing of it."""

    pattern: str
    says: str

    def problems(self, value: str | None, field: str) -> Iterator[str]:
        """Yield a sentence where a value is given that was stored before the pattern was."""
        if value is not None and not re.search(self.pattern, value):
            yield f"{field}: {self.says}"


def spelled(pattern: str, says: str, *, longest: int, shortest: int | None = None) -> Meta:
    """Hold a string to a pattern; the API server says a sentence rather than a regular expression."""
    return Meta(
        pattern=pattern, max_length=longest, min_length=shortest, extra_json_schema=_spelling(Spelling(pattern, says))
    )


def spelled_since(spelling: Spelling, *, longest: int, shortest: int | None = None) -> Meta:
    """Have the API server alone hold a string to it: a resource that is older must not be locked out as a whole."""
    return Meta(max_length=longest, min_length=shortest, extra_json_schema=_spelling(spelling))


def _spelling(spelling: Spelling) -> dict[str, object]:
    rule = {"rule": matches("self", spelling.pattern), "message": spelling.says}
    return {"x-kubernetes-validations": [rule]}


def matches(path: str, pattern: str) -> str:
    """Return the CEL that compares; rules that compute with a value guard themselves by it."""
    return f"{path}.matches(r'{pattern}')"


def list_map(*keys: str) -> Meta:
    """Let server-side apply merge the list's items by these keys."""
    return Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


SET = Meta(extra_json_schema={"x-kubernetes-list-type": "set"})
ATOMIC_MAP = Meta(extra_json_schema={"x-kubernetes-map-type": "atomic"})

Mode = Literal["Managed", "Disabled"]
Severity = Literal["Warning", "Critical"]

Text = Annotated[str, Meta(min_length=1, max_length=253)]
LongText = Annotated[str, Meta(min_length=1, max_length=2048)]
URL = Annotated[
    str, spelled("^https?://[^\\s/]+(/\\S*)?$", "write a URL, such as https://images.example.com", longest=2048)
]
# In what becomes a rule: Prometheus runs `{{ }}` there as a template, which may ask for every series that it has.
PLAIN_TEXT = Spelling(
    "^([^{]|\\{[^{])*\\{?$",
    "write text without {{: Prometheus would run it as a template, which may read everybody's series",
)
PlainText = Annotated[str, spelled_since(PLAIN_TEXT, longest=2048, shortest=1)]
PLAIN_URL = Spelling(
    "^https?://[^\\s/{]+(/[^\\s{]*)?$", "write the address of a page, without {, such as https://grafana.example.com"
)
PlainURL = Annotated[str, spelled_since(PLAIN_URL, longest=2048)]
_BASE_URL = Spelling(
    "^https?://[^\\s/?#]+(/[^\\s?#]*)?$",
    "write what a path can follow, without ? and #, such as https://images.example.com/api",
)
BaseURL = Annotated[str, spelled(_BASE_URL.pattern, _BASE_URL.says, longest=2048)]
# The service shows no link where it is of no use, and says so in its log.
PageURL = Annotated[str, spelled_since(_BASE_URL, longest=2048)]
Image = Annotated[
    str, spelled("^\\S+$", "write an image without spaces, such as registry.example.com/service:1.0", longest=1024)
]
Label = Annotated[
    str,
    spelled(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "use lower-case letters, digits and -; begin and end with a letter or digit",
        longest=63,
    ),
]
Subdomain = Annotated[
    str,
    spelled(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "write the name of an object: lower-case letters, digits, - and .; begin and end with a letter or digit",
        longest=253,
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535)]
Percentage = Annotated[str, spelled("^[0-9]{1,3}%$", "write a whole number, or a percentage such as 50%", longest=16)]

# Decimal strings, because a float does not survive the way through YAML, JSON and Go unchanged.
DECIMAL = "^[0-9]{1,9}(\\.[0-9]{1,9})?$"
Decimal = Annotated[str, spelled(DECIMAL, 'write a decimal number in quotes, such as "0.000975"', longest=32)]
FRACTION = "^(0(\\.[0-9]{1,9})?|1(\\.0{1,9})?)$"
Fraction = Annotated[str, spelled(FRACTION, 'write a number from "0" to "1" in quotes, such as "0.05"', longest=32)]
# Go's and CEL's units, whole numbers, largest first: what both `duration()` and Prometheus read.
_PARTS = "([1-9][0-9]{0,5}h)?([1-9][0-9]{0,5}m)?([1-9][0-9]{0,5}s)?([1-9][0-9]{0,5}ms)?"
DURATION = f"^{_PARTS}$"
_WHOLE = "write a duration in whole numbers"
Duration = Annotated[str, spelled(DURATION, f"{_WHOLE} above 0, such as 30s, 1m30s or 500ms", longest=29, shortest=2)]
DurationOrZero = Annotated[
    str, spelled(f"^(0s|{_PARTS})$", f"{_WHOLE}, such as 0s, 30s, 1m30s or 500ms", longest=29, shortest=2)
]
_QUANTITY = "^([0-9]{1,12}|[0-9]{0,12}\\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE]-?[0-9])?$"
Quantity = int | Annotated[str, spelled(_QUANTITY, "write a quantity, such as 2, 500m or 10Gi", longest=32)]
Currency = Annotated[str, spelled("^[A-Z]{3}$", "write the three letters of a currency, such as USD", longest=16)]

LabelValue = Annotated[
    str,
    spelled(
        "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "write a label's value: letters, digits, -, _ and .; begin and end with a letter or digit",
        longest=63,
    ),
]
Labels = Annotated[Mapping[str, LabelValue], Meta(max_length=64)]
Annotations = Annotated[Mapping[str, Annotated[str, Meta(max_length=65536)]], Meta(max_length=64)]


_DURATION_PART = re.compile(r"(\d+)(ms|[hms])")
_UNIT_SECONDS = {"h": Number(3600), "m": Number(60), "s": Number(1), "ms": Number("0.001")}


def seconds(duration: str) -> Number:
    """Read a duration such as `1m30s`, exactly."""
    return sum((int(count) * _UNIT_SECONDS[unit] for count, unit in _DURATION_PART.findall(duration)), Number(0))


class LocalSecret(Block, frozen=True, kw_only=True):
    """A Secret in the resource's own namespace."""

    name: Annotated[Subdomain, described("Name of the Secret.")]


class KeySelector(Block, frozen=True, kw_only=True):
    """One key of a Secret or ConfigMap in the resource's own namespace."""

    name: Annotated[Subdomain, described("Name of the object.")]
    key: Annotated[
        str,
        spelled("^[-._a-zA-Z0-9]+$", "write a key of the object: letters, digits, -, _ and .", longest=253),
        described("Key inside the object."),
    ]


class SecretValue(Block, frozen=True, kw_only=True):
    """A value that is kept in a Secret."""

    secret_key_ref: Annotated[KeySelector, described("The Secret's name and the key that holds the value.")]


class Resources(Block, frozen=True, kw_only=True):
    """Compute resources of one container."""

    requests: Annotated[
        Mapping[str, Quantity], Meta(max_length=16), described("What the scheduler sets aside, as `cpu: 100m`.")
    ] = msgspec.field(default_factory=dict)
    limits: Annotated[
        Mapping[str, Quantity], Meta(max_length=16), described("What the container may not exceed, as `memory: 512Mi`.")
    ] = msgspec.field(default_factory=dict)


class LabelSelectorRequirement(Block, frozen=True, kw_only=True):
    """One condition on a label."""

    key: Annotated[Text, described("The label's key.")]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"], described("How the label's value and `values` relate.")
    ]
    values: Annotated[
        tuple[LabelValue, ...],
        Meta(max_length=16),
        described("Values for In and NotIn; empty for Exists and DoesNotExist."),
    ] = ()


class LabelSelector(Block, frozen=True, kw_only=True):
    """A query over labels; an empty selector matches everything."""

    match_labels: Annotated[Labels, described("Labels that must be there with these values.")] = msgspec.field(
        default_factory=dict
    )
    match_expressions: Annotated[
        tuple[LabelSelectorRequirement, ...], Meta(max_length=16), described("Conditions that must all hold.")
    ] = ()
