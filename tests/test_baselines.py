"""The mechanisms that memory is compared with do what their papers say, exact in float64 on tiny models."""

import pytest
import torch
from foreign import tiny
from readers import IDS, LENGTH, close, reader, stock

from rmt.checkpoint import inspect, load, save
from rmt.errors import InputError
from rmt.memory import CELLS, MECHANISMS
from rmt.text.segments import Segment

ROTARY = ["llama_gqa", "gpt_neox"]


@pytest.mark.parametrize("family", ["gpt2", "opt", "falcon", "gptj", *ROTARY])
@pytest.mark.parametrize("n_memory", [24, 40])
def test_transformer_xl_with_a_cache_as_long_as_the_text_is_full_attention(family, n_memory):
    model = reader(family, "transformer-xl", n_memory)
    assert close(model(IDS).logits, stock(model))


def test_a_shorter_cache_is_not():
    model = reader("llama_gqa", "transformer-xl", 12)
    logits, whole = model(IDS).logits, stock(model)
    assert close(logits[:, :16], whole[:, :16]), "until then nothing has left the cache"
    assert not torch.allclose(logits[:, 24:], whole[:, 24:], atol=1e-4)


def test_a_full_cache_of_learned_positions_has_some_of_them_twice():
    """A cached token keeps the position it was read at, and a text may be longer than any table."""
    model = reader("gpt2", "transformer-xl", 16)
    logits, whole = model(IDS).logits, stock(model)
    assert close(logits[:, :24], whole[:, :24])
    last, short = model(IDS).logits[:, 24:], stock(model, position_ids=torch.arange(29).clamp(max=20).expand(2, -1))
    assert not torch.allclose(last, whole[:, 24:], atol=1e-4) and last.shape == short[:, 24:].shape


@pytest.mark.parametrize("compress", ["mean", "conv"])
def test_compressive_with_rate_1_is_transformer_xl_with_the_joined_cache(compress):
    one = reader("llama_gqa", "compressive", 10, n_cache=9, rate=1, compress=compress)
    other = reader("llama_gqa", "transformer-xl", 19)
    a, b = one(IDS), other(IDS)
    assert close(a.logits, b.logits) and close(a.memory, b.memory)
    assert not close(reader("llama_gqa", "compressive", 10, n_cache=9, rate=2)(IDS).logits, b.logits)


@pytest.mark.parametrize("compress", ["mean", "conv"])
def test_what_leaves_the_cache_is_pressed_rate_to_one(compress):
    model = reader("llama_gqa", "compressive", 3, n_cache=5, rate=4, compress=compress)
    cell, kept = model.cell, torch.randn(2, 3, 10, model.backbone.dim, dtype=torch.float64)
    kept[0, :, :5] = 0  # nothing there yet
    pressed = cell.press(kept)
    assert pressed.shape[2] == 3  # two groups of four and one of two
    assert close(pressed[1, :, 0], kept[1, :, :4].mean(1)) and close(pressed[1, :, 2], kept[1, :, 8:].mean(1))
    assert not pressed[0, :, 0].any() and close(pressed[0, :, 1], kept[0, :, 5:8].mean(1)), "empty does not count"


def test_a_convolution_learns_from_the_segments_that_read_what_it_made():
    def moved(bptt_unroll: int) -> bool:
        model = reader("llama_gqa", "compressive", 4, n_cache=4, rate=2, compress="conv").requires_grad_(True)
        model(IDS[:, :24], labels=IDS[:, :24], bptt_unroll=bptt_unroll).loss.backward()
        return any(p.grad is not None and bool(p.grad.any()) for p in model.cell.parameters())

    assert moved(3) and not moved(1)


@pytest.mark.parametrize("family", ["gpt2", "llama_gqa", "bert"])
def test_memory_transformer_on_one_segment_is_rmt_on_one_segment(family):
    models = [reader(family, cell, 3) for cell in ("memory-transformer", "rmt")]
    heads = [model(IDS[:, :LENGTH]).logits for model in models]
    assert torch.equal(models[0].cell.memory, models[1].cell.memory)
    assert close(*heads)
    whole = [model(IDS[:, : 2 * LENGTH]).logits for model in models]
    assert not torch.allclose(*whole, atol=1e-6), "only one of them remembers"


@pytest.mark.parametrize("family", ROTARY)
@pytest.mark.parametrize("n_memory", [3, 11])
def test_a_sliding_window_is_a_banded_mask_over_the_whole_text(family, n_memory):
    model = reader(family, "sliding-window", n_memory)
    band = torch.ones(29, 29, dtype=torch.bool).tril().triu(-n_memory)
    bias = torch.zeros(29, 29, dtype=torch.float64).masked_fill(~band, -torch.inf)
    assert close(model(IDS).logits, stock(model, attention_mask=bias.expand(2, 1, 29, 29)))


@pytest.mark.parametrize("family", ["gpt2", "opt", *ROTARY])
@pytest.mark.parametrize("n_memory", [5, 12])
def test_exact_context_is_the_stock_model_on_history_and_segment(family, n_memory):
    model = reader(family, "context", n_memory)
    logits = model(IDS).logits
    for start in range(0, 29, LENGTH):
        before = max(start - n_memory, 0)
        whole = stock(model, IDS[:, before : start + LENGTH])
        assert close(logits[:, start : start + LENGTH], whole[:, start - before :])


@pytest.mark.parametrize("cell", ["transformer-xl", "compressive", "sliding-window", "context"])
def test_padding_is_never_remembered(cell):
    """A decoder's padded positions are empty in the state, and what follows does not see them."""
    model, ids = reader("llama_gqa", cell, 20), IDS[:, :16].clone()
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, 5:8] = False
    whole = model(ids, attention_mask=mask)
    ids[0, 5:8] = 7
    other = model(ids, attention_mask=mask)
    real = mask[..., None].expand_as(whole.logits)
    assert close(whole.logits[real], other.logits[real]) and close(whole.memory, other.memory)


@pytest.mark.parametrize("cell", ["transformer-xl", "compressive", "sliding-window", "context"])
def test_an_empty_cache_reads_a_segment_alone(cell):
    model, alone = reader("llama_gqa", cell, 8), reader("llama_gqa", "none", 0)
    assert close(model(IDS[:, :LENGTH]).logits, alone(IDS[:, :LENGTH]).logits)
    assert not torch.allclose(model(IDS).logits, alone(IDS).logits, atol=1e-4)


@pytest.mark.parametrize("cell", ["transformer-xl", "compressive", "context"])
def test_a_cache_of_nothing_is_no_memory(cell):
    options = {"n_cache": 0} if cell == "compressive" else {}
    model, alone = reader("llama_gqa", cell, 0, **options), reader("llama_gqa", "none", 0)
    assert close(model(IDS).logits, alone(IDS).logits)


@pytest.mark.parametrize("cell", ["transformer-xl", "compressive", "sliding-window", "context"])
def test_an_encoder_is_refused_in_a_sentence(cell):
    with pytest.raises(InputError, match="reads with a decoder"):
        reader("bert", cell, 4)


def test_a_cached_position_costs_no_feed_forward():
    model, rows = reader("llama_gqa", "transformer-xl", 24), []
    for layer in model.backbone.layers:
        layer.mlp.act_fn.register_forward_hook(lambda _m, _a, output: rows.append(output.shape[1]))
    step, _ = model.cell.step(model.backbone, Segment(IDS[:, :LENGTH]), model.cell.initial(2))
    assert rows == [LENGTH] * 3 and step.output.hidden.shape[1] == 24 + LENGTH
    assert not any(layer.mlp._forward_hooks or layer.mlp._forward_pre_hooks for layer in model.backbone.layers)


def test_a_window_wants_a_family_whose_mask_is_ours():
    model = reader("bloom", "sliding-window", 4)
    with pytest.raises(InputError, match="through a window"):
        model(IDS)


def test_bad_options_of_compressive():
    for options in ({"rate": 0}, {"compress": "zip"}):
        with pytest.raises(InputError, match="mean or conv"):
            reader("llama_gqa", "compressive", 4, **options)


def test_a_state_in_another_precision_is_read():
    model = reader("llama_gqa", "transformer-xl", 4)
    step, state = model.cell.step(model.backbone, Segment(IDS[:, :8]), model.cell.initial(2).float())
    assert step.logits.dtype == torch.float64 and state.dtype == torch.float64


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_checkpoint_of_every_mechanism_comes_back(tmp_path, cell, family):
    if family == "gpt2" and not MECHANISMS[cell].table:
        pytest.skip("has no form for a table of positions")
    model = tiny(family, cell, **({"n_cache": 8} if cell == "compressive" else {}))
    save(model, model.about.config, tmp_path)
    report, loaded = inspect(tmp_path), load(tmp_path, device="cpu")
    assert report.ready and report.cell == cell and all(report.sentences())
    assert torch.equal(loaded(IDS % 50).logits, model(IDS % 50).logits)


def test_what_no_pass_back_would_do_again_is_refused():
    """Layers that are run again on the way back would be run without what stood before them."""
    model = reader("llama_gqa", "transformer-xl", 4).train().requires_grad_(True)
    model.backbone.layers[1].gradient_checkpointing = True
    with pytest.raises(InputError, match="gradient checkpointing"):
        model(IDS)
    model.eval()(IDS)
