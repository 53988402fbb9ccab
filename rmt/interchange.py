"""Traces for other tools, and back: numpy .npz, pandas, datasets; states as a dictionary of activations.

Rows, of pandas and datasets alike, are segments. A row holds what belongs to its segment: its tokens' values, its maps,
and of each array with a value before the first segment and after each both the one before and the one after
("memory_before", "memory"). The first row holds the trace's meta as JSON, so that nothing is lost on the way back.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from rmt.errors import InputError
from rmt.files import TemporaryFolder, written_whole
from rmt.measure import measure
from rmt.trace import Trace, validate

TOKENS = ("ids", "token_write", "token_read", "loss")  # a value a token
STATES = ("memory", "asked", "asked_each", "truths", "crc")  # a value before the first segment and after each
SEGMENTS = ("mass", "answer_read", "read", "write")
WHOLE = ("probabilities",)
META = "trace_meta"


def to_npz(trace: Trace, path: str | Path) -> Path:
    """Write all arrays of a trace, and its meta as JSON under "trace_meta", into one compressed .npz file."""
    path = Path(path)
    with written_whole(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, **{META: np.array(json.dumps(trace.meta))}, **_arrays(trace))
    return path


def from_npz(path: str | Path, out: str | Path | None = None) -> Trace:
    """Make a trace of a file that `to_npz` wrote. out: where it goes, by default a temporary file.

    Nothing in the file is unpickled. Raises InputError for any other file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(str(arrays.pop(META)))
    except (OSError, ValueError, KeyError, AttributeError, EOFError) as error:
        raise InputError(f"{path} is no .npz file of a trace ({ascii(str(error))[1:80]}).") from None
    return _written(meta, arrays, out)


def rows(trace: Trace) -> list[dict]:
    """A row for each recorded segment, in plain Python and numpy values; see the module."""
    arrays, starts, found = _arrays(trace), trace.arrays["starts"][:], []
    whole = {name: arrays[name].tolist() for name in WHOLE if name in arrays}
    meta = json.dumps({"meta": trace.meta, "starts": starts.tolist(), "dtypes": _dtypes(arrays), **whole})
    for s in range(trace.done):
        start, end = int(starts[s]), int(starts[s + 1])
        row = {"segment": s, "start": start, "end": end, "tokens": trace.token_texts(start, end)}
        row |= {name: arrays[name][start:end] for name in TOKENS if name in arrays}
        row |= {f"{name}_before": arrays[name][s] for name in STATES if name in arrays}
        row |= {name: arrays[name][s + 1] for name in STATES if name in arrays}
        row |= {name: arrays[name][s] for name in SEGMENTS if name in arrays}
        found.append({**row, META: meta if s == 0 else ""})
    return found


def from_rows(table: Sequence[dict], out: str | Path | None = None) -> Trace:
    """Make a trace of the rows of a whole run. out: where it goes, by default a temporary file.

    Raises InputError where rows are missing, or are no rows of a trace.
    """
    try:
        table = sorted(table, key=lambda row: row["segment"])
        first = json.loads(table[0][META])
        meta, starts, dtypes = first["meta"], np.array(first["starts"], np.int64), first["dtypes"]
        if len(table) != len(starts) - 1:
            raise InputError(f"These are {len(table)} of {len(starts) - 1} segments; give all rows of a finished run.")
        texts = [text.encode() for row in table for text in row["tokens"]]
        arrays = {
            "done": np.array([len(table)]),
            "starts": starts,
            "token_ends": np.cumsum([len(text) for text in texts], dtype=np.int64),
            "token_text": np.frombuffer(b"".join(texts), np.uint8),
        }
        value = lambda row, name: np.array(_plain(row[name]), dtypes[name])  # noqa: E731
        for name in dtypes:
            if name in TOKENS:
                arrays[name] = np.concatenate([value(row, name) for row in table])
            elif name in STATES:
                before = np.array(_plain(table[0][f"{name}_before"]), dtypes[name])
                arrays[name] = np.stack([before, *(value(row, name) for row in table)])
            elif name in SEGMENTS:
                arrays[name] = np.stack([value(row, name) for row in table])
            elif name in WHOLE:
                arrays[name] = np.array(first[name], dtypes[name])
    except InputError:
        raise
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"These are no rows of a trace ({type(error).__name__}: {ascii(str(error))[:60]}).") from None
    return _written(meta, arrays, out)


def to_pandas(trace: Trace):
    """The rows of a trace as a pandas DataFrame, arrays in its cells."""
    import pandas

    return pandas.DataFrame(rows(trace))


def from_pandas(frame, out: str | Path | None = None) -> Trace:
    """Make a trace of a DataFrame that `to_pandas` made, or a `datasets.Dataset.to_pandas` of one."""
    return from_rows(frame.to_dict("records"), out)


def to_dataset(trace: Trace):
    """The rows of a trace as a `datasets.Dataset`, to save, to join with others, or to publish."""
    from datasets import Dataset

    return Dataset.from_list([{name: _listed(value) for name, value in row.items()} for row in rows(trace)])


def from_dataset(dataset, out: str | Path | None = None) -> Trace:
    """Make a trace of a `datasets.Dataset` that `to_dataset` made."""
    return from_rows(dataset.with_format(None).to_list(), out)


def tables(trace: Trace) -> dict:
    """Tidy pandas tables of a run, for figures and statistics: "segments", "tokens" and "slots", all counted from 0."""
    import pandas

    measures, arrays = measure(trace), trace.arrays
    starts = arrays["starts"][: trace.done + 1]
    n = int(starts[-1])
    segment = np.repeat(np.arange(trace.done), np.diff(starts))
    per_segment = {"segment": range(trace.done), "start": starts[:-1], "end": starts[1:]}
    per_segment |= {"change": measures.slot_mean, "loss": measures.loss}
    per_segment |= {block: share.mean((1, 2)) for block, share in (measures.shares or {}).items()}
    per_token = {"token": range(n), "segment": segment, "text": trace.token_texts(0, n)}
    per_token |= {name: arrays[name][:n] for name in TOKENS if name in arrays}
    memory = trace.memory
    after, slots = np.indices(memory.shape[:2]).reshape(2, -1)
    moved = np.concatenate([np.full((1, memory.shape[1]), np.nan), measures.change])
    per_slot = {"segments_read": after, "slot": slots, "length": np.linalg.norm(memory, axis=-1).ravel()}
    per_slot |= {"change": moved.ravel()}
    return {
        "segments": pandas.DataFrame(per_segment),
        "tokens": pandas.DataFrame(per_token),
        "slots": pandas.DataFrame(per_slot),
    }


def to_activations(trace: Trace, replayed=None) -> dict:
    """States and maps as a dictionary of torch tensors, named and shaped as TransformerLens does.

    memory.hook_initial (1, M, D), memory.hook_state (S, M, D): a batch of segments, a position a slot. At detail "thin"
    blocks.L.attn.hook_memory_read (S, H, T, R) and hook_memory_write (S, H, W, T). replayed: a `SegmentRecord` of
    `rmt.replay`, whose whole maps are blocks.L.attn.hook_pattern (1, H, N, N).
    """
    import torch

    memory = torch.from_numpy(np.array(trace.memory))
    found = {"memory.hook_initial": memory[:1], "memory.hook_state": memory[1:]}
    for name in ("read", "write"):
        if name in trace.arrays:
            maps = torch.from_numpy(np.array(trace.arrays[name][: trace.done]))  # (S, L, H, ...)
            found |= {f"blocks.{i}.attn.hook_memory_{name}": maps[:, i] for i in range(maps.shape[1])}
    if replayed is not None and replayed.attention is not None:
        found |= {
            f"blocks.{i}.attn.hook_pattern": torch.from_numpy(np.array(pattern))[None]
            for i, pattern in enumerate(replayed.attention)
        }
    return found


def _arrays(trace: Trace) -> dict[str, np.ndarray]:
    return {name: np.array(array[:]) for name, array in trace.arrays.items()}


def _dtypes(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    kept = (*TOKENS, *STATES, *SEGMENTS, *WHOLE)
    return {name: array.dtype.str for name, array in arrays.items() if name in kept}


def _plain(value):
    """Nested lists of an array of arrays, which pandas makes of lists of lists."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_plain(each) for each in value]
    return value


def _listed(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


def _written(meta: dict, arrays: dict[str, np.ndarray], out: str | Path | None) -> Trace:
    """Write a trace file of these arrays and open it. Raises InputError where they do not make one."""
    keep = None if out else TemporaryFolder()
    path = Path(out) if out else Path(keep.name) / "run.trace.safetensors"
    with written_whole(path) as part:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part,
                  metadata={"trace": json.dumps(meta)})  # fmt: skip
        if wrong := validate(part):
            raise InputError(f"These make no whole trace: {wrong[0]}")
    return Trace.open(path, keep=keep)
