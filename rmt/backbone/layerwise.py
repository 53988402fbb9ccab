"""A stock model whose layers are run by its caller: what comes before them and after them, and all of them at once."""

from copy import copy, deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from rmt.backbone.huggingface import HFBackbone
from rmt.backbone.protocol import Layout, Output


class Layerwise:
    """A Backbone cut open: `enter` gives what the first layer is given, `leave` makes the output of the last one's.

    The stock model is not changed: both run the forward of a shallow copy whose layers are one stand-in.
    """

    def __init__(self, backbone: HFBackbone):
        self.backbone, self.layers = copy(backbone), list(backbone.layers)
        self.stand_in = _StandIn()
        model = _put(backbone.model, backbone.layers, nn.ModuleList([self.stand_in]))
        self.backbone._modules = {**backbone._modules, "model": model}

    def enter(self, x: Tensor, **options) -> tuple[Tensor, tuple, dict]:
        """What the first layer is given for the augmented input x (B, N, D): hidden, further arguments, keywords."""
        self.backbone(x, **options)
        return self.stand_in.seen

    def leave(self, hidden: Tensor, x: Tensor, *, layout: Layout, **options) -> Output:
        """The output of a segment whose last layer gave hidden (B, N, D)."""
        self.stand_in.given = hidden
        try:
            return self.backbone(x, layout=layout, **options)
        finally:
            self.stand_in.given = None


class _StandIn(nn.Module):
    """Stands where the layers were: keeps what it is given and hands on what it was told to."""

    def __init__(self):
        super().__init__()
        self.seen, self.given, self.as_tuple = None, None, False

    def forward(self, hidden_states: Tensor, *args, **kwargs):
        self.seen = hidden_states, args, kwargs
        output = hidden_states if self.given is None else self.given
        return (output,) if self.as_tuple else output


def _put(module: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """A shallow copy of a module in which `new` stands for its descendant `old`; the rest is the same objects."""
    if module is old:
        return new
    children = {name: _put(child, old, new) for name, child in module._modules.items() if child is not None}
    if all(child is module._modules[name] for name, child in children.items()):
        return module
    made = copy(module)
    made._modules = {**module._modules, **children}
    return made


class FusedAttention(torch.autograd.Function):
    """Scaled dot-product attention that takes layers run at once as one larger batch; the CPU's kernel would not."""

    @staticmethod
    def forward(query, key, value, mask, causal, scale):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass  # nothing is learned here

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
    """Modules of one structure as one call: module i works on item i of every argument (n, ...).

    Their weights are copied into one tensor a name, so that a product of all of them is one kernel.
    """

    def __init__(self, modules: list[nn.Module]):
        with torch.no_grad():
            self.weights = stack_module_state(modules)
        self.base = deepcopy(modules[0]).to("meta")

    def __call__(self, places: slice, *stacked: Tensor, **shared):
        """What modules `places` make of arguments whose first axis counts them; shared: given to each as it is."""
        weights = tuple({name: t[places] for name, t in part.items()} for part in self.weights)
        call = vmap(lambda state, *args: functional_call(self.base, state, args, shared), randomness="same")
        return call(weights, *stacked)
