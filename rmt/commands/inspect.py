"""Say what a checkpoint is."""

import json

from rmt.commands.common import Checkpoint, Json


def inspect(path: Checkpoint, as_json: Json = False) -> None:
    """Say what a checkpoint is, what was inferred and what is missing."""
    from rmt.checkpoint import inspect as look

    report = look(path)
    print(json.dumps(report.as_dict(), indent=1) if as_json else "\n".join(report.sentences()))
