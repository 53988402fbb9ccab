"""Checks of the content of a trace whose header is right; each problem is a sentence. Numpy only."""

import zlib
from collections.abc import Iterator

import numpy as np

from rmt.trace.file import FIXED, segment_parts
from rmt.trace.stored import StoredArray

NEAR = 1e-3  # tolerance of sums of float16 maps and float32 masses


def problems(meta: dict, arrays: dict[str, StoredArray]) -> Iterator[str]:
    """Yield each problem of a trace as one sentence; segments are read one at a time."""
    done, n_segments = int(arrays["done"][0]), len(arrays["starts"]) - 1
    if not 0 <= done <= n_segments:
        yield f"The count of recorded segments is {done}, where 0 to {n_segments} are possible."
    text = list(text_problems(arrays))
    yield from text
    if text:  # without starts no segment can be found
        return
    done = min(max(done, 0), n_segments)
    yield from _changed(arrays, done)
    for index in range(done):
        yield from _segment(arrays, index)
    yield from _answer(arrays, done == n_segments, meta.get("answers") == "several")
    if "truths" in arrays and not ((arrays["truths"] >= -1) & (arrays["truths"] < len(meta["classes"]))).all():
        yield f"A right answer of its questions is none of its {len(meta['classes'])} classes."
    if meta["label"] is not None and not 0 <= int(meta["label"]) < max(len(meta["classes"]), 1):
        yield f"The label {meta['label']} is none of its {len(meta['classes'])} classes."


def text_problems(arrays: dict[str, StoredArray]) -> Iterator[str]:
    """What is wrong with the places of segments and tokens, without which nothing else can be found."""
    starts, ends, ids = (arrays[name][:] for name in ("starts", "token_ends", "ids"))
    if starts[0] != 0 or starts[-1] != len(ids) or (np.diff(starts) < 1).any():
        yield f"The segments' starts do not rise from 0 to {len(ids)}, the number of tokens."
    if (ids < 0).any():
        yield f"Token {int(np.argmax(ids < 0))} has a negative id."
    if ends[0] < 0 or (np.diff(ends) < 0).any() or ends[-1] != len(arrays["token_text"]):
        yield "The ends of the tokens' texts do not rise to the length of the text."
    try:
        arrays["token_text"][:].tobytes().decode()
    except UnicodeDecodeError as error:
        yield f"The text is not UTF-8 at byte {error.start}."


def _changed(arrays: dict, done: int) -> Iterator[str]:
    """Yield problems of checksums: data that changed after it was written."""
    if "crc" not in arrays:
        return
    crc = 0
    for name in (name for name in FIXED if name in arrays):
        crc = zlib.crc32(arrays[name][0 if name == "memory" else slice(None)], crc)
    if crc != arrays["crc"][0]:
        yield "The text or the initial memory was changed after it was recorded: its checksum does not match."
    for index in range(done):
        crc, (start, end) = 0, arrays["starts"][index : index + 2]
        for name, where in segment_parts(arrays, index, int(start), int(end)):
            crc = zlib.crc32(np.ascontiguousarray(arrays[name][where]), crc)
        if crc != arrays["crc"][index + 1]:
            yield f"Segment {index} was changed after it was recorded: its checksum does not match."


def _segment(arrays: dict, index: int) -> Iterator[str]:
    start, end = (int(i) for i in arrays["starts"][index : index + 2])
    part = {name: arrays[name][where] for name, where in segment_parts(arrays, index, start, end)}
    if not np.isfinite(part["memory"]).all():
        yield f"The memory after segment {index} holds numbers that are not finite."
    if (part["loss"] < 0).any() or np.isinf(part["loss"]).any():
        yield f"The loss in segment {index} is negative or infinite."
    for name in ("answer_read", "token_write", "token_read", "read", "write"):
        values = part.get(name)
        if values is not None and not ((values >= 0) & (values <= 1 + NEAR)).all():
            yield f"The array {name} of segment {index} holds shares outside 0 to 1."
    if "mass" not in part:
        return
    mass = part["mass"][0].astype(np.float64)  # (L, H, 4)
    rows = mass.sum(-1)
    whole = np.allclose(rows, np.round(rows.flat[0]), rtol=NEAR) and rows.flat[0] >= end - start
    if not (mass >= -NEAR).all() or not whole:
        yield f"The block masses of segment {index} do not add up to its number of positions."
    for name, block in (("read", 0), ("write", 1)):
        sums = part[name][0].sum((-1, -2), dtype=np.float64) if name in part else mass[..., block]
        if not np.allclose(sums, mass[..., block], atol=0.05, rtol=0.01):
            yield f"The {name} maps of segment {index} do not add up to its {name} mass."


def _answer(arrays: dict, complete: bool, several: bool) -> Iterator[str]:
    """Yield problems of answer probabilities. several: classes are independent, so these need not add up to one."""
    asked = arrays["asked"][:]
    answered = ~np.isnan(asked).any(-1)
    shares = [(f"if asked after {i} segments", asked[i]) for i in np.flatnonzero(answered)]
    each = arrays["asked_each"][:] if "asked_each" in arrays else np.empty((0, 0, 0), np.float32)
    each = each[~np.isnan(each).any(-1)]
    shares += [("of the questions put to every state", values) for values in each]
    if complete and len(arrays["probabilities"]):
        shares.append(("at the end", arrays["probabilities"]))
    for when, values in shares:
        within = (values >= 0).all() and (values <= 1 + NEAR).all()
        if len(values) and not (within and (several or abs(values.sum(dtype=np.float64) - 1) < NEAR)):
            yield f"The answer probabilities {when} are no distribution."
