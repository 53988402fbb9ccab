"""Recurrent nets read segment by segment as they read a whole text, and as transformers reads it."""

import pytest
import torch
from foreign import tiny

import rmt
from rmt.backbone.families import RECURRENT_NETS, backbone_config
from rmt.checkpoint.stock import HEADS, stock_config
from rmt.errors import InputError
from rmt.memory import CELLS, MECHANISMS
from rmt.memory.mamba import scan
from rmt.memory.rwkv import fading_mean
from rmt.recorder import record
from rmt.text.segments import Segment

KINDS = [kind for kind, made in MECHANISMS.items() if made.backbone]
IDS = torch.arange(2 * 29).reshape(2, 29) % 47 + 3


def read(model, length: int, ids=IDS):
    model.segment_length = length
    return model(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_segments_are_read_as_the_whole_text(kind):
    model = tiny(cell=kind).double()
    whole = read(model, 29)
    for length in (1, 2, 7):
        parts = read(model, length)
        assert torch.allclose(parts.logits, whole.logits, rtol=0, atol=1e-9)
        assert torch.allclose(parts.memory[:, -1], whole.memory[:, -1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_text_is_read_as_transformers_reads_it(kind):
    """transformers computes norms, fading and angles in float32 whatever the model's precision."""
    model = tiny(cell=kind).double()
    assert torch.allclose(read(model, 29).logits, model.backbone.model(IDS).logits, rtol=1e-5, atol=1e-5)


def test_a_window_that_is_shorter_than_the_text_is_kept_across_boundaries():
    model = tiny(cell="recurrent-gemma").double()
    wide = read(model, 29).logits
    for layer in model.backbone.layers:
        if hasattr(layer.temporal_block, "sliding_window"):
            layer.temporal_block.sliding_window = 6
    model.backbone.model.config.sliding_window = 6
    model.cell.width = max(sum(model.cell.sizes(layer)) for layer in model.backbone.layers)
    whole = read(model, 29).logits
    assert torch.allclose(read(model, 4).logits, whole, rtol=0, atol=1e-9)
    assert torch.allclose(whole, model.backbone.model(IDS).logits, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(whole, wide, atol=1e-3)


def test_a_fading_mean_is_the_papers_sum():
    """Eq. 16: sum of e^(-(t-1-i) w + k_i) v_i, and e^(u + k_t) v_t, over the same sum of weights."""
    torch.manual_seed(0)
    key, value = torch.randn(2, 1, 5, 3, dtype=torch.float64)
    decay, first = torch.randn(2, 3, dtype=torch.float64)
    seen, _, _ = fading_mean(
        key, value, decay, first, torch.zeros_like(key[:, 0]), torch.full_like(key[:, 0], -torch.inf)
    )
    for t in range(5):
        weight = torch.stack([key[0, i] - (t - 1 - i) * decay.exp() for i in range(t)] + [key[0, t] + first]).exp()
        assert torch.allclose(seen[0, t], (weight * value[0, : t + 1]).sum(0) / weight.sum(0), atol=1e-12)


def test_a_scan_goes_on_where_it_stopped():
    fade, added = torch.rand(2, 1, 6, 3, dtype=torch.float64)
    whole, last = scan(fade, added, added[:, 0])
    first, middle = scan(fade[:, :2], added[:, :2], added[:, 0])
    rest, end = scan(fade[:, 2:], added[:, 2:], middle)
    assert torch.equal(whole, torch.cat([first, rest], dim=1)) and torch.equal(last, end)


def test_what_a_recurrent_net_cannot_is_said():
    with pytest.raises(InputError, match="needs a backbone 'mamba'"):
        CELLS["mamba"].fit(tiny("llama").backbone)
    model, mask = tiny(cell="rwkv"), torch.ones_like(IDS)
    mask[0, :3] = 0
    with pytest.raises(InputError, match="no place for padding"):
        model.cell.step(model.backbone, Segment(IDS, mask=mask.bool()), model.cell.initial(2))
    for options in ({"layers": 1}, {"n_classes": 3}):
        with pytest.raises(InputError, match="two layers or more"):
            backbone_config(
                "rwkv", **{"layers": 2, "width": 16, "heads": 2, "vocabulary": 9, "positions": 9, **options}
            )


@pytest.mark.parametrize("family", RECURRENT_NETS)
def test_a_stock_recurrent_net_is_opened_with_its_own_state_where_that_is_wanted(tmp_path, family):
    spec = backbone_config(family, layers=3, width=16, heads=2, vocabulary=50, positions=64)
    stock = HEADS["lm"].from_config(stock_config(spec["config"])).eval()
    stock.save_pretrained(tmp_path)
    own = {"options": {"own_state": True}, "segment_length": 8}
    report = rmt.inspect(tmp_path, **own)
    assert report.ready and MECHANISMS[report.cell].backbone == family and report.details == ["memory"]
    for given in (tmp_path, stock):
        logits = rmt.load(given, device="cpu", **own)(IDS).logits
        assert torch.allclose(logits, stock(IDS).logits, atol=1e-4)
        with pytest.raises(InputError, match=f"is a {family}, a recurrent net.*own_state=yes"):
            rmt.load(given, segment_length=8)
    assert "however a text is cut" in rmt.inspect(tmp_path, options=own["options"]).missing[0]


def test_a_model_with_attention_has_no_state_of_its_own(tmp_path):
    spec = backbone_config("llama", layers=1, width=16, heads=2, vocabulary=50, positions=64)
    stock = HEADS["lm"].from_config(stock_config(spec["config"]))
    stock.save_pretrained(tmp_path)
    for given in (tmp_path, stock):
        with pytest.raises(InputError, match="no state of its own"):
            rmt.load(given, segment_length=8, options={"own_state": True})


@pytest.mark.parametrize("family", RECURRENT_NETS)
def test_memory_tokens_go_around_a_recurrent_net_too(family):
    """RMT's tokens are read and written by whatever mixes them; there are no maps to record."""
    config = backbone_config(family, layers=2, width=16, heads=2, vocabulary=50, positions=64)
    model = tiny(cell="rmt", backbone=config).double()
    output = model(IDS)
    assert output.memory.shape == (2, 5, 3, 16) and output.logits.isfinite().all()
    assert record(model, IDS[0]).meta["detail"] == "memory"
