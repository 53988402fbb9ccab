"""The reader for JSON files of assets/results. No torch."""

import json
from pathlib import Path

from rmt.errors import InputError

MOST_BYTES = 16 * 2**20


def read_json(path: Path) -> object:
    """The content of a JSON file. Raises InputError with a sentence where it is too large or not JSON."""
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"assets/results/{path.name} is larger than {MOST_BYTES >> 20} MB; make it again.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        raise InputError(f"assets/results/{path.name} is not JSON; make it again.") from None
