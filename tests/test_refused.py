"""What is no checkpoint, or not one to open, gets a sentence and runs nothing."""

import json
import os
import pickle
import struct

import pytest
import torch
from foreign import SEGMENT, hf_config, state_dict, tiny, write

from rmt.checkpoint import inspect, load
from rmt.checkpoint.locate import resolve_under
from rmt.errors import InputError


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def evil(folder, mark):
    torch.save({"memory_cell.memory": Evil(str(mark))}, folder / "pytorch_model.bin")


def evil_bare(folder, mark):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(str(mark))))


def truncated(folder, mark):
    write(folder, state_dict(tiny()))
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def truncated_pickle(folder, mark):
    write(folder, state_dict(tiny()), "pytorch_model.bin")
    data = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(data[: len(data) // 2])


def lying_header(folder, mark):
    header = json.dumps({"memory": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 4 * 10**15]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)


def lying_stride(folder, mark):
    """One number that says it is a trillion, all the same: to copy it would take what it claims."""
    state = state_dict(tiny())
    state["memory_cell.memory"] = torch.zeros(1).expand(10**12, 16)
    write(folder, state, "pytorch_model.bin", config=hf_config("gpt2"))


def bomb(folder, mark):
    import zipfile

    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**6)


def lying_config(folder, mark):
    write(folder, state_dict(tiny()), config={**hf_config("gpt2"), "n_embd": 10**9, "n_head": 1})


def lying_depth(folder, mark):
    write(folder, state_dict(tiny()), config={**hf_config("gpt2"), "n_layer": 10**9})


def nan(folder, mark):
    state = state_dict(tiny())
    state["memory_cell.model.transformer.h.0.mlp.c_fc.weight"][0, 0] = torch.nan
    write(folder, state, config=hf_config("gpt2"))


def wrong_backbone(folder, mark):
    write(folder, state_dict(tiny("llama")), config=hf_config("gpt2"))


def other_width(folder, mark):
    write(folder, state_dict(tiny()), config={**hf_config("gpt2"), "n_embd": 32})


def lacking(folder, mark):
    state = state_dict(tiny())
    del state["memory_cell.model.transformer.h.1.ln_1.weight"]
    write(folder, state, config=hf_config("gpt2"))


def unequal_ties(folder, mark):
    state = state_dict(tiny())
    state["memory_cell.model.lm_head.weight"] += 1
    write(folder, state, config=hf_config("gpt2"))


def unequal_doubles(folder, mark):
    state = state_dict(tiny(cell="armt", d_memory=4))
    state["memory_cell.layers.1.W_mk.weight"] += 1
    write(folder, state, config=hf_config("gpt2"))


def integers(folder, mark):
    write(folder, {name: t.to(torch.int8) for name, t in state_dict(tiny()).items()}, config=hf_config("gpt2"))


def strange_name(folder, mark):
    write(folder, {**state_dict(tiny()), "memory\x1b[2J\n": torch.zeros(1)}, config=hf_config("gpt2"))


def not_json(folder, mark):
    write(folder, state_dict(tiny()))
    (folder / "config.json").write_bytes(b"[" * 100_000)


def unknown_family(folder, mark):
    write(folder, state_dict(tiny()), config={"model_type": "nonsense", "auto_map": {"AutoConfig": "evil.Config"}})


def of_2025(folder, mark):
    write(folder, {"armt.memory_cell.memory": torch.zeros(3, 16)})


def no_weights(folder, mark):
    (folder / "config.json").write_text(json.dumps(hf_config("gpt2")))


BROKEN = [
    evil, evil_bare, truncated, truncated_pickle, lying_header, lying_stride, bomb, lying_config, lying_depth, nan,
    wrong_backbone, other_width, lacking, unequal_ties, unequal_doubles, integers, strange_name, not_json,
    unknown_family, of_2025, no_weights,
]  # fmt: skip


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda f: f.__name__)
@pytest.mark.parametrize("opening", [load, inspect])
def test_broken_checkpoints_get_a_sentence_and_run_nothing(tmp_path, breaking, opening):
    mark, folder = tmp_path / "mark", tmp_path / "checkpoint"
    folder.mkdir()
    breaking(folder, mark)
    with pytest.raises(InputError) as error:
        opening(folder, segment_length=SEGMENT)
    sentence = str(error.value)
    assert not mark.exists()
    assert sentence.isprintable() and sentence.endswith(".") and len(sentence) < 600
    print(sentence)


def test_the_evil_pickle_would_have_run(tmp_path):
    """The proof that the test above can fail."""
    evil(tmp_path, tmp_path / "mark")
    torch.load(tmp_path / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("name", ["a\x00b", "x\ny", "", "no/such/place", "../../etc", "nobody", "a" * 5000])
def test_odd_names_get_a_sentence(name):
    with pytest.raises(InputError) as error:
        load(name, segment_length=SEGMENT)
    assert str(error.value).isprintable()


def test_a_segment_must_fit_the_position_table(tmp_path):
    write(tmp_path, state_dict(tiny()), config=hf_config("gpt2"))
    assert load(tmp_path, segment_length=34)(torch.arange(40).view(2, 20)).logits.shape[1] == 20
    with pytest.raises(InputError, match="34 tokens, not 35"):
        load(tmp_path, segment_length=35)


def test_paths_stay_under_their_root(tmp_path):
    root = tmp_path / "models"
    (root / "mine").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (root / "link").symlink_to(tmp_path / "secret")
    assert resolve_under(root, "mine") == root / "mine"
    for name in (
        "../secret",
        "link",
        str(tmp_path / "secret"),
        "/etc/passwd",
        "mine/../../secret",
        "a\x00",
        "a\n",
        "none",
        "a" * 5000,
        f"mine/{'a' * 300}",
    ):
        with pytest.raises(InputError) as error:
            resolve_under(root, name)
        assert len(str(error.value)) < 300 and "secret" not in str(error.value).replace(name, "")
