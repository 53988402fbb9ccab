"""A stock model whose layers are run by the caller: the parts before and after its layers, and modules run stacked."""

from copy import copy, deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from rmt.backbone.huggingface import HFBackbone
from rmt.backbone.protocol import Layout, Output


class Layerwise:
    """A Backbone without its layers: `enter` computes the first layer's input, `leave` turns the last one's output into
    the model's.

    The stock model is not changed: both run the forward of a shallow copy with a stand-in in place of its layers.
    """

    def __init__(self, backbone: HFBackbone):
        self.backbone, self.layers = copy(backbone), list(backbone.layers)
        self.stand_in = _StandIn()
        model = _put(backbone.model, backbone.layers, nn.ModuleList([self.stand_in]))
        self.backbone._modules = {**backbone._modules, "model": model}

    def enter(self, x: Tensor, **options) -> tuple[Tensor, tuple, dict]:
        """The first layer's arguments for the augmented input x (B, N, D): hidden, other positional ones, keywords."""
        self.backbone(x, **options)
        return self.stand_in.seen

    def leave(self, hidden: Tensor, x: Tensor, *, layout: Layout, **options) -> Output:
        """The output of a segment, from its last layer's output hidden (B, N, D)."""
        self.stand_in.given = hidden
        try:
            return self.backbone(x, layout=layout, **options)
        finally:
            self.stand_in.given = None


class _StandIn(nn.Module):
    """A stand-in for the layers: it stores its arguments in `seen` and returns `given`, by default its input."""

    def __init__(self):
        super().__init__()
        self.seen, self.given, self.as_tuple = None, None, False

    def forward(self, hidden_states: Tensor, *args, **kwargs):
        self.seen = hidden_states, args, kwargs
        output = hidden_states if self.given is None else self.given
        return (output,) if self.as_tuple else output


def _put(module: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """Copy a module shallowly with its descendant `old` replaced by `new`; all other parts are shared."""
    if module is old:
        return new
    children = {name: _put(child, old, new) for name, child in module._modules.items() if child is not None}
    if all(child is module._modules[name] for name, child in children.items()):
        return module
    replaced = copy(module)
    replaced._modules = {**module._modules, **children}
    return replaced


class FusedAttention(torch.autograd.Function):
    """Scaled dot-product attention whose vmap over layers is one larger batch; the CPU's kernel has no such vmap."""

    @staticmethod
    def forward(query, key, value, mask, causal, scale):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass  # there is no backward pass

    @staticmethod
    def vmap(info, in_dims, query, key, value, mask, causal, scale):
        assert in_dims[3] is None  # layers of one structure have one mask
        parts = [
            t.movedim(dim, 0) if dim is not None else t.expand(info.batch_size, *t.shape)
            for t, dim in zip((query, key, value), in_dims, strict=False)
        ]  # (L, B, H, N, d) each
        if mask is not None and len(mask) > 1:
            mask = mask.repeat(info.batch_size, 1, 1, 1)
        output = FusedAttention.forward(*(t.flatten(0, 1) for t in parts), mask, causal, scale)
        return output.unflatten(0, (info.batch_size, -1)), 0


class Stacked:
    """Modules of one structure run in one call: module i gets item i of every argument (n, ...).

    Their weights are copied into one stacked tensor a name, so that the products of all modules are one kernel.
    """

    def __init__(self, modules: list[nn.Module]):
        with torch.no_grad():
            self.weights = stack_module_state(modules)
        self.base = deepcopy(modules[0]).to("meta")

    def __call__(self, places: slice, *stacked: Tensor, **shared):
        """Run the modules of the slice `places` on arguments with one item a module; shared: the same for each."""
        weights = tuple({name: t[places] for name, t in part.items()} for part in self.weights)
        call = vmap(lambda state, *args: functional_call(self.base, state, args, shared), randomness="same")
        return call(weights, *stacked)
