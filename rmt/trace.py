"""A recorded run as one safetensors file: header first, one write per segment, valid at any moment. Numpy only.

Arrays (all little-endian; S segments, Tn tokens in all, T tokens of the longest segment):

    done         (1,)             int64    segments written so far
    starts       (S + 1,)         int64    where each segment begins, and where the last one ends
    ids          (Tn,)            int32    token ids
    token_ends   (Tn,)            int64    where each token's text ends in token_text
    token_text   (bytes,)         uint8    the tokens' texts, UTF-8, one after another
    memory       (S + 1, M, D)    float32  slots before the first segment and after each (float64 for such models)
    mass         (S, L, H, 4)     float32  attention in the blocks read, write, carry, local; sums to N rows
    answer_read  (S, L, H, M)     float32  attention of the answering position to each slot of read memory
    token_write  (Tn,)            float32  share of the write memory's attention on the token, mean of layers and heads
    token_read   (Tn,)            float32  share of the token's attention on read memory, mean of layers and heads
    loss         (Tn,)            float32  cross-entropy at the token, nan where nothing was scored
    asked        (S + 1, C)       float32  answer probabilities if the question came after s segments, nan if unasked
    probabilities (C,)            float32  answer probabilities at the end
    read, write  (S, L, H, T, M), (S, L, H, M, T)  float16  thin maps, at detail "thin" only
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from rmt.errors import InputError

SCHEMA = "rmt-trace-1"
DETAILS = ("memory", "summary", "thin")
BLOCKS = ("read", "write", "carry", "local")
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
NAMES = {np.dtype(v): k for k, v in DTYPES.items()}
MAX_HEADER = 100_000_000  # as in the safetensors format


@dataclass(frozen=True)
class SegmentRecord:
    """What was recorded of one segment; arrays as in the module's table, without the segment axis.

    memory is the state after the segment and memory_before the state it was read with. read and write are None
    below detail "thin". attention (L, H, N, N) and logits are there in a replay only.
    """

    index: int
    start: int
    end: int
    tokens: list[str]
    ids: np.ndarray
    memory_before: np.ndarray
    memory: np.ndarray
    mass: np.ndarray | None = None
    answer_read: np.ndarray | None = None
    token_write: np.ndarray | None = None
    token_read: np.ndarray | None = None
    loss: np.ndarray | None = None
    asked: np.ndarray | None = None
    read: np.ndarray | None = None
    write: np.ndarray | None = None
    attention: np.ndarray | None = None
    logits: np.ndarray | None = None


class Trace:
    """A run on disk, read lazily: opening costs the same for 8 segments as for 4,096."""

    def __init__(self, path: Path, meta: dict, arrays: dict[str, np.ndarray], keep=None):
        self.path, self.meta, self.arrays = path, meta, arrays
        self._keep = keep  # a temporary folder lives as long as its trace

    @classmethod
    def open(cls, path, *, keep=None) -> "Trace":
        """Open a trace file. Raises InputError with a sentence where it is not one."""
        path = Path(path)
        header, offset = read_header(path)
        meta = json.loads(header.pop("__metadata__")["trace"])
        arrays = {
            name: np.memmap(path, DTYPES[entry["dtype"]], "r", offset + entry["data_offsets"][0], tuple(entry["shape"]))
            if np.prod(entry["shape"])
            else np.zeros(entry["shape"], DTYPES[entry["dtype"]])
            for name, entry in header.items()
        }
        return cls(path, meta, arrays, keep)

    def save(self, path) -> Path:
        """Copy the trace to a path of its own."""
        return Path(shutil.copyfile(self.path, path))

    @property
    def done(self) -> int:
        """Segments recorded so far."""
        return int(self.arrays["done"][0])

    @property
    def n_segments(self) -> int:
        return len(self.arrays["starts"]) - 1

    @property
    def complete(self) -> bool:
        return self.done == self.n_segments

    @property
    def memory(self) -> np.ndarray:
        """(S + 1, M, D): the slots before the first segment and after each recorded one."""
        return self.arrays["memory"][: self.done + 1]

    @cached_property
    def tokens(self) -> list[str]:
        return self.token_texts(0, len(self.arrays["ids"]))

    @property
    def segments(self) -> Sequence[SegmentRecord]:
        return _Segments(self)

    @property
    def classes(self) -> list[str]:
        return self.meta["classes"]

    @property
    def spans(self) -> list[dict]:
        """[{"kind", "start", "end"}]: facts, the question and the answer as a fact gives it, in tokens."""
        return self.meta["spans"]

    @property
    def probabilities(self) -> dict[str, float] | None:
        """Class -> probability at the end, where the run has classes and is complete."""
        if not self.classes or not self.complete:
            return None
        return dict(zip(self.classes, map(float, self.arrays["probabilities"]), strict=True))

    @property
    def answer(self) -> str | None:
        """The most probable class at the end."""
        probabilities = self.probabilities
        return max(probabilities, key=probabilities.get) if probabilities else None

    def token_texts(self, start: int, end: int) -> list[str]:
        """The texts of tokens start to end. Tokens are text, never markup: escape them where they are shown."""
        ends = self.arrays["token_ends"][max(start - 1, 0) : end]
        edges = [0, *ends.tolist()] if start == 0 else ends.tolist()
        text = self.arrays["token_text"][edges[0] : edges[-1]].tobytes()
        return [
            text[a - edges[0] : b - edges[0]].decode("utf-8", "replace") for a, b in zip(edges, edges[1:], strict=False)
        ]

    def segment_of(self, token: int) -> int:
        """The segment a token stands in."""
        return int(np.searchsorted(self.arrays["starts"], token, side="right")) - 1


class _Segments(Sequence):
    def __init__(self, trace: Trace):
        self.trace = trace

    def __len__(self) -> int:
        return self.trace.done

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        s = range(len(self))[index]
        trace, arrays = self.trace, self.trace.arrays
        start, end = (int(i) for i in arrays["starts"][s : s + 2])
        of = lambda name, i: arrays[name][i] if name in arrays else None  # noqa: E731
        return SegmentRecord(
            index=s,
            start=start,
            end=end,
            tokens=trace.token_texts(start, end),
            ids=arrays["ids"][start:end],
            memory_before=arrays["memory"][s],
            memory=arrays["memory"][s + 1],
            mass=of("mass", s),
            answer_read=of("answer_read", s),
            token_write=of("token_write", slice(start, end)),
            token_read=of("token_read", slice(start, end)),
            loss=of("loss", slice(start, end)),
            asked=of("asked", s + 1),
            read=None if "read" not in arrays else arrays["read"][s][:, :, : end - start],
            write=None if "write" not in arrays else arrays["write"][s][..., : end - start],
        )


def read_header(path: Path) -> tuple[dict, int]:
    """The header of a trace and where its data begins; every claim it makes checked against the file."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER):
                raise InputError(f"{path.name} is not a trace: its header does not fit the file. Record it again.")
            header = json.loads(file.read(length))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a trace file.") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise InputError(f"{path.name} is not a trace: its header is not JSON. Record it again.") from None
    problem = _header_problem(header, size - 8 - length)
    if problem:
        raise InputError(f"{path.name} is not a whole trace: {problem}. Record it again.")
    return header, 8 + length


def _header_problem(header, room: int) -> str | None:
    try:
        meta = json.loads(header["__metadata__"]["trace"])
        if meta["schema"] != SCHEMA:
            return f"its schema is {str(meta['schema'])[:40]!r}, this version reads {SCHEMA!r}"
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            items = 1
            for n in entry["shape"]:
                if not isinstance(n, int) or n < 0:
                    return f"{name[:40]} has an impossible shape"
                items *= n
            if entry["dtype"] not in DTYPES or items * np.dtype(DTYPES[entry["dtype"]]).itemsize != end - begin:
                return f"{name[:40]} has a size that its shape and type do not give"
            if not 0 <= begin <= end <= room:
                return f"{name[:40]} lies past the end of the file, which was cut short"
        shape = {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
        n_segments, n_tokens = shape["starts"][0] - 1, shape["ids"][0]
        wanted = {"done": (1,), "token_ends": (n_tokens,), "memory": (n_segments + 1, *shape["memory"][1:])}
        for name, needed in wanted.items():
            if shape[name] != needed:
                return f"{name} has the shape {shape[name]} where {needed} is needed"
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return f"its header lacks or garbles {str(error)[:60]}"
    return None


class TraceWriter:
    """Creates a trace of known size and fills it a segment at a time; memory use does not grow with length."""

    def __init__(self, path: Path, meta: dict, shapes: dict[str, tuple[str, tuple[int, ...]]]):
        header, position = {"__metadata__": {"trace": json.dumps({"schema": SCHEMA, **meta})}}, 0
        for name, (dtype, shape) in shapes.items():
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            header[name] = {
                "dtype": NAMES[np.dtype(dtype)],
                "shape": shape,
                "data_offsets": [position, position + size],
            }
            position += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.shapes, self.base = shapes, 8 + len(text)
        self.offsets = {name: entry["data_offsets"][0] for name, entry in header.items() if name != "__metadata__"}
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.truncate(self.file, self.base + position)
        os.pwrite(self.file, len(text).to_bytes(8, "little") + text, 0)

    def write(self, name: str, index: int, values: np.ndarray) -> None:
        """Put values at `index` of an array's first axis: one item of it, or several where values has that axis."""
        dtype, shape = self.shapes[name]
        stride = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
        data = np.ascontiguousarray(values, dtype)
        assert data.size % max(int(np.prod(shape[1:])), 1) == 0, (name, data.shape, shape)
        os.pwrite(self.file, data, self.base + self.offsets[name] + index * stride)

    def finish(self, done: int) -> None:
        """Say that `done` segments are whole; call it after their arrays."""
        self.write("done", 0, np.array([done]))

    def close(self) -> None:
        os.close(self.file)


def temporary() -> tuple[Path, tempfile.TemporaryDirectory]:
    """A path for a trace that nobody asked to keep, and what to hold on to as long as it is used."""
    folder = tempfile.TemporaryDirectory(prefix="rmt-trace-")
    return Path(folder.name) / "run.trace.safetensors", folder
