"""How long a memory holds facts: P(answer) of each fact, segment by segment, in one run and over many.

A fact is asked for by branching: the question is read with a copy of the memory, and the run goes on without it.
*Capture*: the answer is right just after the segment that tells the fact. *Retention*: a captured fact is still
answered right later.
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
    """A fact of a document: its text, its tokens start to end, the question about it and the answer, a class.

    until: where a later fact ends that gives the question a new answer; None where there is none.
    """

    text: str
    start: int
    end: int
    question: str
    answer: int
    until: int | None = None


def find_facts(tokens: Sequence[str], classes: Sequence[str], task: str | None = None) -> list[Fact]:
    """Find the facts in a document, given as token texts, that a question can ask for, in their order.

    task: the task whose facts to find; those of every task where it is not one of this program's.
    """
    text, ends = "".join(tokens), np.cumsum([len(token) for token in tokens])
    known = looks(task)
    matches = sorted((m for look in known for m in look.pattern.finditer(text)), key=lambda match: match.start())
    facts = []
    for match in matches:
        pair = question_about(match[0], [other[0] for other in matches if other is not match], classes, known)
        if pair:
            start, end = np.searchsorted(ends, [match.start(), match.end() - 1], side="right")
            facts.append(Fact(match[0], int(start), int(end) + 1, *pair))
    return [replace(fact, until=_replaced(fact, facts[i + 1 :])) for i, fact in enumerate(facts)]


def _replaced(fact: Fact, later: Sequence[Fact]) -> int | None:
    """Where a later fact ends that answers the question of this one anew."""
    return next((other.end for other in later if other.question == fact.question), None)


@torch.inference_mode()
def ledger(model: Model, reading: Reading, facts: Sequence[Fact]) -> np.ndarray:
    """P(answer) of each fact, asked before the first segment and after each: (F, S + 1)."""
    rows = [ask(model, reading.states, _words(model, fact))[0, :, fact.answer].cpu().numpy() for fact in facts]
    return np.array(rows, np.float32).reshape(len(facts), len(reading.states))


@torch.inference_mode()
def slots_of(model: Model, state: State, fact: Fact, to: Tensor) -> np.ndarray:
    """How far P(answer) falls when a slot is replaced by that of `to` (M, D'); the last entry, all slots: (M + 1,)."""
    cell, slots = model.cell, model.cell.slots(state)
    each = [*((slot,) for slot in range(slots.shape[1])), ()]
    states = [state, *(cell.put(state, chosen(slots, to.to(slots).expand_as(slots), which)) for which in each)]
    answers = ask(model, states, _words(model, fact))[0, :, fact.answer]
    return (answers[0] - answers[1:]).cpu().numpy()


@dataclass(frozen=True)
class Lives:
    """Facts of many runs, aligned at the segment that tells them.

    p (F, D + 2): P(answer) before that segment, after it and after each of D more; NaN once a later fact gives the
    question a new answer. right (F, D + 2): whether the model's answer was right. facts: one a row. states: the memory
    `moment` segments after each fact's own.
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
        """Where no later fact has given the question a new answer: (F, D + 2)."""
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

    The first segment is distractor text; the facts stand anywhere in the next ones, as many as the longest story has
    facts. reset: the control, whose memory is reset before every segment. progress(done, total) counts runs. Several
    processes share the runs.
    """
    sampler, rng, parts_here = sampler_of(model), np.random.default_rng([INTERVENTION, seed]), []
    process, processes, _ = this_process()
    for done in range(0, samples, batch):
        stories = [story_with_a_fact(rng, sampler.task) for _ in range(min(batch, samples - done))]
        over = max(len(story.facts) for story in stories)
        size = {"before": 1, "over": over, "after": segments, "length": model.segment_length}
        documents = [told(sampler, rng, story, **size) for story in stories]
        if share := documents[(process - done) % processes :: processes]:
            parts_here += _follow(model, share, segments, reset, moment)
        if progress:
            progress(min(done + batch, samples), samples)
    parts = together(parts_here)
    p, right = (np.concatenate([getattr(part, name) for part in parts]) for name in ("p", "right"))
    states = map_state(lambda *rows: torch.cat(rows).to(model.device), *(part.states for part in parts))
    return Lives(p, right, [fact for part in parts for fact in part.facts], states, moment)


def _follow(model: Model, documents: Sequence[Told], segments: int, reset: bool, moment: int) -> list[Lives]:
    """Follow the facts of each document; the states returned are on the CPU."""
    ids = np.stack([document.ids for document in documents])
    states = read(model, ids, standing=(RESET,) if reset else ()).states
    followed = []
    for i, document in enumerate(documents):
        run_states = [map_state(lambda part, i=i: part[i : i + 1], state) for state in states]
        facts, p, right, states_then = facts_of(document), [], [], []
        for fact in facts:
            s = (fact.end - 1) // model.segment_length
            answers = ask(model, run_states[s : s + segments + 2], _words(model, fact))[0]
            p.append(answers[:, fact.answer].cpu().numpy().copy())
            if fact.until is not None:
                p[-1][(fact.until - 1) // model.segment_length + 1 - s :] = np.nan
            right.append((answers.argmax(-1) == fact.answer).cpu().numpy())
            states_then.append(run_states[s + 1 + moment])
        joined = map_state(lambda *rows: torch.cat(rows).cpu(), *states_then)
        followed.append(Lives(np.array(p, np.float32), np.array(right), facts, joined, moment))
    return followed


def facts_of(document: Told) -> list[Fact]:
    """The facts of a generated document that a question can ask for, from the story it tells."""
    spans = [span for span in document.spans if span.kind == "fact"]
    facts = []
    for k, (span, text) in enumerate(zip(spans, document.story.facts, strict=True)):
        if pair := document.story.about(k):
            later = (i for i in range(k + 1, len(spans)) if pair[0] in dict(document.story.answers[i + 1]))
            until = next((spans[i].end for i in later), None)
            facts.append(Fact(text, span.start, span.end, *pair, until))
    return facts


@torch.inference_mode()
def ablations(model: Model, records: Lives) -> dict[str, list[float]]:
    """Ablate slots, `moment` segments after each fact, to their mean over all these runs, and ask for the facts.

    Slots are ranked by how far P(answer) falls on one half of the facts, and ablated together on the other half.
    Facts whose question has a new answer by then are left out.
    fall (M,): of P(answer), for one slot alone; whole: for all; alone (M,): share right with only that slot left; best
    and others (M + 1,): share right after the k best slots are ablated, and after the k worst; order: slots, the best
    first, counted from 1. blank: the most frequent class when all slots are ablated, and its share: the control.
    """
    rows = np.flatnonzero(records.lasting[:, records.moment + 1])
    if len(rows) < len(records.facts):
        states = map_state(lambda part: part[rows], records.states)
        records = Lives(records.p[rows], records.right[rows], [records.facts[i] for i in rows], states, records.moment)
    cell, slots = model.cell, model.cell.slots(records.states)
    mean, n = slots.mean(0).expand_as(slots), slots.shape[1]
    answers = torch.tensor([fact.answer for fact in records.facts], device=slots.device)
    half = torch.arange(len(slots), device=slots.device) % 2 == 0
    here = my_share(range(len(slots)))
    states_here, facts_here = map_state(lambda t: t[here], records.states), my_share(records.facts)

    def answers_without(which: Sequence[int]) -> Tensor:  # (F, C)
        state = cell.put(states_here, chosen(slots[here], mean[here], which)) if len(which) else states_here
        return torch.stack(together(list(ask_each(model, state, facts_here).cpu()))).to(slots.device)

    def right(which: Sequence[int], rows: Tensor) -> float:
        return float((answers_without(which).argmax(-1) == answers)[rows].float().mean())

    f = torch.arange(len(answers), device=slots.device)
    intact, each = (
        answers_without([])[f, answers],
        [answers_without([slot])[f, answers] for slot in range(n)],
    )
    falls = [intact - ablated for ablated in each]
    order = sorted(range(n), key=lambda slot: -float(falls[slot][half].mean()))
    counts = torch.bincount(answers_without(range(n)).argmax(-1), minlength=len(model.about.classes))
    blank = counts.float() / len(answers)
    return {
        "fall": [float(fall.mean()) for fall in falls],
        "whole": float((intact - answers_without(range(n))[f, answers]).mean()),
        "alone": [right([other for other in range(n) if other != slot], half | ~half) for slot in range(n)],
        "best": [right(order[:k], ~half) for k in range(n + 1)],
        "others": [right(order[n - k :] if k else [], ~half) for k in range(n + 1)],
        "order": [slot + 1 for slot in order],
        "blank": {"answer": model.about.classes[int(blank.argmax())], "share": float(blank.max())},
    }


def ask_each(model: Model, state: State, facts: Sequence[Fact], batch: int = 64) -> Tensor:
    """Answer probabilities when each row of a state is asked for its own fact: (F, C).

    Questions of one length are asked in one batch.
    """
    words = [_words(model, fact) for fact in facts]
    probabilities = torch.empty(len(facts), len(model.about.classes), device=model.device)
    for length in {len(w) for w in words}:
        rows = [i for i, w in enumerate(words) if len(w) == length]
        for some in (rows[i : i + batch] for i in range(0, len(rows), batch)):
            part = map_state(lambda t, some=some: t[some], state)
            probabilities[some] = ask(model, [part], torch.stack([words[i] for i in some]))[:, 0]
    return probabilities


def _words(model: Model, fact: Fact) -> Tensor:
    """The question's ids."""
    return torch.tensor(encode(model.tokenizer, fact.question), device=model.device)
