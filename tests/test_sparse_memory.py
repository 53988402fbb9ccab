"""Sparse attention, landmarks and nearest neighbours are what their papers say, exact in float64 on tiny models."""

import numpy as np
import pytest
import torch
from readers import IDS, LENGTH, close, reader, stock
from unpacking import unpack

from rmt.memory.bigbird import drawn
from rmt.memory.landmark import Blocks
from rmt.recorder import record, replay
from rmt.viewer.attention_slices import attention

LOW = -torch.inf
HEADS = 4


def longformer(i, j, head, layer):
    step = 3 if head >= 2 else 1
    return j < 2 or ((i - j) % step == 0 and (i - j) // step < 4)


def bigbird(i, j, head, layer):
    draws = {int(drawn(torch.tensor(i // 4), draw, layer)) for draw in range(2)}
    return j < 2 or j // 4 in {i // 4, i // 4 - 1, *draws}


def longnet(i, j, head, layer):
    return any(i // w == j // w and i % r == j % r == head % r for w, r in ((4, 1), (8, 2), (16, 4)))


def strided(i, j, head, layer):
    return (i - j) % 5 == 0 if head % 2 else i - j <= 5


PATTERNS = {
    "longformer": (longformer, {"window": 4, "dilation": 3, "n_global": 2}),
    "bigbird": (bigbird, {"block": 4, "n_random": 2, "n_global": 2}),
    "longnet": (longnet, {"window": 4, "ratio": 2, "levels": 3}),
    "sparse": (strided, {"stride": 5}),
}


def masked(model, pattern):
    """The stock model's logits under a pattern over the whole text, given to each layer as a mask of its own."""
    n, layers = IDS.shape[1], model.backbone.layers
    hooks = []
    for layer, module in enumerate(layers):
        sees = [[[i == j or pattern(i, j, h, layer) for j in range(n)] for i in range(n)] for h in range(HEADS)]
        bias = torch.zeros(HEADS, n, n, dtype=torch.float64).masked_fill(~torch.tensor(sees).tril(), LOW)

        def put(_, args, kwargs, bias=bias):
            return args, {**kwargs, "attention_mask": bias.expand(2, -1, -1, -1)}

        hooks.append(module.self_attn.register_forward_pre_hook(put, with_kwargs=True))
    try:
        return stock(model)
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("cell", PATTERNS)
def test_a_sparse_pattern_is_a_mask_over_the_whole_text(cell):
    pattern, options = PATTERNS[cell]
    model = reader("llama_gqa", cell, 24, **options)
    logits, whole = model(IDS).logits, masked(model, pattern)
    assert close(logits, whole) and not torch.allclose(whole, stock(model), atol=1e-4)


def test_a_longformer_needs_no_more_cache_than_its_windows_and_its_global_tokens():
    pattern, options = PATTERNS["longformer"]
    just, short = (reader("llama_gqa", "longformer", n, **options) for n in (2 + 9, 2 + 8))
    whole = masked(just, pattern)
    assert close(just(IDS).logits, whole) and not torch.allclose(short(IDS).logits, whole, atol=1e-5)


def test_random_blocks_are_earlier_ones_and_not_always_the_same():
    blocks = torch.arange(1, 500)
    draws = [drawn(blocks, draw, layer) for draw in range(2) for layer in range(2)]
    assert all(((draw >= 0) & (draw < blocks)).all() for draw in draws)
    assert all((a != b).float().mean() > 0.9 for i, a in enumerate(draws) for b in draws[:i])
    shares = torch.stack(draws) / blocks
    assert abs(shares.mean() - 0.5) < 0.05, "drawn from all of the text alike"


@pytest.mark.parametrize("cell", [*PATTERNS, "landmark", "memorizing"])
@pytest.mark.parametrize("family", ["llama_gqa", "gpt2"])
def test_padding_is_in_no_cache(cell, family):
    model, ids = reader(family, cell, 20), IDS[:, :16].clone()
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, 5:8] = False
    whole = model(ids, attention_mask=mask)
    ids[0, 5:8] = 7
    other = model(ids, attention_mask=mask)
    real = mask[..., None].expand_as(whole.logits)
    assert close(whole.logits[real], other.logits[real]) and close(whole.memory, other.memory)


# -- landmarks


def grouped(scores, marks, top):
    """The grouped softmax of one query by hand: scores of cached positions and of its own segment, in two lists."""
    far, near = scores[: len(marks)], scores[len(marks) :]
    blocks, block = [], []
    for i, mark in enumerate(marks):
        if not mark:
            block.append(i)
        else:
            blocks.append((i, block))
            block = []
    blocks = sorted((b for b in blocks if b[1]), key=lambda b: -far[b[0]])[: top or None]
    mass = sum(far[mark].exp() for mark, _ in blocks) + near.exp().sum()
    weights = torch.zeros(len(scores), dtype=torch.float64)
    weights[len(marks) :] = near.exp() / mass
    for mark, members in blocks:
        weights[members] = far[mark].exp() / mass * far[members].softmax(0)
    return weights


@pytest.mark.parametrize("top", [0, 1, 2])
def test_the_grouped_softmax(top):
    """Four blocks, the first cut down to its landmark, of which a query reads all or the best."""
    marks = torch.tensor([[0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1]]).bool()
    marks[0, 0] = True  # a landmark whose tokens have left
    n, r = 14, marks.shape[1]
    scores = torch.randn(1, 2, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(top)) * 2
    scores = scores.masked_fill(torch.ones(n, n).triu(1).bool(), LOW)
    scores[0, 1, :, 2] = LOW  # a token that may not be seen
    weights = Blocks(marks, torch.ones_like(marks), top).weigh(0, scores[:, :, r:])
    assert close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    for head in range(2):
        for query in range(r, n):
            assert close(weights[0, head, query - r], grouped(scores[0, head, query], marks[0], top))


def test_gradients_of_the_grouped_softmax_are_finite_and_reach_landmarks():
    model = reader("llama_gqa", "landmark", 20, top=1).requires_grad_(True)
    model(IDS, labels=IDS).loss.backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads) and model.cell.landmark.grad.any()


def test_all_blocks_end_at_the_same_position():
    marks = torch.tensor([[0, 0, 0, 1, 0, 0, 0, 1, 0, 1]]).bool()
    filled = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1, 1, 1]]).bool()
    blocks = Blocks(marks, filled)
    assert blocks.longest.tolist() == [[4]] and blocks.places[0, 2:].tolist() == [2, 3, 0, 1, 2, 3, 2, 3]


def test_blocks_far_back_are_read_like_near_ones():
    """Order between blocks does not count: a state with its blocks exchanged gives the same."""
    model = reader("llama_gqa", "landmark", 18)
    state = model(IDS[:, :16]).state
    turned = torch.cat([state[:, 9:], state[:, :9]], dim=1)
    a, b = (model(IDS[:, 16:24], state=s).logits for s in (state, turned))
    assert close(a, b) and not torch.allclose(a, model(IDS[:, 16:24]).logits, atol=1e-4)


def test_a_recorded_block_has_its_landmarks_weight():
    """The map of a replay sums to one a row and has nothing on landmarks, and what was recorded is a part of it."""
    model = reader("llama_gqa", "landmark", 18)
    trace = record(model, IDS[0], detail="thin")
    again = replay(model, trace, 2)
    read = torch.tensor(again.attention)[:, :, 18:, :18]
    assert close(torch.tensor(again.attention).sum(-1), torch.ones(3, 4, 18 + 9, dtype=torch.float64))
    assert not read[..., [8, 17]].any() and (read[:, :, :8].sum(-1) > 0).all()
    assert abs(torch.tensor(trace.segments[2].read.astype("f8")) - read[:, :, :8]).max() < 1e-3
    assert again.blocks.tolist() == [2] * 8 + [0] + [1] * 8 + [0], "segments back, landmarks in none"
    for how, layer, head in (("mean", None, None), ("max", 1, 2)):
        arrays = unpack(attention(trace, again, how=how, layer=layer, head=head))
        blocks = arrays["meta"]["blocks"]
        map_of = (read.mean((0, 1)) if layer is None else read[layer, head])[:8].numpy()  # (T, 18)
        weight, inside = arrays["block_weight"], arrays["block_inside"]
        assert [block["segment"] for block in blocks] == [0, 1]
        assert [block["tokens"] for block in blocks] == [trace.segments[s].tokens for s in (0, 1)]
        assert np.allclose(weight, [[row[:8].sum(), row[9:17].sum()] for row in map_of], atol=1e-6)
        assert np.allclose(weight[:, :1] * inside[:, :8], map_of[:, :8], atol=1e-6), "both factors make the map"
        assert np.allclose(inside[:, 8:].sum(1), 1, atol=1e-6)
    assert trace.meta["read_blocks"] and "block_weight" not in unpack(attention(trace, again, how="max"))
    first = unpack(attention(trace, replay(model, trace, 0)))
    assert not first["meta"]["blocks"] and "block_weight" not in first, "there is nothing before the first segment"
    other = record(reader("llama_gqa", "transformer-xl", 18), IDS[0], detail="memory")
    assert "read_blocks" not in other.meta


# -- nearest neighbours


@pytest.mark.parametrize("top", [1, 3, 50])
def test_the_nearest_keys_and_the_text_have_a_softmax_each_and_a_gate(top):
    model = reader("llama_gqa", "memorizing", 6, top=top)
    cell = model.cell
    cell.gate.copy_(torch.tensor([-1.0, 0.0, 1.0, 2.0]))
    scores = torch.randn(2, 4, 11, 11, dtype=torch.float64).masked_fill(torch.ones(11, 11).triu(1).bool(), LOW)
    scores[1, :, :, :6] = LOW  # nothing cached in one row
    scores[0, :, :, 0] = LOW  # an empty position
    weights, others = (cell.weigh(layer, scores[:, :, 6:]) for layer in (cell.layer, 0))
    for head, gate in enumerate(cell.gate.sigmoid()):
        for query in range(6, 11):
            local = scores[0, head, query, 6:].softmax(0)
            best = scores[0, head, query, 1:6].topk(min(top, 5))
            far = torch.zeros(6, dtype=torch.float64)
            far[best.indices + 1] = best.values.softmax(0)
            assert close(weights[0, head, query - 6], torch.cat([gate * far, (1 - gate) * local]))
            alone = torch.cat([torch.zeros(6), scores[1, head, query, 6:].softmax(0)])
            assert close(weights[1, head, query - 6], alone)
            assert close(others[0, head, query - 6], torch.cat([torch.zeros(6), local]))


def test_one_layer_has_neighbours_and_the_others_see_their_segment_alone():
    model = reader("llama_gqa", "memorizing", 24)
    assert model.cell.layer == 1, "three quarters up"
    logits, alone = model(IDS).logits, reader("llama_gqa", "none", 0)(IDS).logits
    assert close(logits[:, :LENGTH], alone[:, :LENGTH]) and not torch.allclose(logits, alone, atol=1e-4)
    model.cell.gate.fill_(-1e9)
    assert close(model(IDS).logits, alone), "a closed gate"
