"""The life of a fact: is it still there, segment by segment, for one run and over many.

A fact is asked for by branching: the question is put to a copy of the memory, and the run goes on as if nobody had
asked. *Capture* is being right at the first chance, after the segment that tells the fact; *retention* is being
right later still, of what was captured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rmt.causes.samples import INTERVENTION, Told, sampler_of, story_with_a_fact, told
from rmt.intervene import RESET, Progress, Reading, ask, read
from rmt.intervene.reading import chosen
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.model.processes import my_share, this_process, together
from rmt.tasks import looks
from rmt.tasks.questions import question_about
from rmt.text.tokenizer import encode


@dataclass(frozen=True)
class Fact:
    """What was told, tokens start to end of a document, and what to ask about it; answer is a class.

    until: where a later fact ends that answers the question anew; None where none does.
    """

    text: str
    start: int
    end: int
    question: str
    answer: int
    until: int | None = None


def find_facts(tokens: Sequence[str], classes: Sequence[str], task: str | None = None) -> list[Fact]:
    """The facts in a document of these token texts that can be asked for, in their order.

    task: whose facts; those of every task where it is none of ours.
    """
    text, ends = "".join(tokens), np.cumsum([len(token) for token in tokens])
    known = looks(task)
    found = sorted((match for look in known for match in look.pattern.finditer(text)), key=lambda match: match.start())
    facts = []
    for match in found:
        asked = question_about(match[0], [other[0] for other in found if other is not match], classes, known)
        if asked:
            start, end = np.searchsorted(ends, [match.start(), match.end() - 1], side="right")
            facts.append(Fact(match[0], int(start), int(end) + 1, *asked))
    return [replace(fact, until=_replaced(fact, facts[i + 1 :])) for i, fact in enumerate(facts)]


def _replaced(fact: Fact, later: Sequence[Fact]) -> int | None:
    """Where a later fact ends that answers the question of this one anew."""
    return next((other.end for other in later if other.question == fact.question), None)


@torch.inference_mode()
def ledger(model: Model, reading: Reading, facts: Sequence[Fact]) -> np.ndarray:
    """P(answer) of each fact if its question came now: (F, S + 1), before the first segment and after each."""
    rows = [ask(model, reading.states, _words(model, fact))[0, :, fact.answer].cpu().numpy() for fact in facts]
    return np.array(rows, np.float32).reshape(len(facts), len(reading.states))


@torch.inference_mode()
def slots_of(model: Model, state: State, fact: Fact, to: Tensor) -> np.ndarray:
    """How far P(answer) falls when a slot becomes what it is in `to` (M, D'), and for all slots: (M + 1,)."""
    cell, slots = model.cell, model.cell.slots(state)
    each = [*((slot,) for slot in range(slots.shape[1])), ()]
    states = [state, *(cell.put(state, chosen(slots, to.to(slots).expand_as(slots), which)) for which in each)]
    answers = ask(model, states, _words(model, fact))[0, :, fact.answer]
    return (answers[0] - answers[1:]).cpu().numpy()


@dataclass(frozen=True)
class Lives:
    """Facts of many runs, aligned at the segment that tells them.

    p (F, D + 2): P(answer) before that segment, after it and after each of D more, not a number from where a later
    fact answers the question anew; right (F, D + 2): whether it was the answer. facts: what was asked, one a row.
    states: each fact's memory `moment` segments after its own.
    """

    p: np.ndarray
    right: np.ndarray
    facts: list[Fact]
    states: State
    moment: int

    @property
    def distance(self) -> np.ndarray:
        """Segments since the fact's own, -1 before it."""
        return np.arange(self.p.shape[1]) - 1

    @property
    def lasting(self) -> np.ndarray:
        """(F, D + 2): where no later fact has answered the question anew."""
        return ~np.isnan(self.p)


@torch.inference_mode()
def lives(
    model: Model,
    *,
    samples: int = 200,
    segments: int = 16,
    seed: int = 0,
    reset: bool = False,
    moment: int = 1,
    batch: int = 50,
    progress: Progress | None = None,
) -> Lives:
    """Ask for every fact of fresh runs of the model's task, before it is told and after each of `segments` more.

    The first segment is distractor text; the story's facts stand anywhere in as many segments after it. reset: the
    control, whose memory is reset before every segment. progress(done, total) counts runs. Several processes share the
    runs.
    """
    sampler, rng, mine = sampler_of(model), np.random.default_rng([INTERVENTION, seed]), []
    process, processes, _ = this_process()
    for done in range(0, samples, batch):
        stories = [story_with_a_fact(rng, sampler.task) for _ in range(min(batch, samples - done))]
        over = max(len(story.facts) for story in stories)
        size = {"before": 1, "over": over, "after": segments, "length": model.segment_length}
        documents = [told(sampler, rng, story, **size) for story in stories]
        if own := documents[(process - done) % processes :: processes]:
            mine += _follow(model, own, segments, reset, moment)
        if progress:
            progress(min(done + batch, samples), samples)
    parts = together(mine)
    p, right = (np.concatenate([getattr(part, name) for part in parts]) for name in ("p", "right"))
    states = map_state(lambda *rows: torch.cat(rows).to(model.device), *(part.states for part in parts))
    return Lives(p, right, [fact for part in parts for fact in part.facts], states, moment)


def _follow(model: Model, documents: Sequence[Told], segments: int, reset: bool, moment: int) -> list[Lives]:
    """The facts of each document, their states on the host."""
    ids = np.stack([document.ids for document in documents])
    states = read(model, ids, standing=(RESET,) if reset else ()).states
    found = []
    for i, document in enumerate(documents):
        mine = [map_state(lambda part, i=i: part[i : i + 1], state) for state in states]
        facts, p, right, kept = facts_of(document), [], [], []
        for fact in facts:
            s = (fact.end - 1) // model.segment_length
            answers = ask(model, mine[s : s + segments + 2], _words(model, fact))[0]
            p.append(answers[:, fact.answer].cpu().numpy().copy())
            if fact.until is not None:
                p[-1][(fact.until - 1) // model.segment_length + 1 - s :] = np.nan
            right.append((answers.argmax(-1) == fact.answer).cpu().numpy())
            kept.append(mine[s + 1 + moment])
        joined = map_state(lambda *rows: torch.cat(rows).cpu(), *kept)
        found.append(Lives(np.array(p, np.float32), np.array(right), facts, joined, moment))
    return found


def facts_of(document: Told) -> list[Fact]:
    """A sample's facts that can be asked for, from what it was made of."""
    spans = [span for span in document.spans if span.kind == "fact"]
    found = []
    for k, (span, text) in enumerate(zip(spans, document.story.facts, strict=True)):
        if about := document.story.about(k):
            later = (i for i in range(k + 1, len(spans)) if about[0] in dict(document.story.answers[i + 1]))
            until = next((spans[i].end for i in later), None)
            found.append(Fact(text, span.start, span.end, *about, until))
    return found


@torch.inference_mode()
def ablations(model: Model, found: Lives) -> dict[str, list[float]]:
    """What becomes of the facts when slots become their mean over all these runs, `moment` segments after each fact.

    Slots are ranked by how far P(answer) falls on one half of the facts, and ablated together on the other half.
    Facts that were answered anew by then are left out.
    fall (M,): of one slot alone; whole: of all; alone (M,): share right with only that slot left; best and others
    (M + 1,): share right after the k best slots are ablated, and after the k worst; order: the best first, from 1.
    blank: the class that most facts are answered with when all slots are ablated, and the share of them: what is right
    for want of memory.
    """
    rows = np.flatnonzero(found.lasting[:, found.moment + 1])
    if len(rows) < len(found.facts):
        states = map_state(lambda part: part[rows], found.states)
        found = Lives(found.p[rows], found.right[rows], [found.facts[i] for i in rows], states, found.moment)
    cell, slots = model.cell, model.cell.slots(found.states)
    mean, n = slots.mean(0).expand_as(slots), slots.shape[1]
    answers = torch.tensor([fact.answer for fact in found.facts], device=slots.device)
    half = torch.arange(len(slots), device=slots.device) % 2 == 0
    own = my_share(range(len(slots)))
    mine, facts = map_state(lambda t: t[own], found.states), my_share(found.facts)

    def asked(which: Sequence[int]) -> Tensor:  # (F, C)
        state = cell.put(mine, chosen(slots[own], mean[own], which)) if len(which) else mine
        return torch.stack(together(list(ask_each(model, state, facts).cpu()))).to(slots.device)

    def right(which: Sequence[int], rows: Tensor) -> float:
        return float((asked(which).argmax(-1) == answers)[rows].float().mean())

    of = torch.arange(len(answers), device=slots.device)
    usual, each = asked([])[of, answers], [asked([slot])[of, answers] for slot in range(n)]
    falls = [usual - one for one in each]
    order = sorted(range(n), key=lambda slot: -float(falls[slot][half].mean()))
    blank = torch.bincount(asked(range(n)).argmax(-1), minlength=len(model.about.classes)).float() / len(answers)
    return {
        "fall": [float(fall.mean()) for fall in falls],
        "whole": float((usual - asked(range(n))[of, answers]).mean()),
        "alone": [right([other for other in range(n) if other != slot], half | ~half) for slot in range(n)],
        "best": [right(order[:k], ~half) for k in range(n + 1)],
        "others": [right(order[n - k :] if k else [], ~half) for k in range(n + 1)],
        "order": [slot + 1 for slot in order],
        "blank": {"answer": model.about.classes[int(blank.argmax())], "share": float(blank.max())},
    }


def ask_each(model: Model, state: State, facts: Sequence[Fact], batch: int = 64) -> Tensor:
    """Answers when each row of a state is asked its own fact: (F, C). Questions of one length go together."""
    words = [_words(model, fact) for fact in facts]
    found = torch.empty(len(facts), len(model.about.classes), device=model.device)
    for length in {len(w) for w in words}:
        rows = [i for i, w in enumerate(words) if len(w) == length]
        for some in (rows[i : i + batch] for i in range(0, len(rows), batch)):
            part = map_state(lambda t, some=some: t[some], state)
            found[some] = ask(model, [part], torch.stack([words[i] for i in some]))[:, 0]
    return found


def _words(model: Model, fact: Fact) -> Tensor:
    """The question's ids."""
    return torch.tensor(encode(model.tokenizer, fact.question), device=model.device)
