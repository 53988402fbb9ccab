"""Activation Beacon: beacon tokens with projections of their own condense every layer's view of a segment."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from threading import get_ident

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.errors import InputError
from rmt.memory.base import Mechanism, Step
from rmt.memory.transformer_xl import TransformerXL, decoder_only, read_beside
from rmt.text.segments import Segment

# The projections to queries, keys and values, by their names in the families of transformers.
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "qkv_proj", "c_attn", "query_key_value", "Wqkv")


class ActivationBeacon(TransformerXL):
    """Zhang et al. 2024 (arXiv 2401.03462): a sliding window whose past is condensed in every layer.

    After a segment stand n_memory beacon tokens, copies of one learned embedding. Beacon j sees the memory, the beacons
    before it and the first (j + 1) T / n_memory tokens (the stepwise expansion of the paper's first version, which
    appends beacons; the later one puts them among the tokens). Beacons have queries, keys and values by projections of
    their own, which begin as the backbone's. What every layer was given for them is kept, for the latest `kept`
    segments, and what it was given for the tokens is dropped. The state is (B, L, kept n_memory, D), oldest first; a
    position whose numbers are all zero is empty and masked. The ratio of condensing is fixed here, and drawn for each
    segment in the paper's training.
    """

    def __init__(
        self,
        dim: int,
        n_memory: int = 8,
        *,
        own: nn.ModuleList,
        n_layers: int,
        kept: int = 8,
        initial_std: float = 0.02,
    ):
        super().__init__(dim, n_memory, n_layers=n_layers)
        self.n_read, self.n_write, self.own = kept * n_memory, n_memory, own
        self.beacon = nn.Parameter(torch.randn(1, dim) * initial_std)

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "ActivationBeacon":
        decoder_only(cls, backbone)
        own = nn.ModuleList(nn.ModuleList(map(deepcopy, projections(layer))) for layer in backbone.layers)
        if not all(map(len, own)):
            raise InputError(
                "The projections to queries, keys and values of this family are not known by name, and beacons have "
                "copies of them; use gpt2 or llama."
            )
        return super().fit(backbone, own=own.requires_grad_(True), **options)

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_layers, self.n_read, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        t = segment.ids.shape[1]
        hidden = stepwise(self.n_read, t, self.n_memory, state.device)
        with self.own_projections(backbone, slice(self.n_read, self.n_read + t)):
            step, inputs = read_beside(
                backbone, segment, state, write=self.beacon.expand(self.n_memory, -1), blocked=lambda layer: hidden
            )
        return step, torch.cat([state, inputs[:, :, t:]], dim=2)[:, :, self.n_memory :]

    @contextmanager
    def own_projections(self, backbone: Backbone, tokens: slice) -> Iterator[None]:
        """Context in which all positions but the tokens are projected by the beacons' own weights."""
        thread = get_ident()

        def hook(own: nn.Module):
            def mixed(_, args: tuple, output: Tensor) -> Tensor:
                if get_ident() != thread:
                    return output
                x = args[0]
                before, after = (own(part.contiguous()) for part in (x[:, : tokens.start], x[:, tokens.stop :]))
                return torch.cat([before, output[:, tokens], after], dim=1)

            return mixed

        with ExitStack() as stack:
            for layer, copies in zip(backbone.layers, self.own, strict=True):
                for module, own in zip(projections(layer), copies, strict=True):
                    stack.callback(module.register_forward_hook(hook(own)).remove)
            yield


def projections(layer: nn.Module) -> list[nn.Module]:
    """A layer's projections to queries, keys and values, in order."""
    return [module for name, module in layer.named_modules() if name.rpartition(".")[2] in PROJECTIONS]


def stepwise(r: int, t: int, m: int, device=None) -> Tensor:
    """The mask (1, N, N), N = R + T + M, true where a beacon must not see a token: those after its own share."""
    n = r + t + m
    hidden = torch.zeros(1, n, n, dtype=torch.bool, device=device)
    ends = (torch.arange(1, m + 1, device=device) * t + m - 1) // m  # tokens that each beacon sees, rounded up
    hidden[:, r + t :, r : r + t] = torch.arange(t, device=device) >= ends[:, None]
    return hidden


# Nine blocks: read memory is the beacons of eight segments.
MECHANISM = Mechanism("beacon", ActivationBeacon, fresh={"n_memory": 8}, blocks=9, encoder=False)
