"""States that are written through gates, caches that deepen, and a net that is taught: the papers' equations.

And what packages of others compute, see tests/references.py.
"""

import pytest
import torch
from foreign import SEGMENT, tiny
from references import expected, numbers, put
from torch.nn import functional as F

from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.memory.recurrent import gates
from rmt.memory.titans import gradient, recall
from rmt.text.segments import Segment

IDS = torch.arange(2 * 29).reshape(2, 29) % 47 + 3
D = 16


@pytest.fixture(autouse=True)
def double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def close(a, b) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-12)


def levels(model, ids) -> list:
    """What the first layer is given and what every layer gives, for a segment alone."""
    seen, layers = [], model.backbone.layers
    hooks = [layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))]
    hooks += [layer.register_forward_hook(lambda _m, _a, out: seen.append(out)) for layer in layers]
    model.backbone.model(ids)
    for hook in hooks:
        hook.remove()
    return seen


def first_state(model):
    ids = IDS[:, :SEGMENT]
    return model.cell.step(model.backbone, Segment(ids), model.cell.initial(2))[1]


def test_ernie_doc_keeps_what_each_layer_made():
    model = tiny("llama", "ernie-doc", n_memory=SEGMENT).double()
    made = levels(model, IDS[:, :SEGMENT])
    assert close(first_state(model), torch.stack(made[1:], dim=1))
    other = tiny("llama", "transformer-xl", n_memory=SEGMENT).double()
    assert close(first_state(other), torch.stack(made[:-1], dim=1)), "and Transformer-XL what each was given"


def test_feedback_memory_is_a_mean_over_layers():
    model = tiny("llama", "feedback", n_memory=SEGMENT).double()
    shares = model.cell.shares.softmax(0)
    expected = sum(share * level for share, level in zip(shares, levels(model, IDS[:, :SEGMENT]), strict=True))
    assert close(first_state(model), expected)


def test_the_lowest_layer_reads_what_the_highest_made():
    """In one layer's depth: a token of the next segment moves with what only the last layer's output holds."""
    model = tiny("llama", "feedback", n_memory=4).double()
    model.cell.shares.copy_(torch.tensor([-50.0, -50.0, 50.0]))  # the last layer alone
    seen = []
    hook = model.backbone.layers[0].self_attn.register_forward_hook(lambda _m, _a, out: seen.append(out[0]))
    segment, state = Segment(IDS[:, :4]), torch.randn(2, 4, D)
    for one in (state, state + 0.1):
        model.cell.step(model.backbone, segment, one)
    hook.remove()
    assert not close(*(out[:, 4:] for out in seen))


def test_memformers_slots_are_written_alone():
    cell, hidden = CELLS["memformer"](D, 3), torch.randn(2, 5, D)
    state = cell.initial(2)
    written = cell.write(hidden, state)
    assert close(written.norm(dim=-1), torch.ones(2, 3))
    for m in range(3):  # equations 5 to 9 for one slot
        slot = state[:, m : m + 1]
        keys = torch.cat([cell.key(slot), cell.key(hidden)], dim=1)
        weights = (cell.query(slot) @ keys.transpose(1, 2) / D**0.5 / cell.tau).softmax(-1)
        value = weights @ torch.cat([cell.value(slot), cell.value(hidden)], dim=1) + cell.bias[m]
        assert close(written[:, m : m + 1], value / value.norm(dim=-1, keepdim=True))


@torch.no_grad()
def test_memformers_slots_attend_as_in_its_package():
    """With one head; the paper's sharpening and forgetting are not in the package, which has a GRU there."""
    cell = CELLS["memformer"](D, 3, tau=1.0)
    for name in ("query", "key", "value"):
        put(getattr(cell, name).weight, f"memformer {name}", scaled=True)
    written = cell.write(numbers("memformer hidden", 2, 5, D), numbers("memformer state", 2, 3, D))
    assert close(written, F.normalize(expected("memformer") + cell.bias, dim=-1))


@torch.no_grad()
def test_titans_net_is_taught_as_by_its_package():
    """Two segments, a chunk each, with one rate a segment, keys of length 1 and no norm around the net, as ours."""
    cell = CELLS["titans"](D, hidden=7)
    for name in ("first", "second"):
        put(getattr(cell, name), f"titans {name}", scaled=True)
    for name in ("key", "value"):
        put(getattr(cell, name).weight, f"titans {name}", scaled=True)
    put(cell.rates.weight, "titans rates", scaled=True)
    put(cell.rates.bias, "titans bias")
    cell.rates.weight[1] = 0.0  # the same pace for all segments
    state = cell.initial(2)
    for x in numbers("titans x", 2, 2, 12, D):
        state = cell.teach(x, state, None)
    for i, name in enumerate(("first", "second")):
        assert close(torch.stack([state[i], state[2 + i]]), expected(f"titans {name}"))


def test_the_net_of_titans_is_taught_by_its_gradient():
    cell = CELLS["titans"](D, hidden=7)
    key, value, weight = torch.randn(2, 5, D), torch.randn(2, 5, D), torch.rand(2, 5, 1)
    nets = [part.detach().clone().requires_grad_() for part in cell.initial(2)[:2]]
    loss = (weight * (recall(key, *nets) - value).square()).sum()
    for ours, theirs in zip(gradient(key, value, *nets, weight), torch.autograd.grad(loss, nets), strict=True):
        assert close(ours, theirs)


def test_titans_surprise_has_momentum_and_its_weights_fade():
    cell, x = CELLS["titans"](D, hidden=7), torch.randn(1, 5, D)
    with torch.no_grad():
        before = cell.teach(x, cell.initial(1), None)
        after = cell.teach(x, before, None)
        eta, theta, alpha = cell.rates(x.mean(1)).sigmoid()[0]
        pairs = F.normalize(cell.key(x), dim=-1), cell.value(x)
        slopes = gradient(*pairs, *before[:2], torch.full((1, 5, 1), 0.2))
        for i in range(2):
            surprise = eta * before[2 + i] - theta * slopes[i]
            assert close(after[2 + i], surprise) and close(after[i], (1 - alpha) * before[i] + surprise)


def test_a_taught_net_gives_back_what_it_was_told():
    cell, x = CELLS["titans"](D), torch.randn(1, 4, D)
    cell.rates.weight.data.zero_()
    cell.rates.bias.data.copy_(torch.tensor([2.0, 1.0, -9.0]))  # it keeps its direction and forgets little
    key, value, state = F.normalize(cell.key(x), dim=-1), cell.value(x), cell.initial(1)
    errors = []
    for _ in range(40):
        errors.append((recall(key, *state[:2]) - value).square().sum().item())
        state = tuple(part.detach() for part in cell.teach(x, state, None))
    assert errors[-1] < 0.2 * errors[0]


@pytest.mark.parametrize("kind", ["titans", "block-recurrent"])
def test_a_fresh_memory_leaves_a_pretrained_backbone_as_it_was(kind):
    model, alone = tiny("llama", kind).double(), tiny("llama", "none").double()
    getattr(model.cell, {"titans": "output", "block-recurrent": "beside"}[kind]).weight.zero_()
    alone.backbone.load_state_dict(model.backbone.state_dict())
    assert close(model(IDS).logits, alone(IDS).logits)


# The Block-Recurrent Transformer.


def block(**options):
    return CELLS["block-recurrent"](D, 3, n_layers=4, n_heads=2, d_head=8, **options)


@torch.no_grad()
def test_gates_are_the_papers():
    state, normed, key, value = torch.randn(2, 3, D), torch.randn(2, 3, D), *torch.randn(2, 2, 2, 5, 8)
    for gate in ("lstm", "fixed"):
        cell = block(gate=gate)
        after, carry, write = cell.update(normed, key, value, state)
        mine = [cell.split(part(normed)) for part in (cell.key, cell.value)]
        read = [
            F.scaled_dot_product_attention(cell.split(part(normed)), *pair)
            for part, pair in ((cell.own, mine), (cell.write, (key, value)))
        ]
        h = cell.out(torch.cat([cell.join(one) for one in read], dim=-1))
        z, *others = cell.gates(h).split(D, dim=-1)
        if gate == "lstm":
            i, f = others
            expected = state * (f + 1).sigmoid() + z.tanh() * (i - 1).sigmoid()
        else:
            expected = state * cell.kept.sigmoid() + z * (1 - cell.kept.sigmoid())
        assert close(after, expected) and close(carry.sum(-1), torch.ones(())) and close(write.sum(-1), torch.ones(()))


@torch.no_grad()
def test_a_state_is_read_and_written_as_by_its_package():
    """With one head, in which its one head of keys and values is ours too, and its fixed gate."""
    cell = CELLS["block-recurrent"](D, 3, n_layers=4, n_heads=1, d_head=8, gate="fixed")
    for name in ("read", "write", "own", "out", "gates", "key", "value"):
        put(getattr(cell, name).weight, f"block {name}", scaled=True)
    put(cell.gates.bias, "block gates bias", scaled=True)
    put(cell.kept, "block kept")
    put(cell.places, "block places")
    state, tokens = numbers("block state", 2, 3, D), numbers("block tokens", 2, 5, D)
    key, value = numbers("block kv", 2, 2, 5, 8)
    normed = cell.norm(state) + cell.places
    assert close(cell.join(cell.look(tokens, normed)[0]), expected("block read"))
    assert close(cell.update(normed, key[:, None], value[:, None], state)[0], expected("block written"))


def test_one_layer_has_the_state():
    model = tiny("llama", "block-recurrent").double()
    assert model.cell.layer == 1
    from rmt.recorder import record

    read = record(model, IDS[0], detail="thin").segments[1].read  # (L, H, T, M)
    assert not read[0].any() and (abs(read[1].astype(float).sum(-1) - 0.5) < 1e-3).all()
    with pytest.raises(InputError, match="lstm or fixed"):
        block(gate="open")
    with pytest.raises(InputError, match="from 0 to 3"):
        block(layer=4)


def gated(**options):
    """Two RMTs with the same weights, without gates and with them."""
    plain, model = tiny("llama").double(), tiny("llama", gated=True, **options).double()
    model.load_state_dict(plain.state_dict(), strict=False)
    return plain, model


def test_a_gated_rmt_replaces_as_much_of_each_number_as_its_gate_is_open():
    plain, model = gated()
    state = torch.randn(2, 3, D)
    step, after = model.cell.step(model.backbone, Segment(IDS[:, :SEGMENT]), state)
    candidate = plain.cell.step(plain.backbone, Segment(IDS[:, :SEGMENT]), state)[1]
    openness = torch.sigmoid(8 * F.linear(candidate, model.cell.gate.weight, model.cell.gate.bias))
    openness = (1.2 * openness - 0.1).clamp(0, 1)
    assert 0 < ((openness > 0) & (openness < 1)).double().mean() < 1
    assert close(gates(model.cell.gate_logits(step)), openness)
    assert close(after, (1 - openness) * state + openness * candidate)


def test_gates_that_are_shut_keep_memory_to_the_last_bit_and_open_ones_are_none():
    plain, model = gated()
    model.cell.gate.weight.zero_()
    model.cell.gate.bias.fill_(-1)
    assert torch.equal(model(IDS).state, model.cell.initial(2))
    model.cell.gate.bias.fill_(5)
    assert close(model(IDS).state, plain(IDS).state)


def test_a_gate_that_is_shut_has_a_gradient():
    model = gated()[1].requires_grad_(True)
    with torch.no_grad():
        model.cell.gate.bias.fill_(-0.5)
        model.cell.gate.weight.zero_()
    step, state = model.cell.step(model.backbone, Segment(IDS[:, :SEGMENT]), model.cell.initial(2))
    assert not gates(model.cell.gate_logits(step)).any()
    state.sum().backward()
    assert (model.cell.gate.bias.grad != 0).all()
