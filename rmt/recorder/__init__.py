"""Record what a model's memory does while it reads a document, and replay single segments."""

from rmt.recorder.recorder import record, record_all, replay
from rmt.recorder.watcher import Recorder

__all__ = ["Recorder", "record", "record_all", "replay"]
