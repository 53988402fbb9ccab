"""A JSON file of assets/results, checked as it is read. No torch."""

import json
from pathlib import Path

from rmt.errors import InputError

MOST_BYTES = 16 * 2**20


def read_json(path: Path) -> object:
    """What is in it. Raises InputError with a sentence where it is too large or no JSON."""
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"assets/results/{path.name} is larger than {MOST_BYTES >> 20} MB; make it again.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        raise InputError(f"assets/results/{path.name} is not JSON; make it again.") from None
