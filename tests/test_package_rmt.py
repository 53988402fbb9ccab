"""Checkpoints of the package recurrent-memory-transformer-pytorch: read to its numbers, or refused by an option's name.

What the package gave is kept in a file; where it can be imported it is run again beside ours, too.
"""

import json

import pytest
import torch
from package_models import IDS, KINDS, SIZES, kept, make, options, run, told
from safetensors.torch import save_file

from rmt.causes.what_if import what_if
from rmt.checkpoint import inspect, load, save, untrained
from rmt.errors import InputError
from rmt.recorder import record, replay

NEAR = 2e-5
DEFAULT = "default"
LIVE = {  # beside KINDS
    "flash attention": {"use_flash_attn": True},
    "no XL memories": {"use_xl_memories": False},
    "three streams": {"num_residual_streams": 3, "rotary_pos_emb": True},
    "wide heads": {"dim_head": 24, "heads": 1, "add_write_to_next_write_mem": True, "always_have_read_memories": False},
    "one layer": {"depth": 1},
}


def folder(place, state: dict, *, config: dict | None = None, prefix: str = "", name: str = "model.pt"):
    """Its file of weights as people have it, with the constructor's options beside it where they kept them."""
    place.mkdir(exist_ok=True)
    state = {prefix + key: tensor for key, tensor in state.items()}
    (torch.save if name.endswith(".pt") else save_file)(state, place / name)
    if config is not None:
        (place / "config.json").write_text(json.dumps(config))
    return place


def length(kind: str) -> dict:
    """What must be told of a kind without a position table."""
    return {} if options(kind).get("abs_pos_emb", True) else {"segment_length": SIZES["seq_len"]}


def opened(place, kind: str, **more):
    return load(place, device="cpu", options=told(kind), **length(kind), **more)


def close(ours, theirs) -> bool:
    return float((ours - theirs).abs().max()) <= NEAR


@pytest.mark.parametrize(("prefix", "name"), [("", "model.pt"), ("transformer.", "model.safetensors")])
@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_what_the_package_gave(tmp_path, kind, prefix, name):
    state, logits, memory = kept(kind)
    output = opened(folder(tmp_path, state, prefix=prefix, name=name), kind)(IDS)
    assert close(output.logits, logits) and close(output.memory[:, -1], memory)
    assert logits.abs().max() > 0.5 and not close(output.memory[:, -2], memory)


@pytest.mark.parametrize("kind", [*KINDS, *LIVE])
def test_it_gives_what_the_installed_package_gives(tmp_path, kind):
    pytest.importorskip("recurrent_memory_transformer_pytorch", reason="the package is not installed")
    given = {**SIZES, **KINDS.get(kind, LIVE.get(kind, {}))}
    theirs = make(given)
    config = {**given, "causal": True, "memory_not_causal": True}
    config |= {name: given.get(name, name.startswith("always")) for name in told(DEFAULT)}
    ours = load(folder(tmp_path, theirs.state_dict(), config=config), device="cpu")
    logits, memory = run(theirs)
    output = ours(IDS)
    assert close(output.logits, logits) and close(output.memory[:, -1], memory)
    if not given.get("use_flash_attn"):
        logits, memory = run(theirs.double())
        output = ours.double()(IDS)
        assert torch.allclose(output.logits, logits, rtol=0, atol=1e-11)
        assert torch.allclose(output.memory[:, -1], memory, rtol=0, atol=1e-11)


def test_what_no_tensor_tells_is_asked_for(tmp_path):
    state, *_ = kept(DEFAULT)
    report = inspect(folder(tmp_path, state))
    assert not report.ready and report.asks == [*told(DEFAULT)] and report.segment_length == SIZES["seq_len"]
    text = " ".join(report.sentences())
    said = ("recurrent-memory-transformer-pytorch", "2 layers, 2 heads, width 16, 24 tokens", "null key", "XL memories")
    for words in (*said, "causal=True and memory_not_causal=True", "default is False", "default is True"):
        assert words in text, words
    with pytest.raises(InputError, match="add_write_to_next_write_mem"):
        load(tmp_path)
    report = inspect(tmp_path, options=told(DEFAULT))
    assert report.ready and report.layout == "[2 read memory | 8 tokens | 2 write memory]"


def test_its_options_are_read_from_beside_it(tmp_path):
    for kind in KINDS:
        state, logits, _ = kept(kind)
        place = folder(tmp_path / str(len(kind)), state, config={**options(kind), **told(kind), "causal": True})
        report = inspect(place)
        assert (
            report.ready
            and not report.asks
            and "taken to be made with memory_not_causal=True" in " ".join(report.sentences())
        )
        assert close(load(place, device="cpu")(IDS).logits, logits)


@pytest.mark.parametrize("name", ["add_write_to_next_write_mem", "always_have_read_memories"])
def test_an_option_changes_the_numbers(tmp_path, name):
    state, logits, _ = kept(DEFAULT)
    other = {**told(DEFAULT), name: not told(DEFAULT)[name]}
    assert not close(load(folder(tmp_path, state), device="cpu", options=other)(IDS).logits, logits)


@pytest.mark.parametrize("name", ["causal", "memory_not_causal"])
def test_an_option_that_is_not_run_is_refused_by_its_name(tmp_path, name):
    state, *_ = kept(DEFAULT)
    place = folder(tmp_path, state, config={**SIZES, **told(DEFAULT), name: False})
    with pytest.raises(InputError, match=f"{name}=False.*Only {name}=True is run here"):
        inspect(place)
    (place / "config.json").unlink()
    with pytest.raises(InputError, match=f"{name}=False"):
        inspect(place, options={**told(DEFAULT), name: False})


@pytest.mark.parametrize(("name", "value"), [("dim", 32), ("heads", 4), ("num_residual_streams", 1), ("seq_len", 9)])
def test_options_of_another_model_are_not_believed(tmp_path, name, value):
    state, *_ = kept(DEFAULT)
    place = folder(tmp_path, state, config={**options(DEFAULT), **told(DEFAULT), name: value})
    with pytest.raises(InputError, match=f"{name}={value} and the tensors have"):
        inspect(place)


def test_without_a_position_table_the_segment_length_is_asked_for(tmp_path):
    kind = next(kind for kind in KINDS if length(kind))
    report = inspect(folder(tmp_path, kept(kind)[0]), options=told(kind))
    assert report.asks == ["segment_length"]


def test_a_segment_is_no_longer_than_the_position_table(tmp_path):
    place = folder(tmp_path, kept(DEFAULT)[0])
    with pytest.raises(InputError, match="a segment may hold 8 tokens, not 9"):
        opened(place, DEFAULT, segment_length=9)
    assert opened(place, DEFAULT, segment_length=5)(IDS).memory.shape == (2, 7, 2, 16)


def test_an_earlier_version_is_told_from_this_one(tmp_path):
    state, *_ = kept(DEFAULT)
    old = {name.replace(".branch", ""): tensor for name, tensor in state.items()}
    with pytest.raises(InputError, match="earlier versions compute another function"):
        inspect(folder(tmp_path, old))


def test_a_backbone_or_another_option_is_none_of_its_own(tmp_path):
    place = folder(tmp_path, kept(DEFAULT)[0])
    with pytest.raises(InputError, match="a decoder of its own"):
        inspect(place, backbone="gpt2")
    with pytest.raises(InputError, match="no option retrieve"):
        inspect(place, options={"retrieve": "top_1"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_recorded_and_replayed_to_the_bit(tmp_path, kind):
    model = opened(folder(tmp_path, kept(kind)[0]), kind)
    trace = record(model, IDS[0], detail="thin")
    plain = model(IDS[:1])
    assert torch.equal(torch.from_numpy(trace.arrays["memory"].copy()), plain.memory[0])
    for i in range(trace.done):
        again = replay(model, trace, i)
        n, (first, last) = again.attention.shape[-1], again.layout["tokens"]
        assert n == last - first + 4 and (again.attention.sum(-1) < 1).all()  # the rest is the null key's
        assert abs(again.read - trace.segments[i].read).max() < 5e-4
        assert abs(again.write - trace.segments[i].write).max() < 5e-4
        assert abs(again.attention[:, :, first:last, :first] - again.read).max() < 1e-6
        assert abs(again.attention[:, :, last:, first:last] - again.write).max() < 1e-6
        assert (again.attention[:, :, last, -1] > 0).all()  # write memory sees what comes after it
        assert (again.attention[:, :, :first, first:] == 0).all()  # and read memory sees itself alone
        assert (again.attention[:, :, first:last, last:] == 0).all()


def test_what_eager_attention_gives_is_what_is_recorded(tmp_path):
    model = opened(folder(tmp_path, kept(DEFAULT)[0]), DEFAULT)
    trace = record(model, IDS[0], detail="thin")
    assert model.backbone.fused
    model.backbone.run_eagerly()
    again = record(model, IDS[0], detail="thin")
    for name in ("read", "write", "mass", "answer_read"):
        assert abs(trace.arrays[name].astype(float) - again.arrays[name]).max() < 2e-3, name


def test_a_memory_is_changed_and_its_path_cut(tmp_path):
    """The third segment reads as a first one once memory is reset, and nothing of memory once its path is cut."""
    model = opened(folder(tmp_path, kept(DEFAULT)[0]), DEFAULT)
    trace = record(model, IDS[0], detail="thin")
    anew = what_if(model, trace, "reset@3")
    assert torch.allclose(
        torch.tensor(anew.arrays["memory"][3]), model(IDS[:1, 16:24]).memory[0, -1], rtol=0, atol=1e-6
    )
    cut = what_if(model, trace, "block:read:*.*@3")
    assert (cut.segments[2].read == 0).all() and not (trace.segments[2].read == 0).all()


def test_it_is_kept_as_a_checkpoint_of_this_program(tmp_path):
    model = opened(folder(tmp_path / "theirs", kept(DEFAULT)[0]), DEFAULT)
    save(model, model.about.config, tmp_path / "ours")
    assert torch.equal(load(tmp_path / "ours", device="cpu")(IDS).logits, model(IDS).logits)
    control = untrained(tmp_path / "theirs", options=told(DEFAULT), device="cpu")
    assert not close(control(IDS).logits, model(IDS).logits) and not control.about.trained
