"""Traces for other tools: on every way there and back nothing is lost."""

import numpy as np
import pytest

from rmt import interchange
from rmt.errors import InputError
from rmt.measure import measure
from rmt.trace import validate

DATASETS = pytest.importorskip("datasets")
WAYS = {
    "npz": lambda trace, folder: interchange.from_npz(interchange.to_npz(trace, folder / "run.npz")),
    "pandas": lambda trace, folder: interchange.from_pandas(interchange.to_pandas(trace)),
    "datasets": lambda trace, folder: interchange.from_dataset(interchange.to_dataset(trace)),
    "parquet": lambda trace, folder: _through_parquet(trace, folder),
}


def _through_parquet(trace, folder):
    interchange.to_dataset(trace).to_parquet(folder / "run.parquet")
    back = DATASETS.Dataset.from_parquet(str(folder / "run.parquet"), cache_dir=str(folder / "cache"))
    return interchange.from_pandas(back.to_pandas())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", [{}, {"detail": "memory"}, {"people": ("Mary", "John")}, {"loss": True}])
def test_there_and_back_nothing_is_lost(make_trace, tmp_path, way, options):
    trace = make_trace(**options)
    back = WAYS[way](trace, tmp_path)
    assert back.meta == trace.meta and not validate(back.path)
    assert set(back.arrays) == set(trace.arrays)
    for name in trace.arrays:
        ours, theirs = trace.arrays[name][:], back.arrays[name][:]
        assert ours.dtype == theirs.dtype, name
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_what_is_no_trace_is_a_sentence(make_trace, tmp_path):
    (tmp_path / "notes.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "pickled.npz", trace_meta=np.array([{"a": 1}], object))
    for name in ("notes.npz", "other.npz", "pickled.npz", "nowhere.npz"):
        with pytest.raises(InputError, match=r"is no \.npz file of a trace"):
            interchange.from_npz(tmp_path / name)
    frame = interchange.to_pandas(make_trace())
    with pytest.raises(InputError, match="These are 7 of 8 segments"):
        interchange.from_pandas(frame.iloc[:7])
    with pytest.raises(InputError, match="no rows of a trace"):
        interchange.from_pandas(frame.drop(columns=["memory"]))
    frame.at[2, "memory"] = frame.at[2, "memory"] + 1
    with pytest.raises(InputError, match="make no whole trace"):
        interchange.from_pandas(frame)


def test_tidy_tables_hold_the_measures(make_trace):
    trace = make_trace(loss=True)
    found, measures = interchange.tables(trace), measure(trace)
    np.testing.assert_allclose(found["segments"]["change"], measures.slot_mean)
    np.testing.assert_allclose(found["segments"]["write"], measures.share("write"))
    assert "".join(found["tokens"]["text"]) == "".join(trace.tokens)
    slots = found["slots"].set_index(["segments_read", "slot"])
    assert slots.loc[(5, 2), "change"] == pytest.approx(measures.change[4, 2])
    assert slots.loc[(5, 2), "length"] == pytest.approx(np.linalg.norm(trace.memory[5, 2]))


def test_activations_are_named_as_transformer_lens_names_them(make_trace):
    trace = make_trace()
    found = interchange.to_activations(trace)
    np.testing.assert_array_equal(found["memory.hook_state"], trace.memory[1:])
    read = trace.arrays["read"]
    np.testing.assert_array_equal(found["blocks.1.attn.hook_memory_read"][5], read[5][1])
    assert "blocks.0.attn.hook_pattern" not in found
    whole = trace.segments[3]
    object.__setattr__(whole, "attention", np.ones((2, 2, 5, 5), np.float32))
    assert interchange.to_activations(trace, whole)["blocks.1.attn.hook_pattern"].shape == (1, 2, 5, 5)


def test_transformer_lens_has_the_same_maps_under_the_same_names(tmp_path):
    """pip install --no-deps transformer_lens beartype einops fancy-einsum jaxtyping typeguard wadler-lindig"""
    bridges = pytest.importorskip("transformer_lens.model_bridge", reason="transformer_lens is not installed")
    import torch
    from tokenizers import Tokenizer, models
    from transformer_lens import ActivationCache
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    import rmt

    torch.manual_seed(0)
    stock = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=64)).eval()
    words = Tokenizer(models.WordLevel({"<e>": 0, **{f"w{i}": i for i in range(1, 50)}}, unk_token="<e>"))
    marks = dict.fromkeys(("eos_token", "bos_token", "pad_token", "unk_token"), "<e>")
    PreTrainedTokenizerFast(tokenizer_object=words, **marks).save_pretrained(tmp_path)
    tokenizer, ids = PreTrainedTokenizerFast.from_pretrained(tmp_path), torch.arange(3, 19)
    model = rmt.load(stock, segment_length=16)
    trace = rmt.record(model, ids, detail="thin")
    bridge = bridges.TransformerBridge.boot_transformers("gpt2", hf_model=stock, tokenizer=tokenizer, device="cpu")
    _, theirs = bridge.run_with_cache(ids[None])
    ours = ActivationCache(interchange.to_activations(trace, rmt.replay(model, trace, 0)), bridge)
    for layer in (0, -1):
        torch.testing.assert_close(ours["pattern", layer], theirs["pattern", layer], rtol=1e-5, atol=1e-6)
    assert theirs["pattern", 0].shape == (1, 2, 16, 16)
