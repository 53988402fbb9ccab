"""The path of a cause: how much of an answer hangs on each edge from the words of a text over slots to the answer.

Some tokens of a recorded run are exchanged for others, as a fact is told otherwise, and the run is read again: the
exchanged run. To cut an edge is to let what goes along it be that of the exchanged run, while all else stays as it is.
The odds are the log probability of the run's answer minus that of the answer that the exchanged run gives. The share of
an edge is by how much the odds fall when it is cut, as a part of how far they fall when the tokens themselves are
exchanged: 1 is all of it, 0 nothing. Every share is measured by reading on; no gradient and no attention is looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rmt.causes.attribute import Output, output_of
from rmt.causes.exchange import Exchange
from rmt.errors import InputError
from rmt.intervene import Progress, Reading
from rmt.intervene.edges import Carry, Edge, Into, Read
from rmt.intervene.reading import chosen
from rmt.memory.base import MemoryCell, State, Step
from rmt.model import Model
from rmt.text.segments import Segment

MOMENTS = 8  # boundaries of a path at most, evenly spaced
SLOTS = 8  # slots of a path's edges at most: those that pass on most
LEAST = 0.01  # the share of a slot, at some moment, from which its edges are measured
MOVED = 0.01  # nats that the odds fall, below which nothing arrives and all shares are 0
ROWS = 128  # states read beside each other


@dataclass(frozen=True)
class Path:
    """The shares of all edges of one path, and the answer's probabilities behind them.

    exchange: what was exchanged. output, other: the run's answer and the exchanged run's, as classes or token ids.
    moments (K,): segments read at each boundary of the path, from the first that the exchanged words reach on.
    as_it_is, exchanged (2,): probabilities of output and other. odds (2,): of the run, and of the exchanged run.
    slots (K, M): share of each slot at each moment, in all it passes on. edges (m,): slots whose edges follow.
    into (W, m), carry (K - 1, m, m), read (m,): the shares of the edges; p_*: P(output) once the edge is cut.
    reset (3, 2): the same probabilities with memory reset before every segment: as it is, exchanged, and the one
        farthest from as it is of those with all slots cut at one moment.
    """

    exchange: Exchange
    output: int
    other: int
    moments: tuple[int, ...]
    as_it_is: np.ndarray
    exchanged: np.ndarray
    odds: np.ndarray
    slots: np.ndarray
    edges: tuple[int, ...]
    into: np.ndarray
    carry: np.ndarray
    read: np.ndarray
    p_into: np.ndarray
    p_carry: np.ndarray
    p_read: np.ndarray
    reset: np.ndarray


@torch.inference_mode()
def path(
    model: Model, reading: Reading, exchange: Exchange, *, choice: int | None = None, progress: Progress | None = None
) -> Path:
    """Measure the share of every edge from the exchanged words to the output; each edge is cut alone.

    choice: the output, as in `rmt.causes.attribute.output_of`. progress(done, total) counts segments times rows. Raises
    InputError where no path of slots leads from the words to the output.
    """
    pair = Pair(model, reading, exchange, choice)
    return pair.measured(progress)


@torch.inference_mode()
def cut(
    model: Model, reading: Reading, exchange: Exchange, edges: Sequence[Edge], *, choice: int | None = None
) -> np.ndarray:
    """Cut these edges together: P(output) and P(other), then the same with memory reset before every segment: (2, 2).

    Raises InputError for an edge that the path does not have.
    """
    pair = Pair(model, reading, exchange, choice)
    return np.stack([pair.cut(edges), pair.cut(edges, reset=True)])


class Pair:
    """A run and its exchanged run side by side, for the states of both at the moments of the path."""

    def __init__(self, model: Model, reading: Reading, exchange: Exchange, choice: int | None):
        self.model, self.exchange, self.cell = model, exchange, model.cell
        if model.backbone.head == "classify" and model.about.answers != "one":
            raise InputError("This model does not answer with one class, so no answer moves to another one.")
        if not _only_slots(self.cell):
            raise InputError("This memory is more than its slots, so no path over slots tells what crosses a boundary.")
        self.segments, self.reset = reading.segments, bool(reading.standing)
        self.output: Output = output_of(model, reading, choice)
        starts = np.array(reading.starts)
        at = np.searchsorted(starts, [exchange.start, exchange.end - 1], side="right") - 1
        self.first, last, n = int(at[0]), int(at[1]) + 1, len(self.segments)
        if last >= n:
            raise InputError("These words stand in the last segment, which reads them without any memory.")
        self.moments = tuple(sorted({last + i * (n - 1 - last) // max(min(n - last, MOMENTS) - 1, 1)
                                     for i in range(min(n - last, MOMENTS))}))  # fmt: skip
        self.before = self.cell.initial(1) if self.reset else reading.states[self.first]
        self.plain = self._states(self._from_words([]), self.reset)
        self.other = self._states(self._from_words([*range(len(exchange.ids))], whole=True), self.reset)

    @cached_property
    def answers(self) -> tuple[int, int]:
        """The run's answer and the exchanged run's, or its second one where that is the same."""
        mine = self.output.token
        theirs = self.to_end(self.other[-1], len(self.moments) - 1)[0].clone()
        theirs[mine] = -torch.inf
        return mine, int(theirs.argmax())

    def _from_words(self, words: Sequence[int], whole: bool = False) -> tuple[State, ...]:
        """The states after the last segment with exchanged words, with these of them exchanged.

        whole: as the exchange has it; else each word is exchanged for its own.
        """
        ids = torch.cat([segment.ids for segment in self.segments[self.first : self.moments[0]]], 1).clone()
        offset = self.exchange.start - sum(s.ids.shape[1] for s in self.segments[: self.first])
        for word in words:
            new = self.exchange.ids if whole else self.exchange.each
            ids[0, offset + word] = new[word]
        state, at = self.before, 0
        for segment in self.segments[self.first : self.moments[0]]:
            state = self._fresh(state) if self.reset else state
            n = segment.ids.shape[1]
            state = self.cell.step(self.model.backbone, Segment(ids[:, at : at + n]), state)[1]
            at += n
        return state

    def _fresh(self, state: State) -> State:
        return self.cell.initial(len(state))

    def _states(self, state: State, reset: bool) -> list[State]:
        states = [state]
        for k in range(len(self.moments) - 1):
            states.append(self.on(states[-1], k, reset))
        return states

    def on(self, state: State, k: int, reset: bool | None = None, count: Callable[[int], None] = int) -> State:
        """Read on from moment k to the next one."""
        for segment in self.segments[self.moments[k] : self.moments[k + 1]]:
            state = self._step(segment, state, reset)[1]
            count(len(state))
        return state

    def _step(self, segment: Segment, state: State, reset: bool | None) -> tuple[Step, State]:
        state = self._fresh(state) if (self.reset if reset is None else reset) else state
        return self.cell.step(self.model.backbone, Segment(segment.ids.expand(len(state), -1)), state)

    def to_end(self, state: State, k: int, reset: bool | None = None, count: Callable[[int], None] = int) -> Tensor:
        """Read on from moment k to the end: log probabilities (B, C) of the output's alternatives, in float64."""
        found = []
        for rows in state.split(ROWS):
            for i in range(k, len(self.moments) - 1):
                rows = self.on(rows, i, reset, count)
            for segment in self.segments[self.moments[-1] :]:
                step, rows = self._step(segment, rows, reset)
                count(len(rows))
            logits = step.logits if self.output.at is None else step.logits[:, self.output.at]
            found.append(logits.double().log_softmax(-1))
        return torch.cat(found)

    def measured(self, progress: Progress | None) -> Path:
        """All shares of the path."""
        m, last, words = self.plain[0].shape[1], len(self.moments) - 1, len(self.exchange.ids)
        left = [len(self.segments) - moment for moment in self.moments]
        most, done = m * sum(left) + min(m, SLOTS) * (words * left[0] + min(m, SLOTS) * sum(left[1:])), 0

        def count(rows: int) -> None:
            nonlocal done
            done += rows
            if progress:
                progress(min(done, most), most)

        mine, theirs = self.answers
        whole = self.to_end(torch.cat([self.plain[-1], self.other[-1]]), last)[:, [mine, theirs]]  # (2, 2)
        odds = whole[:, 0] - whole[:, 1]
        fall = float(odds[0] - odds[1])
        arrives = fall >= MOVED

        def shares(state: State, k: int) -> np.ndarray:  # (2, B): shares, and P(output)
            if not arrives:
                return np.stack([np.zeros(len(state)), np.full(len(state), float(whole[0, 0].exp()))])
            found = self.to_end(state, k, count=count)[:, [mine, theirs]]
            moved = (odds[0] - (found[:, 0] - found[:, 1])) / fall
            return torch.stack([moved, found[:, 0].exp()]).cpu().numpy()

        nodes = np.stack([shares(self._each(k), k) for k in range(last + 1)])  # (K, 2, M)
        passes = np.abs(nodes[:, 0]).max(0)
        few = max(min(int((passes >= LEAST).sum()), SLOTS), 1)
        edges = sorted(np.argsort(-passes, kind="stable")[:few].tolist())
        into = [shares(self._each(0, self._from_words([word]))[edges], 0) for word in range(words)]
        carry = []
        for k in range(last):
            after = self.on(self._each(k)[edges], k) if arrives else self.plain[k + 1].expand(few, -1, -1)
            rows = torch.cat([self._each(k + 1, state[None])[edges] for state in after])
            carry.append(shares(rows, k + 1).reshape(2, few, few))
        told, kept = np.array(into), np.array(carry).reshape(-1, 2, few, few)
        return Path(
            self.exchange, mine, theirs, self.moments, *whole.exp().cpu().numpy(), odds.cpu().numpy(), nodes[:, 0],
            tuple(edges), told[:, 0], kept[:, 0], nodes[last, 0, edges], told[:, 1], kept[:, 1], nodes[last, 1, edges],
            self._control(mine, theirs),
        )  # fmt: skip

    def _control(self, mine: int, theirs: int) -> np.ndarray:
        """The probabilities with memory reset before every segment: as it is, exchanged, all slots cut at a moment."""
        starts = [self.plain[0], self.other[0]]
        found = [self.to_end(state, 0, reset=True) for state in starts]
        found += [self.to_end(state, k, reset=True) for k, state in enumerate(self.other)]
        p = torch.cat(found)[:, [mine, theirs]].exp().cpu().numpy()
        return np.stack([p[0], p[1], p[2 + int(np.abs(p[2:, 0] - p[0, 0]).argmax())]])

    def _each(self, k: int, other: State | None = None) -> Tensor:
        """The state at moment k, a row for each slot, in which it is that of another state: (M, M, D).

        other: by default the exchanged run's at that moment.
        """
        state, other = self.plain[k], self.other[k] if other is None else other
        return torch.cat([self.cell.put(state, chosen(state, other, [slot])) for slot in range(state.shape[1])])

    def cut(self, edges: Sequence[Edge], reset: bool | None = None) -> np.ndarray:
        """P(output) and P(other) with these edges cut together: (2,)."""
        self._check(edges)
        mine, theirs = self.answers
        state = self.plain[0]
        for slot in {edge.slot for edge in edges if isinstance(edge, Into)}:
            words = [edge.word for edge in edges if isinstance(edge, Into) and edge.slot == slot]
            state = self.cell.put(state, chosen(state, self._from_words(words), [slot]))
        for k, moment in enumerate(self.moments[:-1]):
            cuts = [edge for edge in edges if isinstance(edge, Carry) and edge.at == moment]
            after = self.on(state, k, reset)
            for to in {edge.to for edge in cuts}:
                parents = [edge.slot for edge in cuts if edge.to == to]
                other = self.on(self.cell.put(state, chosen(state, self.other[k], parents)), k, reset)
                after = self.cell.put(after, chosen(after, other, [to]))
            state = after
        if read := [edge.slot for edge in edges if isinstance(edge, Read)]:
            state = self.cell.put(state, chosen(state, self.other[-1], read))
        return self.to_end(state, len(self.moments) - 1, reset)[0, [mine, theirs]].exp().cpu().numpy()

    def _check(self, edges: Sequence[Edge]) -> None:
        m, words = self.plain[0].shape[1], len(self.exchange.ids)
        for edge in edges:
            slots = [edge.slot, *([edge.to] if isinstance(edge, Carry) else [])]
            there = max(slots) < m and (not isinstance(edge, Into) or edge.word < words)
            if not there or (isinstance(edge, Carry) and edge.at not in self.moments[:-1]):
                raise InputError(f"The path has no edge {edge}: it has {words} words, {m} slots and the moments "
                                 f"{', '.join(map(str, self.moments))}.")  # fmt: skip


def _only_slots(cell: MemoryCell) -> bool:
    """Whether all that crosses a boundary is a tensor of slots."""
    state = None if cell.past else cell.initial(1)
    return isinstance(state, Tensor) and state.dim() == 3 and state.shape[1] > 0 and cell.slots(state) is state
