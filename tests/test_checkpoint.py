"""Opening checkpoints of every kind, and refusing what is no checkpoint, with a sentence."""

import json
import shutil

import pytest
import torch
from foreign import LAYERS, SEGMENT, add_lora, baggage, bert_state_dict, hf_config, state_dict, tiny, write
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

from rmt.checkpoint import inspect, load, save
from rmt.errors import InputError
from rmt.text.segments import Segment

IDS = torch.arange(2 * 21).reshape(2, 21) % 47 + 3


@torch.no_grad()
def same(loaded, model):
    """Equal logits, bit for bit, and so equal cells and layouts."""
    assert torch.equal(loaded(IDS).logits, model(IDS).logits)
    assert loaded.segment_length == model.segment_length


def test_our_own_folder_comes_back_as_it_was(tmp_path):
    model = tiny()
    save(model, model.about.config, tmp_path)
    same(load(tmp_path), model)
    report = inspect(tmp_path)
    assert report.ready and report.segment_length == SEGMENT and report.n_memory == 3
    assert report.parameters == sum(p.numel() for p in model.parameters())
    assert json.loads(json.dumps(report.as_dict()))["kind"] == "checkpoint of this program"


def test_decoder_rmt_as_a_training_run_leaves_it(tmp_path):
    """pytorch_model.bin in model_best, the run's arguments one level up, the backbone's configuration elsewhere."""
    model = tiny()
    write(tmp_path / "run" / "model_best", state_dict(model), "pytorch_model.bin")
    (tmp_path / "run" / "config.json").write_text(json.dumps({"segment_size": SEGMENT, "lr": 1e-5}))
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text(json.dumps(hf_config("gpt2")))
    same(load(tmp_path / "run", backbone=tmp_path / "gpt2"), model)
    report = inspect(tmp_path / "run", backbone=str(tmp_path / "gpt2"))
    assert report.kind == "decoder RMT" and "config.json" in report.segment_length_from
    assert report.layout == "[3 read memory | 8 tokens | 3 write memory]"


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_decoder_rmt_in_safetensors_beside_its_backbones_config(tmp_path, family):
    model = tiny(family)
    write(tmp_path, state_dict(model), config=hf_config(family))
    same(load(tmp_path, segment_length=SEGMENT), model)


def test_a_checkpoint_in_shards(tmp_path):
    model, names = tiny(), []
    for i, (name, tensor) in enumerate(state_dict(model).items()):
        names.append((name, f"model-{i % 2}.safetensors"))
        write(tmp_path, {}, config=hf_config("gpt2"))
        shard = tmp_path / names[-1][1]
        save_file({**(load_file(shard) if shard.exists() else {}), name: tensor}, shard)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(names)}))
    same(load(tmp_path, segment_length=SEGMENT), model)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "../secret.safetensors"}}))
    with pytest.raises(InputError, match="beside it"):
        load(tmp_path, segment_length=SEGMENT)


@pytest.mark.parametrize(
    ("family", "module", "conv"),
    [("gpt2", "transformer.h.1.attn.c_attn", True), ("llama", "model.layers.0.self_attn.k_proj", False)],
)
def test_lora_is_added_into_what_it_adapts(tmp_path, family, module, conv):
    model = tiny(family)
    state, merged = add_lora(state_dict(model), module, rank=2, scale=1.5, conv=conv)
    write(tmp_path, state, config=hf_config(family))
    with pytest.raises(InputError, match="alpha"):
        load(tmp_path, segment_length=SEGMENT)
    loaded = load(tmp_path, segment_length=SEGMENT, options={"lora_alpha": 3})
    model.backbone.model.get_submodule(module).weight.copy_(merged)
    same(loaded, model)


def test_an_armt_with_lora_of_which_every_name_appears_twice(tmp_path):
    """As the hub has one under the name of an RMT: adapters inside of wrapped layers, and no correction."""
    model = tiny("llama", "armt", d_memory=4, correction=False)
    state, merged = add_lora(state_dict(model), "model.layers.1.layer.self_attn.v_proj", rank=2, scale=2.0, conv=False)
    state = {name: tensor for name, tensor in state.items() if not name.startswith("memory_cell.layers.")}
    prefix = "memory_cell.model.base_model.model.model.layers."
    doubles = {n.replace(prefix, "memory_cell.layers."): t.clone() for n, t in state.items() if n.startswith(prefix)}
    write(tmp_path, state | doubles, config=hf_config("llama"))
    loaded = load(tmp_path, segment_length=SEGMENT, options={"lora_alpha": 4, "correction": False})
    model.backbone.layers[1].self_attn.v_proj.weight.copy_(merged)
    same(loaded, model)
    assert not torch.equal(
        load(tmp_path, segment_length=SEGMENT, options={"lora_alpha": 4})(IDS).logits, loaded(IDS).logits
    )


def test_the_older_language_model_class_with_its_trainers_baggage(tmp_path):
    model = tiny()
    state = {name.removeprefix("memory_cell."): tensor for name, tensor in state_dict(model).items()}
    state |= {"cls_token": torch.tensor([1]), "model.transformer.h.0.attn.bias": torch.ones(1, 1, 4, 4)}
    write(tmp_path, baggage(state), "model_best.pth", config={"input_size": SEGMENT + 6})
    (tmp_path / "gpt2.json").write_text(json.dumps(hf_config("gpt2")))
    loaded = load(tmp_path, backbone=tmp_path / "gpt2.json")
    assert loaded.alignment == "right"
    assert inspect(tmp_path, backbone=tmp_path / "gpt2.json").ignored == [
        "cls_token",
        "model.transformer.h.0.attn.bias",
    ]
    model.alignment = "right"
    same(loaded, model)


def test_bert_rmt_with_its_trainers_baggage(tmp_path):
    model = tiny("bert")
    write(tmp_path, baggage(bert_state_dict(model)), "model_best.pth", config=hf_config("bert"))
    loaded = load(tmp_path, segment_length=SEGMENT, options={"alignment": "left"})
    assert (loaded.backbone.cls_id, loaded.backbone.sep_id) == (1, 2)
    same(loaded, model)
    assert load(tmp_path, segment_length=SEGMENT).alignment == "right"


@pytest.mark.parametrize("retrieve", ["attention", "top_1"])
def test_rmt_r_asks_for_what_no_file_holds(tmp_path, retrieve):
    model = tiny(cell="rmt-r", n_read=6, retrieve=retrieve)
    write(tmp_path, state_dict(model), "pytorch_model.bin", config=hf_config("gpt2"))
    report = inspect(tmp_path, segment_length=SEGMENT)
    assert not report.ready and len(report.missing) == 2 and report.n_memory is report.layout is None
    same(load(tmp_path, segment_length=SEGMENT, options={"n_memory": 3, "retrieve": retrieve}), model)


def test_rmt_r_takes_them_from_the_runs_arguments(tmp_path):
    model = tiny(cell="rmt-r", n_read=3, retrieve="top_1")
    write(tmp_path / "model_best", state_dict(model), "pytorch_model.bin", config=hf_config("gpt2"))
    run = {"segment_size": SEGMENT, "num_write_mem_tokens": 3, "num_read_mem_tokens": 3, "retrieve_mode": "top_1"}
    (tmp_path / "config.json").write_text(json.dumps(run))
    same(load(tmp_path / "model_best"), model)
    same(load(tmp_path), model)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("kept", ["both", "model", "layers"])
def test_armt_with_its_layers_twice_or_once(tmp_path, family, kept):
    """A pickle names every layer twice; safetensors of the hub mixin keep one of the two, and either may be it."""
    model = tiny(family, cell="armt", d_memory=4)
    state = state_dict(model)
    drop = {"both": "-", "model": "memory_cell.layers.", "layers": f"memory_cell.model.{LAYERS[family]}."}[kept]
    write(tmp_path, {name: t for name, t in state.items() if not name.startswith(drop)}, config=hf_config(family))
    same(load(tmp_path, segment_length=SEGMENT), model)


def test_armt_with_positions_of_its_own(tmp_path):
    model = tiny(cell="armt", d_memory=4, wrapped=True)
    write(tmp_path, state_dict(model), config={**hf_config("gpt2"), "n_positions": 37})
    report = inspect(tmp_path, segment_length=SEGMENT)
    assert any("for its memory tokens alone" in sentence for sentence in report.sentences())
    same(load(tmp_path, segment_length=SEGMENT), model)


def test_a_plain_model_has_no_memory(tmp_path):
    model = tiny(cell="none")
    model.backbone.model.save_pretrained(tmp_path)
    loaded = load(tmp_path, segment_length=SEGMENT)
    same(loaded, model)
    assert loaded.cell.n_memory == 0 and "without memory" in inspect(tmp_path).sentences()[0]


def test_an_encoders_trunk_alone_with_names_as_of_old_has_no_head(tmp_path):
    model = tiny("bert", cell="none")
    trunk = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma"): t for name, t in model.backbone.trunk.state_dict().items()
    }
    write(tmp_path, trunk, config=hf_config("bert"))
    with pytest.raises(InputError, match=r"\[CLS\]"):
        load(tmp_path, segment_length=SEGMENT)
    words = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "word": 3}
    Tokenizer(models.WordPiece(words, unk_token="[PAD]")).save(str(tmp_path / "tokenizer.json"))
    loaded, ids = load(tmp_path, segment_length=SEGMENT), IDS[:, :SEGMENT]
    assert loaded.backbone.head == "none" and "without a head" in " ".join(inspect(tmp_path).sentences())
    segment = Segment(ids)
    hidden = [m.cell.step(m.backbone, segment, m.cell.initial(2))[0].output.hidden for m in (loaded, model)]
    assert torch.equal(*hidden)


def test_bfloat16_is_reported_and_run_in_float32(tmp_path):
    model = tiny().bfloat16()
    write(tmp_path, state_dict(model), "pytorch_model.bin", config=hf_config("gpt2"))
    assert inspect(tmp_path).precision == "bfloat16"
    same(load(tmp_path, segment_length=SEGMENT), model.float())


def test_hub_names_take_the_same_path(tmp_path, monkeypatch):
    """A cache as the hub client lays it out, read without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = tiny()
    with pytest.raises(InputError, match="hub"):
        load("booydar/rmt-gpt2-babilong-qa1", segment_length=512, backbone="gpt2")
    for name, revision in (("booydar/rmt-gpt2-babilong-qa1", "a" * 40), ("gpt2", "b" * 40)):
        folder = tmp_path / f"models--{name.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text(revision)
        (folder / "snapshots" / revision).mkdir(parents=True)
        if name == "gpt2":
            (folder / "snapshots" / revision / "config.json").write_text(json.dumps(hf_config("gpt2")))
        else:
            write(folder / "snapshots" / revision, state_dict(model.bfloat16()), "pytorch_model.bin")
    loaded = load("booydar/rmt-gpt2-babilong-qa1", segment_length=SEGMENT, backbone="gpt2")
    same(loaded, model.float())
    shutil.rmtree(tmp_path / "models--gpt2")  # then it is the well-known one, which these weights are not of
    with pytest.raises(InputError, match="does not fit its configuration, the stock configuration of gpt2"):
        load("booydar/rmt-gpt2-babilong-qa1", segment_length=512, backbone="gpt2")
    with pytest.raises(InputError, match="hub"):
        load("nobody/nothing", segment_length=SEGMENT)


def test_what_is_missing_is_asked_for_in_sentences(tmp_path):
    write(tmp_path, state_dict(tiny("llama")))
    report = inspect(tmp_path)
    assert not report.ready and report.n_memory == 3 and report.backbone is None
    text = " ".join(report.sentences())
    assert "How many tokens a segment holds is in no file" in text and report.asks == ["backbone", "segment_length"]
    assert "pass backbone=…, segment_length=… to load() in Python" in text
    assert text.endswith("--backbone … --segment-length … on the command line.")
    with pytest.raises(InputError, match="segment_length=…"):
        load(tmp_path)
