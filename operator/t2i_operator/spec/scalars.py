"""The few kinds of value that the API knows.

Every string, list and map has an upper bound: the API server refuses a CRD whose CEL rules could cost too much, and it
can only know their cost from these bounds.
"""

import re
from collections.abc import Mapping
from decimal import Decimal as Number
from typing import Annotated, Literal

from msgspec import Meta

from t2i_operator.spec.schema import Spelling, least, spelled, spelled_since

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
_PERCENTAGE = Spelling("^(100|[0-9]{1,2})%$", "write a whole number, or a percentage to 100%, such as 50%")
Percentage = Annotated[str, spelled_since(_PERCENTAGE, longest=16, before="^[0-9]{1,3}%$")]

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
_UNIT = "([KMGTPE]i|[numkMGTPE]|[eE]-?[0-9])?"
_QUANTITY = f"^([0-9]{{1,12}}|[0-9]{{0,12}}\\.[0-9]{{1,9}}){_UNIT}$"
Quantity = int | Annotated[str, spelled(_QUANTITY, "write a quantity, such as 2, 500m or 10Gi", longest=32)]
_POSITIVE = Spelling(
    f"^0*([1-9][0-9]{{0,11}}(\\.[0-9]{{1,9}})?|\\.0{{0,8}}[1-9][0-9]{{0,8}}){_UNIT}$",
    "write a quantity above 0, such as 2, 500m or 10Gi",
)
PositiveQuantity = Annotated[int, least(1)] | Annotated[str, spelled_since(_POSITIVE, longest=32, before=_QUANTITY)]
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
