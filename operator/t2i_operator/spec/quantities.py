"""Kubernetes' quantities, read as Go's `resource.Quantity` reads them."""

from decimal import Decimal, InvalidOperation

_SUFFIXES = {"m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "n": -9, "u": -6}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def amount(quantity: int | str) -> Decimal:
    """Read a quantity such as `500m` or `10Gi`, exactly, in its unit: cores or bytes. Raises ValueError."""
    text = str(quantity)
    try:
        if text[-2:] in _BINARY:
            return Decimal(text[:-2]) * Decimal(2) ** _BINARY[text[-2:]]
        if text[-1:] in _SUFFIXES:
            return Decimal(text[:-1]).scaleb(_SUFFIXES[text[-1]])
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is no quantity") from None
