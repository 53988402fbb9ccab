"""The writer of a trace: header and text first, then a segment at a time. Numpy only.

A file gets its name only when header and text are in it, and a segment counts only when all of its arrays are written,
so a trace is valid whenever its writer is killed, and a later writer can resume it.
"""

import json
import math
import os
import zlib
from pathlib import Path

import numpy as np

from rmt.errors import InputError
from rmt.files import TemporaryFolder, written_whole
from rmt.trace.file import ARRAYS, NAMES, SCHEMA, arrays_at, is_trace, segment_parts

PART = 1 << 22  # bytes compared at a time


class TraceWriter:
    """A writer that fills a trace of known size a segment at a time; memory use does not grow with length.

    meta: the description of the run. sizes: letter -> size of the axes in ARRAYS. fixed: the arrays in FIXED, in order.
    Where `path` already holds a trace of the same run, `done` is the number of its whole segments.
    """

    def __init__(self, path: Path, meta: dict, sizes: dict[str, int], fixed: dict[str, np.ndarray], *, wide=False):
        check_free(path)
        self.path, self.crc = path, 0
        self.arrays: dict[str, tuple] = {}  # name -> (dtype, shape, offset)
        self.strides: dict[str, int] = {}  # name -> bytes of an item
        sizes = {"1": 1, "4": 4, "S+": sizes["S"] + 1, **sizes}
        header, position = {"__metadata__": {"trace": json.dumps({"schema": SCHEMA, **meta})}}, 0
        for name in arrays_at(meta["detail"], meta.get("questions", ())):
            dtype = np.dtype("<f8" if wide and name == "memory" else ARRAYS[name][0])
            shape = tuple(sizes[axis] for axis in ARRAYS[name][1])
            end = position + math.prod(shape) * dtype.itemsize
            header[name] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": [position, end]}
            self.arrays[name], self.strides[name] = (dtype, shape, position), math.prod(shape[1:]) * dtype.itemsize
            position = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.head, self.size = len(text).to_bytes(8, "little") + text, 8 + len(text) + position
        try:
            self.done = self._go_on(path, fixed) if path.exists() else None
            if self.done is None:
                self._begin(path, fixed)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); choose another path.") from None

    def _begin(self, path: Path, fixed: dict[str, np.ndarray]) -> None:
        """Make a new file, which gets its name only when it can be opened as a trace."""
        with written_whole(path) as part:
            self.done, self.file = 0, os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            os.truncate(self.file, self.size)
            os.pwrite(self.file, self.head, 0)
            for name, values in fixed.items():
                self.write(name, 0, values)
            self._seal(0)
            for name in ("asked", "asked_each"):
                if name in self.arrays:
                    self.write(name, 0, np.full(self.arrays[name][1], np.nan))

    def _go_on(self, path: Path, fixed: dict[str, np.ndarray]) -> int | None:
        """Resume a file: the number of segments of this run in it; None where it is another run or no trace."""
        self.file = os.open(path, os.O_RDWR)
        same = os.fstat(self.file).st_size == self.size and os.pread(self.file, len(self.head), 0) == self.head
        if same and all(self._holds(name, values) for name, values in fixed.items()):
            return int(self.read("done", 0, 1)[0])
        os.close(self.file)
        return None

    def _holds(self, name: str, values: np.ndarray) -> bool:
        """Whether the file has these values in an array."""
        n = max(PART // max(values.itemsize, 1), 1)
        return all(
            np.array_equal(self.read(name, i, min(i + n, len(values))), values[i : i + n])
            for i in range(0, len(values), n)
        )

    def _place(self, name: str, index: int) -> int:
        return len(self.head) + self.arrays[name][2] + index * self.strides[name]

    def write(self, name: str, index: int, values: np.ndarray) -> None:
        """Write values at `index` of an array's first axis: one item, or several where values has that axis.

        Raises InputError where they do not fit: nothing is written beyond an array, and there is one answer
        probability for each class.
        """
        dtype, shape, _ = self.arrays[name]
        data = np.ascontiguousarray(values, dtype)
        items, rest = divmod(data.nbytes, self.strides[name] or 1)
        if rest or index < 0 or index + items > shape[0] or (name == "probabilities" and items != shape[0]):
            raise InputError(
                f"The array {name} of this trace has the shape {shape} and was given {data.shape} at {index}; record "
                "the run with as many classes, slots and tokens as its trace was begun for."
            )
        self.crc = zlib.crc32(data, self.crc)
        view = memoryview(data).cast("B") if data.size else b""
        place = self._place(name, index)
        while len(view):  # a write may be cut short, by a signal or at 2 GB
            try:
                n = os.pwrite(self.file, view, place)
            except OSError as error:
                raise InputError(
                    f"{self.path.name} cannot be written on ({error.strerror}). The segments before are whole: make "
                    "room, and give the same command again to go on."
                ) from error
            view, place = view[n:], place + n

    def read(self, name: str, start: int, end: int) -> np.ndarray:
        """Read items start to end of an array's first axis from the file."""
        dtype, shape, _ = self.arrays[name]
        place = self._place(name, start)
        data = os.pread(self.file, self._place(name, end) - place, place)
        return np.frombuffer(data, dtype).reshape(end - start, *shape[1:])

    def segment(self, index: int, start: int, values: dict[str, np.ndarray]) -> None:
        """Write all arrays of one segment, whose tokens begin at `start`; maps of a short one are padded with zeros."""
        self.crc = 0
        for name, where in segment_parts(self.arrays, index, start, start + len(values["loss"])):
            data, shape = values[name], self.arrays[name][1]
            if name in ("read", "write") and data.shape != shape[1:]:
                data = np.pad(data, [(0, n - m) for n, m in zip(shape[1:], data.shape, strict=True)])
            self.write(name, where.start, data)
        self._seal(index + 1)

    def _seal(self, index: int) -> None:
        self.write("crc", index, np.array([self.crc]))

    def finish(self, done: int) -> None:
        """Write that `done` segments are whole; call it after their arrays are written."""
        self.write("done", 0, np.array([done]))
        self.done = done

    def close(self) -> None:
        os.close(self.file)


def check_free(path: Path) -> None:
    """Raise InputError for a path at which no trace may be written: only a trace is ever replaced."""
    if not path.exists() or (path.is_file() and (is_trace(path) or not path.stat().st_size)):
        return
    what = "a folder" if path.is_dir() else "another file and no trace" if path.is_file() else "a device or a pipe"
    raise InputError(f"{path} is {what}, and only a trace is replaced by a trace; give the name of a new file.")


def temporary() -> tuple[Path, TemporaryFolder]:
    """Make a path for a temporary trace; return also its folder's owner, which must live as long as the trace."""
    folder = TemporaryFolder()
    return Path(folder.name) / "run.trace.safetensors", folder
