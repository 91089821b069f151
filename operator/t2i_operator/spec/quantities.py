"""Kubernetes' quantities, read as Go's `resource.Quantity` reads them."""

from decimal import Decimal

# The fields of a PodSpec, by name, that hold one, and those whose fields all do.
QUANTITY = frozenset({"sizeLimit", "divisor"})
QUANTITIES = frozenset({"limits", "requests", "overhead"})
_SUFFIXES = {"m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "n": -9, "u": -6}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
# The greatest quantity is below 10^19 and the least is 10^-9; written out, "1e999999" would be a megabyte of zeros.
_MOST_DIGITS = 40


def amount(quantity: object) -> Decimal:
    """Read a quantity such as `500m` or `10Gi`, exactly, in its unit: cores or bytes. Raises ValueError."""
    text = str(quantity)
    try:
        number = _read(text)
    except ArithmeticError:
        raise ValueError(f"{text} is no quantity") from None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"{text} is no quantity")
    return number


def _read(text: str) -> Decimal:
    if text[-2:] in _BINARY:
        return Decimal(text[:-2]) * (1 << _BINARY[text[-2:]])
    if text[-1:] in _SUFFIXES:
        return Decimal(text[:-1]).scaleb(_SUFFIXES[text[-1]])
    return Decimal(text)
