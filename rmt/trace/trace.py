"""A recorded run as one safetensors file: header first, one write per segment, valid at any moment. Numpy only.

Arrays (all little-endian; S segments, Tn tokens in all, T tokens of the longest segment, M slots of the state, R and
W slots of read and write memory, which in most cells are M, too):

    done         (1,)             int64    segments written so far
    crc          (S + 1,)         int64    checksums of the initial memory and of what was written of each segment
    starts       (S + 1,)         int64    where each segment begins, and where the last one ends
    ids          (Tn,)            int32    token ids
    token_ends   (Tn,)            int64    where each token's text ends in token_text
    token_text   (bytes,)         uint8    the tokens' texts, UTF-8, one after another
    memory       (S + 1, M, D)    float32  slots before the first segment and after each (float64 for such models)
    mass         (S, L, H, 4)     float32  attention in the blocks read, write, carry, local; sums to N rows
    answer_read  (S, L, H, R)     float32  attention of the answering position to each slot of read memory
    token_write  (Tn,)            float32  share of the write memory's attention on the token, mean of layers and heads
    token_read   (Tn,)            float32  share of the token's attention on read memory, mean of layers and heads
    loss         (Tn,)            float32  cross-entropy there, of the token that follows; nan where nothing was scored
    asked        (S + 1, C)       float32  answer probabilities if the question came after s segments, nan if unasked
    asked_each   (S + 1, Q, C)    float32  the same of each question that is put to every state, where there are some
    truths       (S + 1, Q)       int32    the right class of each by then, -1 where it is not known
    probabilities (C,)            float32  answer probabilities at the end
    read, write  (S, L, H, T, R), (S, L, H, W, T)  float16  thin maps, at detail "thin" only
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from rmt.errors import InputError
from rmt.files import written_whole
from rmt.trace.check import problems, text_problems
from rmt.trace.file import DTYPES, read_header
from rmt.trace.stored import StoredArray

BLOCKS = ("read", "write", "carry", "local")


@dataclass(frozen=True)
class SegmentRecord:
    """The record of one segment; arrays as in the module's table, without the segment axis.

    memory is the state after the segment and memory_before the state before it. read and write are None below detail
    "thin". attention (L, H, N, N), logits and layout exist in a replay only; layout: {name: (start, stop)} of tokens,
    read and write memory among the N positions. blocks (R,), where memory is read by blocks of earlier text: how many
    segments back the block of each position of read memory is, 0 for none; of a replay, too.
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
    layout: dict[str, tuple[int, int]] | None = None
    blocks: np.ndarray | None = None


class Trace:
    """A run on disk, read lazily: opening costs the same for 8 segments as for 4,096.

    Whatever reads from it raises InputError where the file was cut short meanwhile.
    """

    def __init__(self, path: Path, meta: dict, arrays: dict[str, StoredArray], keep=None):
        self.path, self.meta, self.arrays = path, meta, arrays
        self._keep = keep  # the owner of a temporary folder, which lives as long as its trace

    @classmethod
    def open(cls, path, *, keep=None) -> "Trace":
        """Open a trace file. Raises InputError with a sentence where it is not one."""
        path = Path(path)
        header, offset, file = read_header(path)
        meta = json.loads(header.pop("__metadata__")["trace"])
        arrays = {
            name: StoredArray(file, offset + entry["data_offsets"][0], entry["shape"], DTYPES[entry["dtype"]])
            for name, entry in header.items()
        }
        return cls(path, meta, arrays, keep)

    def save(self, path) -> Path:
        """Copy the trace to a path of its own. Raises InputError where it cannot be written."""
        path = Path(path)
        with written_whole(path) as part:
            shutil.copyfile(self.path, part)
        return path

    @property
    def version(self) -> tuple[int, ...]:
        """Which file this is, in which state: what was computed from it holds as long as this is the same."""
        return self.arrays["done"].file.version

    @property
    def done(self) -> int:
        """Segments recorded so far."""
        return min(max(int(self.arrays["done"][0]), 0), self.n_segments)

    @property
    def n_segments(self) -> int:
        return len(self.arrays["starts"]) - 1

    @property
    def complete(self) -> bool:
        return self.done == self.n_segments

    @property
    def memory(self) -> np.ndarray:
        """The slots (S + 1, M, D) before the first segment and after each recorded one, read whole."""
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
    def questions(self) -> list[dict]:
        """[{"name", "text"}]: the questions that were put to every state, and whom or what each is about."""
        return self.meta.get("questions", [])

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
        text = self.arrays["token_text"][edges[0] : edges[-1]].tobytes() if edges else b""
        return [text[a - edges[0] : b - edges[0]].decode("utf-8", "replace") for a, b in pairwise(edges)]

    def check_text(self) -> None:
        """Raises InputError where the places of segments and tokens are damaged: nothing else could be found then."""
        wrong = next(text_problems(self.arrays), None)
        if wrong:
            raise InputError(f"{self.path.name} is damaged. {wrong} Copy it again, or record it again.")

    def segment_of(self, token: int) -> int:
        """The index of the segment that a token is in."""
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


def validate(path) -> list[str]:
    """Check a trace file: its problems as sentences, none where it is whole, finished or not."""
    try:
        trace = Trace.open(path)
    except InputError as error:
        return [str(error)]
    return list(problems(trace.meta, trace.arrays))
