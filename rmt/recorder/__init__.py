"""Running a model over a document and keeping what its memory did; replaying a segment."""

from rmt.recorder.recorder import record, record_all, replay
from rmt.recorder.watcher import Recorder

__all__ = ["Recorder", "record", "record_all", "replay"]
