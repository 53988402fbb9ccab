"""Loss at every position of a segment, with more or less history: how much a memory lowers it, and where.

Every mechanism, history and control is scored on the same targets of held-out documents. Documents are the unit:
losses are averaged over a document's targets first, and standard errors are over documents.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rmt import memory
from rmt.errors import InputError
from rmt.evaluate.accuracy import PRECISIONS
from rmt.memory.context import ExactContext
from rmt.model import Model
from rmt.model.processes import my_share, this_process, together
from rmt.model.unroll import unroll
from rmt.tasks.language_model import Documents, Target
from rmt.text.segments import IGNORE, Segment, cuts

BEGINNING = 16  # first positions of a segment, where history helps most
CONTROLS = ("none", "reset", "other", "untrained")


@dataclass(frozen=True)
class Losses:
    """The losses of a mechanism: by_document (D, P) in nats, a row a document, a column a position.

    tail: the number of last positions with a mean of their own, where a target is more than one segment.
    """

    mechanism: str
    checkpoint: str
    control: str
    history: int
    targets: int
    by_document: np.ndarray
    tail: int | None = None

    def row(self) -> dict:
        """The row for results: means over documents and their standard errors."""
        per_position = self.by_document.mean(0), stderr(self.by_document)
        return {
            "mechanism": self.mechanism,
            "checkpoint": self.checkpoint,
            "control": self.control,
            "history": self.history,
            "documents": len(self.by_document),
            "targets": self.targets,
            "loss": [round(float(x), 5) for x in per_position[0]],
            "stderr": [round(float(x), 5) for x in per_position[1]],
            **{key: value for name, values in self.parts().items() for key, value in summary(name, values).items()},
        }

    def parts(self) -> dict[str, np.ndarray]:
        """Means of each document (D,): over all positions, the first ones, and the last ones where there is a tail."""
        means = {"mean": self.by_document.mean(1), f"first{BEGINNING}": self.by_document[:, :BEGINNING].mean(1)}
        if self.tail:
            means["last"] = self.by_document[:, -self.tail :].mean(1)
        return means


def stderr(values: np.ndarray) -> np.ndarray:
    """Standard error of the mean over the first axis, which counts documents."""
    return values.std(0, ddof=1) / np.sqrt(len(values))


def summary(name: str, values: np.ndarray) -> dict:
    """Summarise one number a document (D,) as {name: mean, name_stderr: standard error}."""
    return {name: round(float(values.mean()), 5), f"{name}_stderr": round(float(stderr(values)), 5)}


def score(
    model: Model,
    documents: Documents,
    targets: list[Target],
    *,
    length: int,
    history: int,
    control: str = "none",
    precision: str = "fp32",
    batch: int = 32,
    count: Callable[[int], None] | None = None,
) -> Losses:
    """Score a model: the loss at each of the `length` positions of the targets, after `history` times as many tokens.

    control: "reset" puts the initial memory back before every segment, "other" reads another document's history
    before each target; for "untrained" pass a model of fresh weights. count(tokens) is called after each batch.
    Several processes share the batches, which are made smaller where there are fewer of them than processes.
    """
    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision {precision!r}; choose {', '.join(PRECISIONS)}.")
    before = history * length
    ids = documents.read(targets, length, before)
    if control == "other":
        ids[:, :before] = ids[_elsewhere(targets), :before]
    dtype, losses = PRECISIONS[precision], []
    batch = min(batch, -(-len(ids) // this_process()[1]))
    for rows in my_share(np.split(ids, range(batch, len(ids), batch))):
        with torch.inference_mode(), torch.autocast(model.device.type, dtype, enabled=dtype is not None):
            losses.append(_target_losses(model, torch.from_numpy(rows).to(model.device), length, control == "reset"))
        if count:
            count(rows[:, 1:].size)
    losses = np.concatenate(together(losses))  # (targets, P)
    owners = np.array([target.document for target in targets])
    by_document = np.stack([losses[owners == document].mean(0) for document in np.unique(owners)])
    tail = model.segment_length if length > model.segment_length else None
    return Losses(mechanism(model, length), model.about.name, control, history, len(targets), by_document, tail)


def plain(model: Model, kind: str, n_memory: int) -> Model:
    """Make a model of the same backbone with a mechanism that has no weights of its own, such as a cache."""
    cell = memory.mechanism(kind).cell.fit(model.backbone, n_memory=n_memory)
    if any(True for _ in cell.parameters()):
        raise InputError(f"{kind} has weights of its own, which have to be trained; score a checkpoint of it.")
    spec = {"kind": kind, "options": {"n_memory": n_memory}}
    about = replace(model.about, config={**model.about.config, "cell": spec})
    model_with_cell = Model(
        model.backbone, cell, segment_length=model.segment_length, tokenizer=model.tokenizer, about=about
    )
    return model_with_cell.to(model.device).eval()


def mechanism(model: Model, length: int) -> str:
    """The cell's name in CELLS; a model without memory that reads more than the target at once has exact context."""
    kind = model.about.config["cell"]["kind"]
    return "context" if kind == "none" and model.segment_length > length else kind


def _target_losses(model: Model, ids: Tensor, length: int, reset: bool) -> np.ndarray:
    """The losses (B, length) at the last `length` positions of ids (B, n) that have a next token."""
    labels = ids[:, 1:].clone()
    labels[:, :-length] = IGNORE
    ids, state = ids[:, :-1], None
    initial = model.cell.initial(len(ids))
    past = ids[:, :-length]
    alone = reset or (isinstance(initial, Tensor) and not initial.numel())
    if model.segment_length <= length and (alone or isinstance(model.cell, ExactContext)):
        # History that cannot reach the target need not be read, and exact context's state is the history itself.
        ids, labels = ids[:, -length:], labels[:, -length:]
        state = initial if alone else _kept(model, past)
    bounds = cuts(ids.shape[1], model.segment_length, "right")  # so that the target ends a segment
    segments = [Segment(ids[:, a:b], labels[:, a:b]) for a, b in bounds]
    before = (lambda i, state: initial) if reset else None
    losses = [
        step.output.token_loss(segment.labels)
        for segment, step, _ in unroll(model.cell, model.backbone, segments, state=state, before=before)
        if (segment.labels != IGNORE).any()
    ]
    return torch.cat(losses, dim=1)[:, -length:].float().cpu().numpy()


def _kept(model: Model, past: Tensor) -> Tensor:
    """The state of exact context after `past` (B, n): the embeddings of its last tokens, empty before the first."""
    tokens = model.backbone.embed(past[:, -model.cell.n_memory :])
    return F.pad(tokens, (0, 0, model.cell.n_memory - tokens.shape[1], 0))


def _elsewhere(targets: list[Target]) -> np.ndarray:
    """For every target the index of a target in the next document; the first document follows the last."""
    owners = np.array([target.document for target in targets])
    documents, counts = np.unique(owners, return_counts=True)
    assert len(documents) > 1 and len(set(counts)) == 1, counts
    return np.roll(np.arange(len(targets)), -counts[0])


# -- comparisons


def difference(one: Losses, other: Losses) -> dict:
    """Compare two losses on the same targets, paired over documents.

    "gain": how much lower the loss of `one` is than that of `other`, in nats; "ratio": the gain over its standard
    error.
    """
    gains_by_part, others = {}, other.parts()
    for name, losses in one.parts().items():
        gains = others[name] - losses
        error = float(stderr(gains))
        gains_by_part[name] = {
            "gain": round(float(gains.mean()), 5),
            "stderr": round(error, 5),
            "ratio": round(float(gains.mean()) / error, 2) if error else None,
        }
    return {"of": _label(one), "against": _label(other), **gains_by_part}


def recovered(one: Losses, alone: Losses, exact: Losses) -> dict:
    """The fraction of exact context's gain over no memory that a memory reaches, with a jackknife error."""
    fractions = {}
    for name, losses in one.parts().items():
        gain, whole = (alone.parts()[name] - other for other in (losses, exact.parts()[name]))  # (D,)
        D = len(gain)  # noqa: N806
        without = (gain.sum() - gain) / (whole.sum() - whole)
        fractions[name] = {
            "fraction": round(float(gain.sum() / whole.sum()), 4),
            "stderr": round(float(np.sqrt((D - 1) / D * ((without - without.mean()) ** 2).sum())), 4),
        }
    return {"of": _label(one), "alone": _label(alone), "exact": _label(exact), **fractions}


def compare(all_losses: list[Losses]) -> Iterator[dict]:
    """Yield all comparisons: with other mechanisms of the same history, with controls, and with less history."""
    main = all_losses[0].mechanism
    by_key = {(one.mechanism, one.control, one.history): one for one in all_losses}
    histories = sorted({one.history for one in all_losses})
    for (mech, control, history), one in by_key.items():
        alone, exact = by_key.get(("none", "none", history)), by_key.get(("context", "none", history))
        if control == "none" and alone and mech != "none":
            yield {"kind": "against no memory", **difference(one, alone)}
        if control in ("reset", "other") and alone:
            yield {"kind": "control against no memory", **difference(one, alone)}
        if control != "none" and (mech, "none", history) in by_key:
            yield {"kind": "against its control", **difference(by_key[mech, "none", history], one)}
        if control == "none" and history > 0 and alone and exact and mech not in ("none", "context"):
            yield {"kind": "fraction of exact context", **recovered(one, alone, exact)}
    for less, more in pairwise(histories):
        one, other = by_key.get((main, "none", more)), by_key.get((main, "none", less))
        if one and other:
            yield {"kind": "more history", **difference(one, other)}


def _label(one: Losses) -> dict:
    return {"mechanism": one.mechanism, "control": one.control, "history": one.history}
