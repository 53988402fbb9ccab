"""Compute tests/packages.npz with packages of others, so that tests agree with them without having them installed.

    pip install --no-deps --target DIR performer-pytorch infini-transformer-pytorch reformer-pytorch memformer \
        block-recurrent-transformer-pytorch memorizing-transformers-pytorch titans-pytorch   (and what these import)
    PYTHONPATH=DIR python tests/tools/packages.py

Inputs are drawn in tests/references.py, by name. A package is used as it is; what had to be set or put in for the
comparison is said at each, and in the test.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))
from references import FILE, numbers

torch.set_default_dtype(torch.float64)
B, H, T, D_HEAD, D, M = 2, 2, 12, 8, 16, 3


def weight(name: str, *shape: int) -> Tensor:
    return numbers(name, *shape) / shape[-1] ** 0.5


def linear(name: str, n_out: int, n_in: int) -> nn.Linear:
    """A linear layer without bias, with weights of a name."""
    layer = nn.Linear(n_in, n_out, bias=False)
    layer.weight.data = weight(name, n_out, n_in)
    return layer


def performer() -> dict[str, Tensor]:
    """Causal linear attention, of elu + 1 and of the softmax kernel without its small constant."""
    from performer_pytorch import performer_pytorch as theirs

    query, key, value = numbers("qkv", 3, B, H, T, D_HEAD)
    plain = [F.elu(x) + 1 for x in (query, key)]
    options = {"projection_matrix": numbers("directions", 16, D_HEAD), "eps": 0.0}
    kernel = [theirs.softmax_kernel(x, is_query=i == 0, **options) for i, x in enumerate((query, key))]
    return {
        "linear-attention": theirs.causal_linear_attention_noncuda(*plain, value, eps=0.0),
        "performer": theirs.causal_linear_attention_noncuda(*kernel, value, eps=0.0),
    }


def infini() -> dict[str, Tensor]:
    """Its fast weights over segments of 4, with and without the delta rule. Its gate is the share of the segment."""
    from infini_transformer_pytorch import infini_transformer as theirs

    found = {}
    for delta in (False, True):
        fast, memories, outputs = theirs.FastweightMemory(heads=H, use_mem_delta_rule=delta), None, []
        fast.head_gates.data = -numbers("beta", H)
        for start in range(0, T, 4):
            query, key, value = numbers("qkv", 3, B, H, T, D_HEAD)[:, :, :, start : start + 4]
            local = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            outputs.append(fast.retrieve_and_add_to_output(local, query, memories))
            memories = fast.create_new_memories(key, value, memories)
        found[f"infini{' delta' if delta else ''}"] = torch.cat(outputs, dim=2)
    return found


def block_recurrent() -> dict[str, Tensor]:
    """Reading and writing of its state, with one head, in which it has one head of keys and values as ours, and fixed
    gates."""
    from block_recurrent_transformer_pytorch import block_recurrent_transformer_pytorch as theirs

    state = theirs.StateContainer(D, num_state_vectors=M, dim_head=D_HEAD, heads=1)
    for name, layer in (("read", state.q_to_state), ("write", state.q_from_state), ("own", state.state_to_q),
                        ("out", state.to_state_out), ("gates", state.state_out_to_gate)):  # fmt: skip
        layer.weight.data = weight(f"block {name}", *layer.weight.shape)
        if layer.bias is not None:
            layer.bias.data = weight(f"block {name} bias", *layer.bias.shape)
    state.state_to_kv.weight.data = torch.cat([weight(f"block {name}", D_HEAD, D) for name in ("key", "value")])
    state.state_pos_ids.data = numbers("block places", M, D)
    state.learned_ema_beta.data = -numbers("block kept", D)
    state.set_next_read_state(numbers("block state", B, M, D))
    read = state.read(numbers("block tokens", B, 5, D))
    return {"block read": read, "block written": state.write(memories=tuple(numbers("block kv", 2, B, 5, D_HEAD)))}


def reformer() -> dict[str, Tensor]:
    """One round with two buckets of half the text each, and the directions that it drew."""
    from reformer_pytorch import reformer_pytorch as theirs

    attention = theirs.LSHAttention(bucket_size=T // 2, n_hashes=1, causal=True, attend_across_buckets=False)
    query, value = numbers("reformer", 2, B, T, D_HEAD)
    torch.manual_seed(5)
    output, *_ = attention(query, value)
    torch.manual_seed(5)
    return {"reformer": output, "reformer directions": torch.randn(1, D_HEAD, 1, 1)[..., 0]}


class Exact:
    """An exact search in place of the package's index, which is of float32."""

    def __init__(self, key: Tensor, value: Tensor):
        self.key, self.value = key, value  # (B, R, d)

    def search(self, query: Tensor, top: int) -> tuple[Tensor, Tensor]:
        best = (query @ self.key[:, None].transpose(-1, -2)).topk(top, -1).indices  # (B, H, T, top)
        rows = torch.arange(len(query))[:, None, None, None]
        found = torch.stack([self.key[rows, best], self.value[rows, best]], dim=-2)
        return found, torch.ones(best.shape, dtype=torch.bool)

    def add(self, _memories) -> None:
        pass


def memorizing() -> dict[str, Tensor]:
    """Its attention to the best keys and to the segment, which have one softmax and no gate. Keys have length 1."""
    from memorizing_transformers_pytorch import memorizing_transformers_pytorch as theirs

    attention = theirs.KNNAttention(dim=H * D_HEAD, heads=H, dim_head=D_HEAD, num_retrieved_memories=4)
    attention.scale.data.fill_(1.0)  # a factor e
    attention.to_q, attention.to_out = nn.Identity(), nn.Identity()
    attention.to_kv = linear("memorizing kv", 2 * D_HEAD, H * D_HEAD)
    key, value = numbers("memorizing memory", 2, B, 9, D_HEAD)
    output, _ = attention(numbers("memorizing x", B, T, H * D_HEAD), knn_memory=Exact(F.normalize(key, dim=-1), value))
    return {"memorizing": output}


def memformer() -> dict[str, Tensor]:
    """The attention of its slots to themselves and to the segment, with one head; its gate is not the paper's."""
    from memformer import memformer as theirs

    attention = theirs.Attention(D, heads=1)
    attention.to_q = linear("memformer query", D, D)
    attention.to_kv.weight.data = torch.cat([weight(f"memformer {name}", D, D) for name in ("key", "value")])
    attention.to_kv.bias.data.zero_()
    attention.to_out = nn.Identity()
    own = torch.eye(M, dtype=torch.bool).expand(B, -1, -1)
    hidden = numbers("memformer hidden", B, 5, D)
    state, seen = numbers("memformer state", B, M, D), F.pad(own, (0, 5), value=True)
    return {"memformer": attention(state, hidden, mask=seen, attend_self=True)}


class Net(nn.Module):
    """The net of our Titans memory, for the package, which takes any."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(weight("titans first", D, 7))
        self.second = nn.Parameter(weight("titans second", 7, D))

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x @ self.first) @ self.second


class Unit(nn.Module):
    """Keys of length 1, as ours; the package has none or a norm with weights."""

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1)


def titans() -> dict[str, Tensor]:
    """The weights and surprises after two segments, a chunk each, with our net, keys of length 1 and one rate a segment
    in place of a token's."""
    from titans_pytorch.neural_memory import NeuralMemory

    memory = NeuralMemory(
        D, chunk_size=T, model=Net(), pre_rmsnorm=False, mem_model_norm_add_residual=False,
        store_memory_loss_fn=lambda one, other: (one - other).square().sum(-1),
        adaptive_step_transform=lambda step: step.sigmoid().mean(-1, keepdim=True).expand_as(step) / T,
    )  # fmt: skip
    memory.to_keys = nn.Sequential(linear("titans key", D, D), Unit())
    memory.to_values = linear("titans value", D, D)
    rates, bias = weight("titans rates", 3, D), numbers("titans bias", 3)
    for i, layer in enumerate((memory.to_momentum[0], memory.to_adaptive_step[0], memory.to_decay_factor[0])):
        layer.weight.data, layer.bias.data = rates[i : i + 1], bias[i : i + 1]
    memory.to_adaptive_step[0].weight.data.zero_()  # its rate is a token's, ours a segment's: here the same for all
    past, weights = None, None
    for x in numbers("titans x", 2, B, T, D):
        with torch.no_grad():
            _, state = memory.store_memories(x, weights, past, return_surprises=False)
        past = state.states
        weights = past[0]
    last, momentum = past
    return {f"titans {name}": part for name in ("first", "second")
            for part in [torch.stack([last[name], momentum[name][0]])]}  # fmt: skip


if __name__ == "__main__":
    stored = {}
    for made in (performer, infini, block_recurrent, reformer, memorizing, memformer, titans):
        with torch.no_grad() if made is not titans else torch.enable_grad():
            stored |= {name: part.detach().numpy() for name, part in made().items()}
    np.savez_compressed(FILE, **stored)
    print(f"{FILE}: {FILE.stat().st_size / 1e3:.1f} kB, {', '.join(stored)}")
