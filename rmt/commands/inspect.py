"""The command `inspect`: what a checkpoint is and what is missing to run it."""

import json

from rmt.commands.common import Backbone, Checkpoint, Json, Options, SegmentLength, load_options


def inspect(
    path: Checkpoint,
    segment_length: SegmentLength = None,
    backbone: Backbone = None,
    options: Options = None,
    as_json: Json = False,
) -> None:
    """Say what a checkpoint is, what was inferred and what is missing."""
    from rmt.checkpoint import inspect as look

    report = look(path, **load_options(segment_length, backbone, options))
    print(json.dumps(report.as_dict(), indent=1) if as_json else "\n".join(report.sentences()))
