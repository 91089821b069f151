"""The version that is installed, asked once at start-up."""

from importlib.metadata import version

DISTRIBUTION = "text-to-image-operator"


def installed() -> str:
    """Return the distribution's version; both programs are released together."""
    return version(DISTRIBUTION)
