"""Sparse attention, landmarks and nearest neighbours are what their papers say, exact in float64 on tiny models."""

from functools import cache

import numpy as np
import pytest
import torch
from readers import IDS, LENGTH, close, reader, stock
from references import expected, numbers
from torch.nn import functional as F
from transformers import LongformerConfig, LongformerModel
from unpacking import unpack

from rmt.memory.bigbird import drawn
from rmt.memory.landmark import Blocks
from rmt.memory.memorizing import MemorizingTransformer
from rmt.recorder import record, replay
from rmt.text.segments import Segment
from rmt.viewer.attention_slices import attention

LOW = -torch.inf
SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "type_vocab_size",
    "layer_norm_eps", "hidden_act",
)  # fmt: skip
HEADS = 4


def longformer(i, j, head, layer):
    step = 3 if head >= 2 else 1
    return j < 2 or ((i - j) % step == 0 and (i - j) // step < 4)


@cache
def draws(block, layer):
    return {int(drawn(torch.tensor(block), draw, layer)) for draw in range(2)}


def bigbird(i, j, head, layer):
    return j < 2 or j // 4 in {i // 4, i // 4 - 1, *draws(i // 4, layer)}


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


def test_an_encoder_of_one_segment_is_transformers_longformer():
    """Its global tokens, here the marks, have the weights of all others, as ours. Its softmax is of float32."""
    model = reader("bert", "longformer", 0, window=5, dilation=1)
    bert, ids = model.backbone.trunk, IDS[:, :23]
    sizes = {key: getattr(bert.config, key) for key in SIZES}
    rows = bert.config.max_position_embeddings
    config = LongformerConfig(
        **sizes, attention_window=[8] * bert.config.num_hidden_layers, max_position_embeddings=rows + 1, pad_token_id=0
    )
    other = LongformerModel(config, add_pooling_layer=False).double().eval()
    weights = {key: value for key, value in bert.state_dict().items() if not key.startswith("pooler")}
    table = weights.pop("embeddings.position_embeddings.weight")  # of its rows the first is for padding
    weights["embeddings.position_embeddings.weight"] = torch.cat([table[:1], table])
    for key in [key for key in weights if ".self." in key]:
        weights[key.replace("query", "query_global").replace("key", "key_global").replace("value", "value_global")] = (
            weights[key]
        )
    assert not other.load_state_dict(weights, strict=False).missing_keys
    cls, sep = (torch.full((2, 1), mark) for mark in (model.backbone.cls_id, model.backbone.sep_id))
    whole = torch.cat([cls, sep, ids, sep], dim=1)
    wide = torch.zeros_like(whole)
    wide[:, [0, 1, -1]] = 1
    with torch.no_grad():
        expected = other(whole, global_attention_mask=wide).last_hidden_state
        step, _ = model.cell.step(model.backbone, Segment(ids), model.cell.initial(2))
    assert torch.allclose(step.output.hidden, expected, rtol=0, atol=1e-6)
    narrow = reader("bert", "longformer", 0, window=4, dilation=1)
    step, _ = narrow.cell.step(narrow.backbone, Segment(ids), narrow.cell.initial(2))
    assert not torch.allclose(step.output.hidden, expected, rtol=0, atol=1e-3)


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


def test_neighbours_and_text_are_read_as_in_a_package_but_for_the_gate():
    """memorizing-transformers-pytorch has one softmax over both, so that a query has a gate of its own."""
    query = F.normalize(numbers("memorizing x", 2, 12, 16).unflatten(-1, (2, 8)).transpose(1, 2), dim=-1)
    key, value = (numbers("memorizing x", 2, 12, 16) @ (numbers("memorizing kv", 16, 16) / 4).T).chunk(2, dim=-1)
    far_key, far_value = numbers("memorizing memory", 2, 2, 9, 8)
    keys = F.normalize(torch.cat([far_key, key], dim=1), dim=-1)  # (B, 9 + 12, d)
    scores = query @ keys[:, None].transpose(-1, -2) * torch.e
    scores = scores.masked_fill(torch.ones(12, 21).triu(10).bool(), LOW)
    cell = MemorizingTransformer(16, 9, n_layers=1, n_heads=2, top=4).double()
    weights = cell.weigh(0, scores) * 2  # an open gate gives each half
    far, near = weights[..., :9] @ far_value[:, None], weights[..., 9:] @ value[:, None]
    gate = scores[..., :9].topk(4).values.logsumexp(-1) - scores[..., 9:].logsumexp(-1)
    gate = gate.sigmoid()[..., None]
    both = (gate * far + (1 - gate) * near).transpose(1, 2).flatten(2)
    assert close(both.detach(), expected("memorizing"))


def test_one_layer_has_neighbours_and_the_others_see_their_segment_alone():
    model = reader("llama_gqa", "memorizing", 24)
    assert model.cell.layer == 1, "three quarters up"
    logits, alone = model(IDS).logits, reader("llama_gqa", "none", 0)(IDS).logits
    assert close(logits[:, :LENGTH], alone[:, :LENGTH]) and not torch.allclose(logits, alone, atol=1e-4)
    model.cell.gate.fill_(-1e9)
    assert close(model(IDS).logits, alone), "a closed gate"
