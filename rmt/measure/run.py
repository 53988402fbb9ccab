"""The curves of a run: change of memory, shares of attention, similarity of slots, answers, loss, beats. Numpy only.

Letters as in `rmt.trace`: S segments, L layers, H heads, M slots, D width, T tokens of a segment, C classes.
"""

from dataclasses import dataclass

import numpy as np

from rmt.measure.beats import Beat, Series, find_beats
from rmt.measure.followed import Followed, follow
from rmt.trace import BLOCKS, Trace

CHUNK = 256  # states processed at once, so that a long run takes no more memory than a short one


@dataclass(frozen=True)
class Measures:
    """The curves of a run, one number or row a segment.

    change (S, M) in the memory's units, similarity (S,) cosine, shares {block: (S, L, H)} or None below detail
    "summary", knows (S + 1,) probability of the answer before and after each segment (NaN where nothing was
    asked), loss (S,) mean over the segment's tokens, NaN where nothing was scored. length (S,): mean length of the
    slots after each segment. answer: the name of the row `knows`, see `answer_name`.

    followed: the answers about each that can be asked for at any moment; knows and beats are then those of `main`, the
    one that the text's own question is about, or else the first. Empty where there are no such questions.
    """

    change: np.ndarray
    length: np.ndarray
    similarity: np.ndarray
    shares: dict[str, np.ndarray] | None
    knows: np.ndarray
    loss: np.ndarray
    beats: tuple[Beat, ...]
    answer: str
    followed: tuple[Followed, ...] = ()
    main: int = 0

    def who(self, name: str | None = None) -> Followed | None:
        """The one of this name, else `main`; None where nobody can be asked for."""
        return next(
            (one for one in self.followed if one.name == name), self.followed[self.main] if self.followed else None
        )

    @property
    def slot_mean(self) -> np.ndarray:
        """The change (S,), mean of the slots."""
        return slot_mean(self.change)

    def share(self, block: str) -> np.ndarray:
        """A block's share (S,), mean of layers and heads; NaN below detail "summary"."""
        return self.shares[block].mean((1, 2)) if self.shares else np.full(len(self.change), np.nan)


def measure(trace: Trace) -> Measures:
    """Measure a run, from the segments recorded so far."""
    done, arrays = trace.done, trace.arrays
    lengths = np.diff(arrays["starts"])[:done]
    moved, slot_length = change(trace.memory), length(trace.memory[1:])
    series = Series(
        moved=slot_mean(moved),
        length=slot_length,
        known=knows(trace),
        question=question_segment(trace),
        looked=_answer_read(trace),
        shift=shift(trace),
        focus=focus(trace),
        reset=trace.meta["control"] == "reset",
    )
    own = question_of(trace)
    followed = follow(trace, series, own)
    main = next((i for i, one in enumerate(followed) if one.question == own), 0)
    return Measures(
        change=moved,
        length=slot_length,
        similarity=similarity(trace.memory[1:]),
        shares=shares(arrays["mass"][:done], _write_rows(trace), lengths) if "mass" in arrays else None,
        knows=followed[main].knows if followed else series.known,
        loss=segment_loss(trace, done),
        beats=followed[main].beats if followed else find_beats(series),
        answer="knows" if followed else answer_name(trace),
        followed=followed,
        main=main,
    )


def change(memory: np.ndarray) -> np.ndarray:
    """Euclidean distance of each slot to itself one segment before: (S + 1, M, D) -> (S, M)."""
    out = np.empty((max(len(memory) - 1, 0), memory.shape[1]), np.float32)
    for i in range(0, len(out), CHUNK):
        out[i : i + CHUNK] = np.linalg.norm(np.diff(memory[i : i + CHUNK + 1], axis=0), axis=-1)
    return out


def slot_mean(moved: np.ndarray) -> np.ndarray:
    """Mean over the slots: (S, M) -> (S,); zeros without slots."""
    return moved.mean(1) if moved.shape[1] else np.zeros(len(moved), np.float32)


def length(memory: np.ndarray) -> np.ndarray:
    """Mean length of the slots: (S, M, D) -> (S,)."""
    out = np.zeros(len(memory), np.float32)
    if memory.shape[1]:
        for i in range(0, len(memory), CHUNK):
            out[i : i + CHUNK] = np.linalg.norm(np.asarray(memory[i : i + CHUNK], np.float64), axis=-1).mean(1)
    return out


def similarity(memory: np.ndarray) -> np.ndarray:
    """Mean cosine over the pairs of slots, 1 for copies: (S, M, D) -> (S,); 1 for a single slot."""
    n_slots, out = memory.shape[1], np.ones(len(memory), np.float32)
    if n_slots < 2:
        return out
    for i in range(0, len(memory), CHUNK):
        block = np.asarray(memory[i : i + CHUNK], np.float64)
        unit = block / np.maximum(np.linalg.norm(block, axis=-1, keepdims=True), 1e-12)
        squared = (unit.sum(1) ** 2).sum(-1)  # = M + the cosines of all ordered pairs
        out[i : i + CHUNK] = (squared - n_slots) / (n_slots * (n_slots - 1))
    return out


def shares(mass: np.ndarray, n_write: int, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Each block's share of the attention of its rows, from 0 to 1.

    mass (S, L, H, 4) sums over blocks, as recorded; lengths (S,) tokens a segment. write and carry are divided by
    the n_write rows of write memory, read by the T token rows, local (the rest) by all N rows. Returns
    {block: (S, L, H)}; zeros where there is no memory.
    """
    read, write, carry, local = np.moveaxis(np.asarray(mass, np.float32), -1, 0)
    blocks = dict(zip(BLOCKS, (read, write, carry, local), strict=True))
    n_write = max(n_write, 1)
    rows = dict(zip(BLOCKS, (lengths[:, None, None], n_write, n_write, read + write + carry + local), strict=True))
    return {name: block / rows[name] for name, block in blocks.items()}


def answer_class(trace: Trace) -> int | None:
    """The class that `knows` follows: the right one where the trace has it, else the run's own final answer."""
    if not trace.classes:
        return None
    if trace.meta["label"] is not None:
        return int(trace.meta["label"])
    return trace.classes.index(trace.answer) if trace.complete else None


def answer_name(trace: Trace) -> str:
    """The name of the row `knows`: "knows" for the right answer, "own answer" where it follows the run's own."""
    return "knows" if trace.meta["label"] is not None else "own answer"


def knows(trace: Trace) -> np.ndarray:
    """Probability of the answer if the question came now: (S + 1,), before the first segment and after each."""
    answer = answer_class(trace)
    if answer is None:
        return np.full(trace.done + 1, np.nan, np.float32)
    return np.asarray(trace.arrays["asked"][: trace.done + 1, answer])


def shift(trace: Trace) -> np.ndarray | None:
    """How far a segment moves the answer probabilities: total variation (S,), from 0 to 1; None if never asked."""
    asked = np.asarray(trace.arrays["asked"][: trace.done + 1])
    return np.abs(np.diff(asked, axis=0)).sum(-1) / 2 if asked.size and np.isfinite(asked).all() else None


def focus(trace: Trace) -> np.ndarray | None:
    """The highest write share of a token in each segment, relative to the run's median of these: (S,)."""
    if "token_write" not in trace.arrays or not trace.done:
        return None
    starts = trace.arrays["starts"][: trace.done + 1]
    peaks = np.maximum.reduceat(trace.arrays["token_write"][: starts[-1]], starts[:-1])
    return peaks / max(float(np.median(peaks)), 1e-12)


def token_loss(trace: Trace, start: int, end: int) -> np.ndarray:
    """The loss of each token from `start` to `end`: (T,), NaN where it was not scored, as at the first of the text.

    A trace stores a loss at the position that predicts, one before the token, maybe in the segment before.
    """
    before = trace.arrays["loss"][max(start - 1, 0) : max(end - 1, 0)]
    return np.concatenate([[np.nan] * (end - start - len(before)), before]).astype(np.float32)


def segment_loss(trace: Trace, n: int) -> np.ndarray:
    """Mean loss of the scored tokens of each of the first n segments: (n,), nan where none was scored."""
    starts = trace.arrays["starts"][: n + 1]
    if len(starts) < 2:
        return np.empty(0, np.float32)
    loss = token_loss(trace, 0, int(starts[-1]))
    scored = np.isfinite(loss)
    total = np.add.reduceat(np.where(scored, loss, 0.0), starts[:-1], dtype=np.float64)
    count = np.add.reduceat(scored, starts[:-1], dtype=np.int64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def edges(n: int, n_bins: int) -> np.ndarray:
    """The edges of bins that divide n items as evenly as possible: (min(n, n_bins) + 1,)."""
    n_bins = min(n, n_bins)
    return np.arange(n_bins + 1) * n // max(n_bins, 1)


def pool(series: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum and mean of a series (S,) in bins with edges (n + 1,): two arrays (n,). NaN is ignored."""
    finite = np.isfinite(series)
    top = np.fmax.reduceat(series, at[:-1])
    total = np.add.reduceat(np.where(finite, series, 0.0), at[:-1])
    count = np.add.reduceat(finite, at[:-1], dtype=np.int64)
    return top.astype(np.float32), np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def question_segment(trace: Trace) -> int | None:
    """The segment in which the question ends."""
    ends = [span["end"] - 1 for span in trace.spans if span["kind"] == "question"]
    return trace.segment_of(ends[-1]) if ends else None


def question_of(trace: Trace) -> str:
    """The question with which the text ends, as it was asked, or ""."""
    spans = [span for span in trace.spans if span["kind"] == "question"]
    return "".join(trace.token_texts(spans[-1]["start"], spans[-1]["end"])).strip() if spans else ""


def _write_rows(trace: Trace) -> int:
    """The number of rows of write memory: that of its maps, or of read memory where there are no maps."""
    arrays = trace.arrays
    return arrays["write"].shape[3] if "write" in arrays else arrays["answer_read"].shape[3]


def _answer_read(trace: Trace) -> np.ndarray | None:
    """The attention (S,) of the answering position to memory, mean of layers and heads."""
    if "answer_read" not in trace.arrays:
        return None
    return np.asarray(trace.arrays["answer_read"][: trace.done]).sum(-1).mean((1, 2))
