"""Try a model before it is called ready: read one segment, compare it with transformers' own output, record it."""

import os
import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rmt.checkpoint.build import check_width
from rmt.errors import InputError
from rmt.memory import CELLS, MECHANISMS
from rmt.model import Model
from rmt.recorder.watcher import Recorder
from rmt.text.segments import Segment

SHORT = 8  # tokens that show whether a model runs at all
MOST = 1024  # tokens at most of the segment that is read before a model is called ready
WINDOW = re.compile(r"window|local_attention|chunk_size")  # configuration keys that say how far a layer sees
NEAR = 1e-3  # largest difference from transformers' logits, relative to the largest logit; both round in float32


@dataclass(frozen=True)
class Trial:
    """The result of a trial: tokens read, and why attention cannot be recorded, None where it can."""

    tokens: int
    not_recorded: str | None = None
    no_memory: str | None = None  # why no untrained memory can be put around a model without one
    recurrent: bool = False  # a recurrent net has no attention, and is recorded without

    @property
    def details(self) -> list[str]:
        """The levels of detail that the model can be recorded at."""
        return ["memory"] if self.not_recorded or self.recurrent else ["memory", "summary", "thin"]


@torch.inference_mode()
def run(model: Model, length: int | None = None) -> None:
    """Read one segment and choose the attention that the model runs with: fused, or else the family's own.

    The family's own is for models whose attention does something that the fused kernel does not support.
    length: tokens of the segment, by default a few more than the longest window of a layer. Raises InputError with the
    reason where the segment cannot be read, where transformers gives other numbers, or where tokens see what they must
    not.
    """
    segment, backbone = Segment(_ids(model, length or _enough(model))), model.backbone
    try:
        _run(model, segment)
        if not backbone.fused or _record(model, segment) is None:
            return
        runs = True
    except InputError:
        if not backbone.fused:
            raise
        runs = False
    backbone.run_eagerly()
    try:
        _run(model, segment)
        better = not runs or _record(model, segment) is None
    except InputError as error:
        if not runs:
            raise error from None
        better = False
    if not better:
        backbone.run_fused()
    elif isinstance(spec := model.about.config.get("backbone"), dict):
        spec["eager"] = True


@torch.inference_mode()
def record_one(model: Model, length: int) -> Trial:
    """Read and record one whole segment; for a model without memory, also try an untrained memory around it."""
    length = min(length, MOST)
    run(model, length)
    segment, lacks = Segment(_ids(model, length)), model.about.config["cell"]["kind"] == "none"
    return Trial(
        length, _record(model, segment), _no_memory(model) if lacks else None, recurrent=model.backbone.recurrent
    )


def _enough(model: Model) -> int:
    """The number of tokens that a trial needs: a few, or more than the window that its layers see."""
    config = model.backbone.model.config
    windows = [v for k, v in vars(config).items() if WINDOW.search(k) and isinstance(v, int) and v > 0]
    return min(model.segment_length, max([SHORT, *(w + SHORT for w in windows if w < model.segment_length)]))


def _run(model: Model, segment: Segment) -> None:
    """Read a segment and check it: who sees whom, and without memory the numbers of transformers' own forward."""
    output, layout = _read(model, segment, head=False)
    _check_direction(model, segment, output.hidden[:, layout.tokens])
    output, _ = _read(model, segment)
    if type(model.cell) in (CELLS["none"], *(record.cell for record in MECHANISMS.values() if record.backbone)):
        _check_against_stock(model, segment, output)


def _record(model: Model, segment: Segment) -> str | None:
    """Why the attention of a segment cannot be recorded; None where it was."""
    if model.backbone.recurrent:
        return None
    recorder = Recorder(model.backbone)
    try:
        model.cell.step(recorder, segment, model.cell.initial(1))
        _check_maps(model, recorder)
    except InputError as error:
        return str(error).partition("; record it at")[0].removesuffix(".") + "."  # the report says at what
    except Exception as error:  # a family can raise anything when asked for its attention
        return f"{_name(model)} fails when it is asked for its attention ({_short(error)})."
    return None


def _no_memory(model: Model) -> str | None:
    """Why no untrained memory can be put around a model without one (None: it can); reads two short segments."""
    try:
        check_width(model.backbone, "rmt")
        cell = CELLS["rmt"].fit(model.backbone, n_memory=2)
        state = cell.initial(1)
        for _ in range(2):
            _, state = cell.step(model.backbone, Segment(_ids(model, SHORT)), state)
    except InputError as error:
        return str(error)
    except Exception as error:  # a family can raise anything
        return f"{_name(model)} fails when a memory stands beside its words ({_short(error)})."
    return None


def room_for(numbers: int) -> str | None:
    """Why a model of so many numbers cannot be tried on this machine in float32; None where it fits."""
    try:
        with open("/proc/meminfo") as file:
            free = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        try:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None
    if 4 * numbers < 0.9 * free:
        return None
    return (
        f"It was not tried: as float32 its numbers take {4 * numbers / 1e9:.1f} GB, and this machine has "
        f"{free / 1e9:.1f} GB free."
    )


def _ids(model: Model, length: int) -> Tensor:
    """Make ids (1, length) from the whole vocabulary without the configuration's special tokens."""
    config = model.backbone.model.config
    marks = [getattr(config, f"{n}_token_id", None) for n in ("pad", "bos", "eos", "sep", "cls", "mask", "unk")]
    marks = {i for mark in marks for i in (mark if isinstance(mark, list | tuple) else [mark])}
    size = model.backbone.model.get_input_embeddings().num_embeddings
    usable = [i for i in range(min(size, 1000)) if i not in marks] or [0]
    return torch.tensor([[usable[(7 * i + 3) % len(usable)] for i in range(length)]], device=model.device)


def _read(model: Model, segment: Segment, *, head: bool = True):
    """Read one segment from the initial state: (output, layout). Raises InputError where the model fails."""
    try:
        step, _ = model.cell.step(model.backbone, segment, model.cell.initial(1))
        if head and model.backbone.head != "none":
            step.logits  # noqa: B018  a head may fail, too
        return step.output, step.layout
    except InputError:
        raise
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a family can raise anything; the files may be sound
        raise InputError(
            f"{_name(model)} cannot be run here from word embeddings, as a memory needs it: it fails inside "
            f"transformers ({_short(error)}). The folder may be sound; this program does not know the family."
        ) from None


def _check_direction(model: Model, segment: Segment, rows: Tensor) -> None:
    """Raise InputError where a decoder's token sees the next one, or an encoder's does not."""
    if rows.shape[1] < 2:
        return
    other = segment.ids.clone()
    other[0, 1] = other[0, 2 if rows.shape[1] > 2 else 0]  # the adjacent token: layers may not see past a window
    after, layout = _read(model, Segment(other), head=False)
    change = (after.hidden[:, layout.tokens] - rows)[0, 0].abs().max()
    moved = bool(change > 1e-5 * rows.abs().max())
    if model.backbone.causal and moved:
        raise InputError(
            f"{_name(model)} is read here neither as a decoder, since its tokens see what comes after them, nor as an "
            "encoder, since transformers has no masked language model of its family, by which encoders are known here."
        )
    if not model.backbone.causal and not moved and bool((other != segment.ids).any()):
        raise InputError(
            f"{_name(model)} belongs to a family of encoders, and its tokens do not see what comes after them; this "
            "program would lay out its memory wrongly, so it is not run."
        )


def _check_against_stock(model: Model, segment: Segment, output) -> None:
    """Raise InputError where the model's own forward from ids, with its own attention, gives other numbers."""
    backbone, ids = model.backbone, segment.ids
    stock, stock_input = backbone.model, {"input_ids": ids}
    if not backbone.causal:
        mark = ids.new_full((1, 1), backbone.cls_id), ids.new_full((1, 1), backbone.sep_id)
        ids = torch.cat([mark[0], mark[1], ids, mark[1]], dim=1)
        padding = getattr(stock.config, "pad_token_id", None) in (backbone.cls_id, backbone.sep_id)
        stock_input = {"inputs_embeds": backbone.embed(ids)} if padding else {"input_ids": ids}
    try:
        theirs = _own(stock, backbone, stock_input)
    except Exception as error:  # a family that cannot read ids alone
        raise InputError(
            f"{_name(model)} cannot be run from token ids alone: it fails inside transformers ({_short(error)}). The "
            "folder may be sound; this program does not know the family."
        ) from None
    ours = output.hidden if backbone.head == "none" else output.logits
    if backbone.head in ("lm", "mlm"):
        theirs = theirs[:, -ours.shape[1] :] if backbone.causal else theirs[:, 2:-1]
    if theirs is None or theirs.shape != ours.shape:
        shape = None if theirs is None else tuple(theirs.shape)
        raise InputError(
            f"{_name(model)} gives something else than one row of numbers for each token or text ({shape}), so it is "
            "not run here."
        )
    gap = (ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-6)
    if not gap < NEAR:
        raise InputError(
            f"{_name(model)} gives other numbers here than by itself in transformers (off by {float(gap):.0e}): it "
            "does something with ids or attention that this program does not know, so it is not run."
        )


def _own(stock: nn.Module, backbone, given: dict[str, Tensor]) -> Tensor:
    """Run the stock model itself on an input, with eager attention: its logits, or hidden states without a head."""
    kind = stock.config._attn_implementation
    options = {"use_cache": False} if backbone.causal else {}
    try:
        if backbone.fused:
            stock.set_attn_implementation("eager")
        output = stock(**given, **options)
    finally:
        if backbone.fused:
            stock.set_attn_implementation(kind)
    return output.last_hidden_state if backbone.head == "none" else output.logits


def _check_maps(model: Model, recorder) -> None:
    """Raise InputError where recorded attention is not made of shares."""
    mass = recorder.all.mass
    if not mass.isfinite().all() or bool((mass < -1e-3).any()):
        raise InputError(f"{_name(model)} hands out attention that is no share of each row.")


def _name(model: Model) -> str:
    return type(model.backbone.model).__name__


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {ascii(str(error))[1:-1][:120]}"
