"""What memory carries of each fact of a text, and which answers depend on it: the effect of exchanging the fact.

The text is read once as it is and once for every fact with that fact exchanged for another one. A slot carries a fact
as far as it is another slot when the fact is exchanged, and an answer depends on a fact as far as it is another answer
then. Both numbers are effects of an intervention on the text; attention is not looked at.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.intervene import Progress, ask
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.text.segments import Segment

Text = Sequence[Sequence[int]]  # the token ids of each segment
AT_ONCE = 64  # segments read in one batch
START = b""  # the key of the initial state


@dataclass(frozen=True)
class Carried:
    """What a text of F facts leaves in M slots, and what Q questions are answered with C classes, at N boundaries.

    boundaries (N,): how many segments are read by then, 0 the first.
    slots (N, M, F): by how much a slot differs when the fact is exchanged: the length of the difference divided by the
        slot's own length, so 0 is no effect at all and about 1.4 another vector altogether.
    answers (N, 1 + F, Q, C): probabilities of the text as it is, then of the text with each fact exchanged.
    """

    boundaries: tuple[int, ...]
    slots: np.ndarray
    answers: np.ndarray

    @property
    def effects(self) -> np.ndarray:
        """(N, Q, F): how far the answer's probabilities move when a fact is exchanged, total variation, 0 to 1."""
        moved = np.abs(self.answers[:, 1:] - self.answers[:, :1]).sum(-1) / 2  # (N, F, Q)
        return moved.transpose(0, 2, 1)


class Known:
    """States and answers of one model that were computed before, so that an edit costs the segments after it.

    A state is known by the text that led to it: by the key of the state before its segment and the segment's tokens.
    most: how many states are kept, those used last.
    """

    def __init__(self, most: int = 20_000):
        self.most = most
        self.states: OrderedDict[bytes, State] = OrderedDict()
        self.answers: OrderedDict[tuple[bytes, tuple[int, ...]], np.ndarray] = OrderedDict()

    def make_room(self) -> None:
        """Forget what was not used for longest."""
        for table in (self.states, self.answers):
            while len(table) > self.most:
                table.popitem(last=False)


@torch.inference_mode()
def carried_facts(
    model: Model,
    text: Text,
    exchanged: Sequence[Text],
    questions: Sequence[Sequence[int]],
    *,
    reset: bool = False,
    at: Sequence[int] | None = None,
    known: Known | None = None,
    progress: Progress | None = None,
) -> Carried:
    """Read a text and its counterfactuals side by side, and put every question to the memory at every boundary.

    exchanged: for each fact the text with that fact exchanged, cut into as many segments. questions: token ids each;
    one is put alone to a copy of the state, as the segment that follows. reset: the control, in which every segment,
    the question's too, is read with the initial memory. at: the boundaries to look at, all of them by default.
    known: what was computed before with this model; only what is not in it is read. progress(done, total) counts
    segments. Raises InputError where texts differ in their number of segments, a segment is empty or too long, the
    memory grows with the text, or the model does not answer with classes.
    """
    rows = [[np.asarray(segment, np.int64) for segment in row] for row in (text, *exchanged)]
    _check(model, rows)
    known = Known() if known is None else known
    known.states[START] = map_state(Tensor.clone, model.cell.initial(1))
    boundaries = tuple(range(len(text) + 1) if at is None else at)
    keys, questions = _keys(rows, reset), [tuple(map(int, question)) for question in questions]
    todo = {
        mine[i + 1]: (START if reset else mine[i], segment)
        for row, mine in zip(rows, keys, strict=True)
        for i, segment in enumerate(row)
        if mine[i + 1] not in known.states and (i + 1 in boundaries or not reset)
    }
    _read(model, todo, known, progress)
    slots = [[model.cell.slots(known.states[mine[t]])[0] for mine in keys] for t in boundaries]
    asked = [[START if reset else mine[t] for mine in keys] for t in boundaries]
    _ask(model, [key for row in asked for key in row], questions, known)
    answers = [[[known.answers[key, question] for question in questions] for key in row] for row in asked]
    known.make_room()
    return Carried(boundaries, _differences(slots), np.array(answers, np.float64))


def _check(model: Model, rows: list[list[np.ndarray]]) -> None:
    if model.backbone.head != "classify" or model.about.answers == "score":
        raise InputError("This model does not answer questions, so no fact can be asked for.")
    if model.cell.past:
        raise InputError("This memory grows with the text, so texts cannot be read beside each other.")
    if len({len(row) for row in rows}) > 1:
        raise InputError("A text with a fact exchanged has as many segments as the text itself.")
    lengths = [len(segment) for row in rows for segment in row]
    if lengths and not 1 <= min(lengths) <= max(lengths) <= model.segment_length:
        raise InputError(f"A segment has 1 to {model.segment_length} tokens, not {min(lengths)} to {max(lengths)}.")


def _keys(rows: list[list[np.ndarray]], reset: bool) -> list[list[bytes]]:
    """What each text's state is known by at each boundary: all that was read by then, under reset the last segment.

    Texts that are the same so far share their states.
    """
    keys = []
    for row in rows:
        mine = [START]
        for segment in row:
            before = START if reset else mine[-1]
            mine.append(blake2b(before + segment.tobytes(), digest_size=16).digest())
        keys.append(mine)
    return keys


def _read(model: Model, todo: dict[bytes, tuple[bytes, np.ndarray]], known: Known, progress: Progress | None) -> None:
    """Read segments, each as soon as the state before it is there. todo: key after -> key before, the segment."""
    total = len(todo)
    while todo:
        ready = [key for key, (before, _) in todo.items() if before in known.states]
        length = len(todo[ready[0]][1])
        batch = [key for key in ready if len(todo[key][1]) == length][:AT_ONCE]
        states = map_state(lambda *parts: torch.cat(parts), *(known.states[todo[key][0]] for key in batch))
        ids = torch.from_numpy(np.stack([todo.pop(key)[1] for key in batch])).to(model.device)
        _, after = model.cell.step(model.backbone, Segment(ids), states)
        for i, key in enumerate(batch):
            known.states[key] = map_state(lambda part, i=i: part[i : i + 1].clone(), after)
        if progress:
            progress(total - len(todo), total)


def _ask(model: Model, keys: Sequence[bytes], questions: Sequence[tuple[int, ...]], known: Known) -> None:
    """Put to each state the questions that it was not asked before."""
    for question in questions:
        new = [key for key in dict.fromkeys(keys) if (key, question) not in known.answers]
        if new:
            words = torch.tensor(question, device=model.device)
            found = ask(model, [known.states[key] for key in new], words)[0].cpu().numpy()
            known.answers.update(((key, question), row) for key, row in zip(new, found, strict=True))


def _differences(slots: list[list[Tensor]]) -> np.ndarray:
    """(N, M, F) of slots (M, D') at each boundary of each text, the text as it is first."""
    found = []
    for own, *others in slots:
        size = own.double().norm(dim=-1).clamp_min(torch.finfo(torch.float64).tiny)
        moved = [(other.double() - own.double()).norm(dim=-1) / size for other in others]
        found.append(torch.stack(moved, -1) if moved else own.new_zeros(len(own), 0))
    return torch.stack(found).cpu().numpy()
