"""The model: backbone, memory cell, tokenizer and the cutting of documents into segments."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import Backbone, HFBackbone, wide
from rmt.backbone.internals import ModelOutput
from rmt.errors import InputError
from rmt.memory.base import MemoryCell, State
from rmt.model.unroll import unroll
from rmt.text.segments import IGNORE, Segment, split, split_each


@dataclass
class DocumentOutput(ModelOutput):
    """A model's output for a whole document.

    logits: (B, T, V) of a language model, (B, C) of a classifier after the last segment; None without `keep_logits`.
    loss: mean cross-entropy, where labels were given.
    memory: (B, S + 1, M, D) the slots before the first segment and after each.
    state: the state after the last segment.
    """

    logits: Tensor | None = None
    loss: Tensor | None = None
    memory: Tensor | None = None
    state: State | None = None


ANSWERS = ("one", "several", "score")  # how a head answers: one class, several classes, or a number


@dataclass
class About:
    """A model's description: its origin, task and classes.

    answers: the meaning of a classifier's logits, one of ANSWERS: one class of all, several independent classes, or a
        number.
    config: the configuration that `rmt.checkpoint.build.build` built it from; `rmt.checkpoint.save` writes it.
    """

    name: str = "model"
    task: str | None = None
    classes: list[str] = field(default_factory=list)
    source: str = "made in memory"
    fingerprint: str = ""
    trained: bool = True
    answers: str = "one"
    config: dict = field(default_factory=dict)


class Model(nn.Module):
    """A model that reads documents of any length segment by segment; it returns a `DocumentOutput`."""

    def __init__(
        self,
        backbone: HFBackbone,
        cell: MemoryCell,
        *,
        segment_length: int,
        alignment: str = "left",
        tokenizer: Tokenizer | None = None,
        about: About | None = None,
    ):
        super().__init__()
        self.backbone, self.cell = backbone, cell
        self.segment_length, self.alignment = segment_length, alignment
        self.tokenizer, self.about = tokenizer, about or About()
        self.around: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())  # special ids before and after a text

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def shares(self, logits: Tensor) -> Tensor:
        """Probabilities (..., C) of a classifier's logits (..., C): softmax, or a sigmoid each for several classes."""
        return logits.float().sigmoid() if self.about.answers == "several" else logits.float().softmax(-1)

    def _check_ids(self, ids) -> None:
        """Raise InputError for anything but token ids (B, T) of this model.

        On CUDA their values are checked only without gradients, as a training step would wait for the result.
        """
        if not isinstance(ids, Tensor) or ids.dim() != 2 or ids.is_floating_point() or ids.dtype == torch.bool:
            what = (
                f"a tensor {tuple(ids.shape)} of {ids.dtype}" if isinstance(ids, Tensor) else f"a {type(ids).__name__}"
            )
            raise InputError(
                f"A model reads token ids, a tensor (B, T) of whole numbers, and this is {what}; a text is read by "
                "record(model, text)."
            )
        if not ids.numel():
            raise InputError("There are no token ids to read; give at least one.")
        size = self.backbone.model.get_input_embeddings().num_embeddings
        if ids.is_meta:
            return
        looked = not ids.is_cuda or (not torch.is_grad_enabled() and not torch.cuda.is_current_stream_capturing())
        if looked and (int(ids.min()) < 0 or int(ids.max()) >= size):
            raise InputError(
                f"Token ids of this model are whole numbers from 0 to {size - 1}, and {int(ids.min())} to "
                f"{int(ids.max())} were given; make them with its own tokenizer."
            )

    def split(self, ids: Tensor, *, labels: Tensor | None = None, mask: Tensor | None = None) -> list[Segment]:
        """Cut ids (B, T) into segments: all rows at the same columns, but an encoder's padded rows each on its own."""
        if mask is not None and not self.backbone.causal:
            return split_each(ids, mask, self.segment_length, alignment=self.alignment)
        return split(ids, self.segment_length, labels=labels, mask=mask, alignment=self.alignment)

    def forward(
        self,
        ids: Tensor,
        labels: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        state: State | None = None,
        bptt_unroll: int | None = None,
        before: Callable[[int, State], State] | None = None,
        keep_logits: bool = True,
        backbone: Backbone | None = None,
        read: Callable = unroll,
    ) -> DocumentOutput:
        """Read documents ids (B, T) segment by segment.

        labels: (B, T) ids to predict for a language model (-100 where none is scored; shifted here, once), or
            (B,) class indices for a classifier, scored after the last segment.
        attention_mask: (B, T), true at real tokens.
        state, bptt_unroll, before: as in `unroll`.
        keep_logits: False where only a language model's memory and loss are needed; its head then runs at scored
            positions alone.
        backbone: a Backbone to use in place of the model's own, such as `rmt.backbone.last_layer.lean` of it.
        read: the loop over segments: `unroll`, or `rmt.model.cuda_graph.fast_unroll` with the same results.
        """
        head = self.backbone.head
        self._check_ids(ids)
        if labels is not None and head not in ("lm", "classify"):
            kind = type(self.backbone.model).__name__
            raise InputError(f"{kind} neither predicts the next token nor classifies, so it has no loss; omit labels.")
        classify = head == "classify"
        segments = self.split(ids, labels=None if classify else labels, mask=attention_mask)
        state = self.cell.initial(len(ids)) if state is None else state
        memory, logits, losses = [self.cell.slots(state)], [], []
        steps = read(
            self.cell, self.backbone if backbone is None else backbone, segments,
            state=state, bptt_unroll=bptt_unroll, before=before,
        )  # fmt: skip
        for i, (segment, step, next_state) in enumerate(steps):
            state = next_state
            memory.append(self.cell.slots(state))
            if classify:
                logits = [step.logits] if i == len(segments) - 1 else []
            elif keep_logits and head != "none":
                logits.append(step.logits)
            elif labels is not None:
                losses.append(step.output.token_loss(segment.labels))
        logits = torch.cat(logits, dim=-2) if logits else None
        loss = None
        if losses:
            loss = torch.cat(losses, dim=1).nanmean()
        elif labels is not None:
            targets = labels if classify else torch.cat([s.labels for s in segments], dim=1)
            loss = F.cross_entropy(wide(logits.flatten(0, -2)), targets.flatten(), ignore_index=IGNORE)
        return DocumentOutput(logits=logits, loss=loss, memory=torch.stack(memory, dim=1), state=state)
