"""Readers of a run's slices, for tests."""

import json

import numpy as np


def unpack(body: bytes) -> dict:
    """The parts of a slice, as source.js reads them."""
    length = int.from_bytes(body[:4], "little")
    head = json.loads(body[4 : 4 + length])
    found = {"meta": head["meta"]}
    for name, entry in head["arrays"].items():
        count, offset = int(np.prod(entry["shape"])), 4 + length + entry["offset"]
        assert offset % 4 == 0, "a typed array needs its alignment"
        found[name] = np.frombuffer(body, entry["dtype"], count, offset).reshape(entry["shape"])
    return found
