"""Mechanisms side by side on one text: what crosses a boundary, what a segment costs, who sees whom, and the loss.

Everything here is measured: the size of states, the operations of a segment while it is read, and who sees whom by
changing one token after another.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rmt.backbone.families import backbone_config
from rmt.checkpoint.build import build
from rmt.checkpoint.stock import stock_config
from rmt.errors import InputError
from rmt.memory import CELLS, MECHANISMS
from rmt.memory.base import MemoryCell, State, map_state
from rmt.memory.context import ExactContext
from rmt.model import Model
from rmt.model.unroll import unroll
from rmt.text.segments import Segment

SEEN_SEGMENTS, SEEN_LENGTH = 4, 8  # segments, and tokens a segment, in the figure of who sees whom
VOCABULARY = 2048  # of untrained models
MOVED = 1e-9  # the least change that counts, in float64, of numbers of about 1
SMALL = {"layers": 4, "width": 128, "heads": 4, "vocabulary": VOCABULARY, "positions": 4096, "inner": 3}
# Options that count tokens of the text, in cells that keep tokens.
TOKENS = ("n_memory", "n_cache", "n_global", "window", "block", "stride", "passage")
KEEPS_TOKENS = tuple(kind for kind, record in MECHANISMS.items() if record.keeps_tokens)
FRESH = {kind: record.fresh for kind, record in MECHANISMS.items()}


@dataclass(frozen=True)
class Account:
    """The account of one mechanism on one text.

    numbers: the size of one document's state after each segment, in numbers; of exact context that is its token ids,
    all that has to be stored of a text. parameters: of the cell alone. operations: for one segment in the middle of a
    text, with the head, where a multiplication and an addition are two; whole attention maps are counted, as masked
    scores are computed, too. read, write: memory positions beside the tokens. seen: see `sight`. loss: mean over each
    segment's tokens in nats; empty for untrained models.
    """

    mechanism: str
    checkpoint: str
    options: dict
    segment_length: int
    numbers: list[int]
    parameters: int
    operations: int
    read: int
    write: int
    seen: list[list[int]]
    loss: list[float]

    def row(self) -> dict:
        return asdict(self)


def kind(cell: MemoryCell) -> str:
    """The name of a cell in CELLS."""
    return next(name for name, cls in CELLS.items() if type(cell) is cls)


def fresh(names: Iterable[str] = CELLS, *, backbone: dict | None = None, segment_length: int = 128) -> Iterator[Model]:
    """Yield mechanisms around the same untrained backbone, for measures that do not depend on training.

    backbone: {"head", "config"} of a decoder, by default a small Llama; a recurrent net is its own backbone, of the
    same layers and width. Caches hold the same number of segments whatever the segment length.
    """
    around = backbone or backbone_config("llama", **SMALL)
    for name in names:
        own = MECHANISMS[name].backbone
        spec = backbone_config(own, **_sizes(around)) if own else around
        options = _scaled(name, FRESH[name], segment_length / 128)
        config = {"cell": {"kind": name, "options": options}, "segment_length": segment_length, "backbone": spec}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield build(config).requires_grad_(False)


def _sizes(spec: dict) -> dict:
    """The sizes of a decoder {"head", "config"} as `backbone_config` takes them."""
    config = stock_config(spec["config"])
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return {
        "layers": config.num_hidden_layers, "width": config.hidden_size, "heads": config.num_attention_heads,
        "vocabulary": config.vocab_size, "positions": config.max_position_embeddings,
        "inner": max(1, inner // config.hidden_size),
    }  # fmt: skip


def _scaled(name: str, options: dict, scale: float) -> dict:
    """Scale the options that count tokens of the text."""
    counts = TOKENS if name in KEEPS_TOKENS else ()
    return {key: max(1, round(value * scale)) if key in counts else value for key, value in options.items()}


def aligned(models: Sequence[Model]) -> list[Model]:
    """Set all models to the shortest segment length among them, so that they cut the text in the same way.

    A model without memory that reads more at once becomes exact context, with the tokens beyond that length as state.
    """
    if not models:
        raise InputError("Give one checkpoint or more.")
    length = min(model.segment_length for model in models)
    same_length = []
    for model in models:
        cell = model.cell
        if kind(cell) == "none" and model.segment_length > length:
            cell = ExactContext.fit(model.backbone, n_memory=model.segment_length - length).to(model.device)
        elif model.segment_length != length:
            raise InputError(
                f"{model.about.name} reads segments of {model.segment_length} tokens and others of {length}, so they "
                "cannot be put side by side."
            )
        shortened = Model(model.backbone, cell, segment_length=length, tokenizer=model.tokenizer, about=model.about)
        same_length.append(shortened.eval().requires_grad_(False))
    return same_length


@torch.inference_mode()
def account(model: Model, ids: np.ndarray | Tensor) -> Account:
    """Measure one mechanism on a text, ids (n_tokens,) of two segments or more."""
    ids = torch.as_tensor(ids, device=model.device)[None]
    segments = model.split(ids, labels=ids)
    if len(segments) < 2:
        raise InputError("The text fits into one segment, so nothing crosses a boundary; give a longer one.")
    numbers, losses, states = [], [], [model.cell.initial(1)]
    for segment, step, state in unroll(model.cell, model.backbone, segments, state=states[0]):
        numbers.append(model.cell.n_memory if isinstance(model.cell, ExactContext) else count(state))
        states = [*states[-1:], state]
        losses.append(float(step.output.token_loss(segment.labels).nanmean()))
    cell, name = model.cell, kind(model.cell)
    whole = Segment(segments[0].ids)
    options = model.about.config.get("cell", {}).get("options", {}) if name == _said(model) else {}
    options = {**options, **{key: getattr(cell, key) for key in ("n_memory", *FRESH[name]) if hasattr(cell, key)}}
    return Account(
        mechanism=name,
        checkpoint=model.about.name if model.about.trained else "",
        options=options,
        segment_length=model.segment_length,
        numbers=numbers,
        parameters=sum(p.numel() for p in cell.parameters()),
        operations=operations(model, whole, states[0]),
        read=cell.n_read,
        write=cell.n_write,
        seen=sight(name, options, model.segment_length).tolist(),
        loss=[round(loss, 5) for loss in losses] if model.about.trained else [],
    )


def _said(model: Model) -> str | None:
    return model.about.config.get("cell", {}).get("kind")


def count(state: State) -> int:
    """Count the numbers in the state of one document."""
    sizes = []
    map_state(lambda tensor: sizes.append(tensor[0].numel()) or tensor, state)
    return sum(sizes)


def operations(model: Model, segment: Segment, state: State) -> int:
    """Count the operations of one step and its logits, with unfused attention, as the counter lacks CPU kernels."""
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        step, _ = model.cell.step(model.backbone, segment, state)
        step.logits  # noqa: B018  the head runs when its logits are used
    return counter.get_total_flops()


@torch.inference_mode()
def sight(name: str, options: dict, segment_length: int) -> np.ndarray:
    """Measure who sees whom in one layer: (Tn, Tn) whole numbers, a row for each token that looks.

    0: the token does not see the other. 1: it sees the other itself. n: it sees a slot that depends on the other and on
    n - 1 more tokens of earlier segments. The cell is run around one random layer on segments of `SEEN_LENGTH` tokens;
    its cache is scaled down with the segments.
    """
    model = _small(name, options, SEEN_LENGTH / segment_length)
    n = SEEN_SEGMENTS * SEEN_LENGTH
    ids = torch.arange(n).repeat(n + 1, 1)
    ids[1:] += n * torch.eye(n, dtype=torch.long)  # row j + 1 has another token at j
    memory, logits = [model.cell.slots(model.cell.initial(n + 1))], []
    for _, step, state in unroll(model.cell, model.backbone, model.split(ids)):
        memory.append(model.cell.slots(state))
        logits.append(step.logits)
    seen = _moved(torch.cat(logits, dim=1)).T.numpy().astype(int)  # (looks, is looked at)
    for s in range(1, SEEN_SEGMENTS):
        rows, past = slice(s * SEEN_LENGTH, (s + 1) * SEEN_LENGTH), slice(0, s * SEEN_LENGTH)
        slots_before = torch.cat(memory[1 : s + 1] if model.cell.past else memory[s : s + 1], dim=1)
        depends = _moved(slots_before).T.numpy()[:, past]  # (slots, tokens)
        shared = np.where(depends, depends.sum(1, keepdims=True), n).min(
            0, initial=n
        )  # of each token's least shared slot
        seen[rows, past] *= shared
    return seen


def _moved(values: Tensor) -> Tensor:
    """Where rows of (n + 1, K, D) differ from the first one: (n, K)."""
    return ((values[1:] - values[:1]).abs() > MOVED).any(-1)


def _small(name: str, options: dict, scale: float) -> Model:
    """Make a model of a cell with these options around one layer with random weights, in float64."""
    options = {key: value for key, value in _scaled(name, options, scale).items() if key != "initial_std"}
    if name not in KEEPS_TOKENS:
        options = {k: v for k, v in options.items() if k != "n_read"} | {"n_memory": 2}
    size, own = 2 * SEEN_SEGMENTS * SEEN_LENGTH, MECHANISMS[name].backbone
    sizes = {"layers": 1 + (own == "rwkv"), "width": 16, "heads": 2, "vocabulary": size, "positions": 4 * size}
    config = {
        "cell": {"kind": name, "options": {} if own else options},
        "segment_length": SEEN_LENGTH,
        "backbone": backbone_config(own or "llama", **sizes),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(config).double().requires_grad_(False)
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return model
