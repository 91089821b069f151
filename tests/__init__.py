"""A package, because `langtrace-python-sdk` installs one of the same name that would be found instead."""
