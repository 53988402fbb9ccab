"""A recorded run on disk: its format, its writer, its reader and its checks. Numpy only."""

from rmt.trace.trace import BLOCKS, SegmentRecord, Trace, validate

__all__ = ["BLOCKS", "SegmentRecord", "Trace", "validate"]
