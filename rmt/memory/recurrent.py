"""The Recurrent Memory Transformer: memory tokens are read and written in each segment and carried to the next."""

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone, Layout, wide
from rmt.errors import InputError
from rmt.memory.base import Mechanism, MemoryCell, Step, choose
from rmt.text.segments import Segment

SHARPNESS = 8  # of gates, which so learn faster than other weights: without, they hardly moved in 300 steps


class RecurrentMemory(MemoryCell):
    """RMT of Bulatov et al. 2022 and 2024 (arXiv 2207.06881 eq. 3-5, arXiv 2304.11062 eq. 1-2).

    A decoder reads [read memory | tokens | write memory] under its plain causal mask, an encoder
    [CLS] memory [SEP] tokens [SEP]. The next state is the last hidden state of the write memory, after the
    final norm, fed back raw. The state is a tensor (B, M, D).

    as_words: feed the state back not raw but as a mean of word embeddings, weighted by the language model head's
    distribution for each slot. For pretrained decoders, whose hidden states differ in scale and kind from word
    embeddings (SmolLM2's are sixteen times as large), so that training learns to ignore them. The papers' memory is
    raw.

    separate: memory as in the package recurrent-memory-transformer-pytorch, for decoders: the write memory is the same
    learned tokens in every segment, and a learned embedding is added to the read memory. The first state is zeros.
    add_write_to_next_write_mem and always_have_read_memories are options of that package: whether the state is added to
    the write memory, too, and whether the read memory of the first segment, which is the embedding alone, is seen.

    gated: memory is written through gates, one for each number: state + gate * (last hidden state - state). A gate that
    is shut is exactly 0, so that what a segment does not change stays as it is to the last bit, however many segments
    follow. The papers' memory has no gates.
    """

    def __init__(
        self,
        dim: int,
        n_memory: int = 10,
        *,
        initial_std: float = 0.02,
        as_words: bool = False,
        separate: bool = False,
        add_write_to_next_write_mem: bool = False,
        always_have_read_memories: bool = True,
        gated: bool = False,
    ):
        super().__init__(dim, n_memory)
        self.memory = nn.Parameter(torch.randn(n_memory, dim) * initial_std)
        self.as_words, self.separate = bool(as_words), bool(separate)
        self.add_to_write, self.always_read = bool(add_write_to_next_write_mem), bool(always_have_read_memories)
        if self.separate:
            self.read_embedding = nn.Parameter(torch.randn(n_memory, dim) * initial_std)
        self.gate = Gate(dim) if gated else None

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "RecurrentMemory":
        if options.get("separate") and not backbone.causal:
            raise InputError(
                "Separate write memory is a decoder's; an encoder has one memory that is read and written."
            )
        if options.get("as_words") and backbone.head != "lm":
            raise InputError("Memory is read as words by the head of a causal language model, which this is not.")
        return super().fit(backbone, **options)

    def initial(self, batch: int) -> Tensor:
        memory = torch.zeros_like(self.memory) if self.separate else self.memory
        return memory.expand(batch, -1, -1)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        memory = words(backbone, state) if self.as_words else state
        if self.separate:
            x, layout, mask = self._separate_input(backbone, segment, memory)
        elif backbone.causal:
            x, layout, mask = decoder_input(backbone, segment, memory, memory)
        else:
            x, layout, mask = encoder_input(backbone, segment, memory)
        output = backbone(x, layout=layout, mask=mask)
        step = Step(output, layout)
        after = output.hidden[:, layout.write]
        if self.gate:
            after = state + gates(self.gate_logits(step)) * (after - state)
        return step, keep_unread(backbone, segment, after, state)

    def gate_logits(self, step: Step) -> Tensor:
        """The logits (B, M, D) of how far each number of memory is replaced after a segment: 0 is half."""
        return self.gate(step.output.hidden[:, step.layout.write])

    def _separate_input(
        self, backbone: Backbone, segment: Segment, state: Tensor
    ) -> tuple[Tensor, Layout, Tensor | None]:
        write = self.memory.expand(len(state), -1, -1)
        write = write + state if self.add_to_write else write
        x, layout, mask = decoder_input(backbone, segment, state + self.read_embedding, write)
        if self.always_read:
            return x, layout, mask
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask.bool()
        empty = (state == 0).all(-1)  # (B, M): what was never written is seen by nobody
        return x, layout, torch.cat([mask[:, layout.read] & ~empty, mask[:, layout.read.stop :]], dim=1)

    def slots(self, state: Tensor) -> Tensor:
        return state


class Gate(nn.Linear):
    """The logits (..., D) of gates, from vectors (..., D). At first all are nearly open, as if there were none."""

    def __init__(self, dim: int):
        super().__init__(dim, dim)
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, 2.0 / SHARPNESS)

    def forward(self, x: Tensor) -> Tensor:
        return SHARPNESS * super().forward(x)


def gates(logits: Tensor) -> Tensor:
    """How far gates with these logits are open: a sigmoid that is stretched and cut, so that it reaches 0 and 1.

    The gradient is that of the sigmoid itself, which is 0 nowhere: a gate that is shut can learn to open.
    """
    smooth = logits.sigmoid()
    return smooth + ((1.2 * smooth - 0.1).clamp(0, 1) - smooth).detach()


def words(backbone: Backbone, state: Tensor) -> Tensor:
    """The mean word embedding (B, M, D) under the head's distribution for each slot of state (B, M, D)."""
    distribution = wide(backbone.unembed(state.flatten(0, 1))).softmax(-1)  # (B M, V)
    return (distribution @ backbone.embeddings).view(state.shape)


def decoder_input(
    backbone: Backbone, segment: Segment, read: Tensor, write: Tensor
) -> tuple[Tensor, Layout, Tensor | None]:
    """Build a decoder's input [read | tokens | write] from memory tokens read (B, R, D) and write (B, W, D)."""
    x = backbone.embed(segment.ids)  # (B, T, D)
    r, t, w = read.shape[1], x.shape[1], write.shape[1]
    x = torch.cat([read, x, write], dim=1)  # (B, R + T + W, D)
    layout = Layout(slice(r, r + t), slice(0, r), slice(r + t, r + t + w))
    mask = segment.mask
    if mask is not None:
        mask = torch.cat([mask.new_ones(len(mask), r), mask, mask.new_ones(len(mask), w)], dim=1)
    return x, layout, mask


def encoder_input(backbone: Backbone, segment: Segment, memory: Tensor) -> tuple[Tensor, Layout, Tensor | None]:
    """Build an encoder's input [CLS] memory [SEP] tokens [SEP]; the second [SEP] follows the last real token.

    Padding comes after it.
    """
    ids, mask = segment.ids, segment.mask
    B, T = ids.shape  # noqa: N806
    m = memory.shape[1]
    ids = torch.cat([ids, ids.new_full((B, 1), backbone.sep_id)], dim=1)
    if mask is not None:
        ids[torch.arange(B, device=ids.device), mask.sum(1).long()] = backbone.sep_id
        mask = torch.cat([mask.new_ones(B, m + 3), mask], dim=1)  # one more real position, as many pads
    cls, sep = (backbone.embed(ids.new_full((B, 1), mark)) for mark in (backbone.cls_id, backbone.sep_id))
    x = torch.cat([cls, memory, sep, backbone.embed(ids)], dim=1)  # (B, 1 + M + 1 + T + 1, D)
    return x, Layout(slice(m + 2, m + 2 + T), slice(1, m + 1), slice(1, m + 1), answer=0), mask


def keep_unread(backbone: Backbone, segment: Segment, after, before):
    """The state after a segment; rows of an encoder without a token in the segment keep the state before.

    A decoder reads a segment of padding like any other, as the reference implementation does.
    """
    if backbone.causal or segment.mask is None:
        return after
    return choose(segment.mask.any(1), after, before)


MECHANISM = Mechanism("rmt", RecurrentMemory, fresh={"n_memory": 16})
