"""Summaries, gist tokens and beacons are what their papers say, exact in float64 on tiny models."""

import pytest
import torch
from readers import IDS, LENGTH, close, reader

from rmt.intervene.block import Blocking
from rmt.intervene.changes import Block
from rmt.memory.beacon import stepwise
from rmt.text.segments import Segment

CUTS = [(a, min(a + LENGTH, 29)) for a in range(0, 29, LENGTH)]


def on_embeddings(model, x, **options):
    """The stock model's last hidden states and logits on embeddings x (B, N, D), by transformers' own attention."""
    model.backbone.model.set_attn_implementation("sdpa")
    try:
        output = model.backbone.model(inputs_embeds=x, output_hidden_states=True, **options)
    finally:
        model.backbone.model.set_attn_implementation("rmt_thin")
    return output.hidden_states[-1], output.logits


@pytest.mark.parametrize("family", ["gpt2", "llama_gqa"])
def test_summaries_of_all_segments_so_far_are_a_soft_prompt(family):
    model, summaries = reader(family, "autocompressor", 2, kept=4), []
    logits = model(IDS).logits
    for a, b in CUTS:
        x = torch.cat([*summaries, model.backbone.embed(IDS[:, a:b]), model.cell.memory.expand(2, -1, -1)], dim=1)
        hidden, expected = on_embeddings(model, x)
        n = 2 * len(summaries)
        assert close(logits[:, a:b], expected[:, n : n + b - a])
        summaries.append(hidden[:, -2:])


def test_the_oldest_summaries_leave_first():
    some, all_ = (reader("llama_gqa", "autocompressor", 2, kept=kept) for kept in (2, 4))
    a, b = some(IDS), all_(IDS)
    assert close(a.logits[:, :24], b.logits[:, :24]) and not torch.allclose(a.logits[:, 24:], b.logits[:, 24:])
    assert close(a.memory[:, 3], b.memory[:, 3, -4:])


def test_rmt_with_separate_write_memory_keeps_one_summary():
    """Where the summaries of one segment alone are kept, the next ones are read from nothing but them."""
    one, rmt = reader("llama_gqa", "autocompressor", 3, kept=1), reader("llama_gqa", "rmt", 3, separate=True)
    rmt.cell.memory.copy_(one.cell.memory)
    rmt.cell.read_embedding.zero_()
    rmt.cell.always_read = False
    assert close(one(IDS).logits, rmt(IDS).logits) and close(one(IDS).memory, rmt(IDS).memory)


@pytest.mark.parametrize("family", ["llama_gqa", "gpt_neox"])
def test_gist_tokens_are_a_mask_over_the_whole_text(family):
    """What comes after gist tokens sees them and nothing before: one pass of the stock model, positions in order."""
    g, model = 3, reader(family, "gist", 3)
    parts, of, is_gist = [], [], []
    for s, (a, b) in enumerate(CUTS):
        parts += [model.backbone.embed(IDS[:, a:b]), model.cell.gist.expand(2, g, -1)]
        of += [s] * (b - a + g)
        is_gist += [False] * (b - a) + [True] * g
    n = len(of)
    seen = [[j <= i and (of[j] == of[i] or (of[j] == of[i] - 1 and is_gist[j])) for j in range(n)] for i in range(n)]
    bias = torch.zeros(n, n, dtype=torch.float64).masked_fill(~torch.tensor(seen), -torch.inf)
    _, whole = on_embeddings(model, torch.cat(parts, dim=1), attention_mask=bias.expand(2, 1, n, n))
    assert close(model(IDS).logits, whole[:, ~torch.tensor(is_gist)])


def test_what_gist_tokens_hold_climbs_one_layer_a_segment():
    model = reader("llama_gqa", "gist", 3)  # of three layers
    other = IDS.clone()
    other[:, :LENGTH] = other[:, :LENGTH].flip(1)
    a, b = model(IDS).logits, model(other).logits
    assert not torch.allclose(a[:, 16:24], b[:, 16:24], atol=1e-6) and close(a[:, 24:], b[:, 24:])


@pytest.mark.parametrize("family", ["gpt2", "llama_gqa"])
def test_one_beacon_with_the_backbones_projections_is_one_gist_token(family):
    beacon, gist = reader(family, "beacon", 1, kept=1), reader(family, "gist", 1)
    gist.cell.gist.copy_(beacon.cell.beacon)
    assert close(beacon(IDS).logits, gist(IDS).logits)
    more = reader(family, "beacon", 1, kept=2)
    more.cell.beacon.copy_(beacon.cell.beacon)
    assert close(more(IDS).logits[:, :16], gist(IDS).logits[:, :16])
    assert not torch.allclose(more(IDS).logits[:, 16:], gist(IDS).logits[:, 16:], atol=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "llama_gqa"])
def test_beacons_have_projections_of_their_own(family):
    model = reader(family, "beacon", 2)
    before = model(IDS).logits
    for weight in model.cell.own.parameters():
        weight.mul_(1.5)
    after = model(IDS).logits
    assert close(before[:, :LENGTH], after[:, :LENGTH]), "tokens are projected by the backbone"
    assert not torch.allclose(before[:, LENGTH:], after[:, LENGTH:], atol=1e-4)
    hooks = [module for module in model.backbone.modules() if module._forward_hooks or module._forward_pre_hooks]
    assert not hooks


def test_each_beacon_sees_its_share_of_the_tokens_and_all_before():
    hidden = stepwise(1, 7, 3)[0]
    assert [(~row[1:8]).sum().item() for row in hidden[8:]] == [3, 5, 7] and not hidden[:8].any()
    model = reader("llama_gqa", "beacon", 4)
    other = IDS[:, :LENGTH].clone()
    other[:, 4] = 9  # the fifth of eight tokens: the third of four beacons is the first to see it
    a, b = (model(ids).state[:, :, -4:] for ids in (IDS[:, :LENGTH], other))
    moved = ((a - b).abs() > 1e-9).any(-1).any(1)  # (B, 4)
    assert moved.tolist() == [[False, False, True, True]] * 2


def test_an_intervention_blocks_beside_what_a_memory_hides_itself():
    model = reader("llama_gqa", "beacon", 4)
    state = model(IDS[:, :LENGTH]).state
    blocking = Blocking(model.backbone, [Block(0, path="read")])
    other = IDS[:, LENGTH : 2 * LENGTH].clone()
    other[:, 4] = 9
    pair = [model.cell.step(blocking, Segment(ids), state) for ids in (IDS[:, LENGTH : 2 * LENGTH], other)]
    alone = model(IDS[:, LENGTH : 2 * LENGTH]).logits
    assert close(pair[0][0].logits, alone), "no token sees the beacons before its segment"
    moved = ((pair[0][1] - pair[1][1])[:, :, -4:].abs() > 1e-9).any(-1).any(1)
    assert moved.tolist() == [[False, False, True, True]] * 2, "and beacons still see their share alone"
