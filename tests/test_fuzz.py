"""Damaged files: whatever is wrong with one, it is refused with a sentence, or it opens as a whole model."""

import json
import random
import shutil
import socket
import subprocess
import traceback

import pytest
import torch
from foreign import SEGMENT, add_lora, baggage, bert_state_dict, hf_config, state_dict, tiny
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from rmt.checkpoint import inspect, load, save
from rmt.errors import InputError

ROUNDS = 30  # of each kind; make fuzz tries thousands
JUNK = [
    b"\x00",
    b"\xff" * 8,
    b"../",
    b"os\nsystem\n",
    b"cposix\nsystem\n",
    b"1e999",
    b"-1",
    b"null",
    b"[" * 2000,
    b"\x1b[2J",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sound checkpoint of each kind of container, by name."""
    root = tmp_path_factory.mktemp("whole")
    ours = tiny()
    words = {f"w{i}": i for i in range(45)}
    ours.tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    save(ours, ours.about.config, root / "ours")
    for name, state, file, config in (
        ("pickle", state_dict(ours), "pytorch_model.bin", hf_config("gpt2")),
        ("safetensors", state_dict(tiny("llama")), "model.safetensors", hf_config("llama")),
        ("baggage", baggage(bert_state_dict(tiny("bert"))), "model_best.pth", hf_config("bert")),
        ("armt", state_dict(tiny(cell="armt", d_memory=2)), "pytorch_model.bin", hf_config("gpt2")),
        ("stock", tiny("llama").backbone.model.state_dict(), "pytorch_model.bin", hf_config("llama")),
    ):
        (root / name).mkdir()
        (save_file if file.endswith("safetensors") else torch.save)(state, root / name / file)
        (root / name / "config.json").write_text(json.dumps(config))
    return root


def damage(data: bytes, rng: random.Random) -> bytes:
    """Cut, overwrite, insert, remove or repeat, mostly where headers are: at the start and at the end."""
    at = rng.choice(
        [rng.randrange(len(data)), rng.randrange(min(600, len(data))), -rng.randrange(1, min(600, len(data)))]
    )
    at, junk = at % len(data), rng.choice([*JUNK, rng.randbytes(rng.randrange(1, 9))])
    kind = rng.choice(["cut", "overwrite", "overwrite", "insert", "remove", "repeat", "number"])
    if kind == "cut":
        return data[:at]
    if kind == "overwrite":
        return data[:at] + junk + data[at + len(junk) :]
    if kind == "insert":
        return data[:at] + junk + data[at:]
    if kind == "remove":
        return data[:at] + data[at + rng.randrange(1, 50) :]
    if kind == "repeat":
        return data[:at] + data[max(at - 40, 0) :]
    digits = [i for i, byte in enumerate(data[:4000]) if chr(byte).isdigit()]
    return data if not digits else data[: (i := rng.choice(digits))] + b"9" * rng.choice([1, 4, 12]) + data[i + 1 :]


@pytest.fixture
def guarded(monkeypatch):
    """Anything a file might make us run or ask leaves a mark."""
    ran = []
    for module, name in ((subprocess, "Popen"), (socket.socket, "connect")):
        monkeypatch.setattr(module, name, lambda *a, **k: ran.append(a))
    monkeypatch.setattr("os.system", lambda *a: ran.append(a))
    return ran


def disorder(state: dict, rng: random.Random) -> dict:
    """One tensor lost, renamed, of another shape or type, repeated from one number, or of NaN."""
    name = rng.choice(sorted(state))
    tensor = state.pop(name)
    changes = {
        "lose": None,
        "flat": tensor.reshape(-1),
        "scalar": tensor.reshape(-1)[0],
        "none": tensor[:0],
        "longer": torch.cat([tensor, tensor]),
        "wider": tensor[None],
        "halves": tensor.to(torch.int8),
        "complex": tensor.to(torch.complex64),
        "endless": tensor.reshape(-1)[:1].expand(10**13),
        "nan": torch.full_like(tensor, torch.nan, dtype=torch.float32),
    }
    kind = rng.choice([*changes, "rename"])
    if kind == "rename":
        return state | {
            rng.choice([name + "x", "memory_cell." + name, "memory", name.replace("weight", "lora_A.weight")]): tensor
        }
    return (
        state
        if changes[kind] is None
        else state | {name: changes[kind].clone() if kind != "endless" else changes[kind]}
    )


@pytest.mark.parametrize("kind", ["decoder", "armt", "rmt-r", "bert", "lora", "old", "stock"])
def test_disordered_state_dicts_get_a_sentence_or_open_whole(tmp_path, kind, guarded):
    rng, refused = random.Random(f"disorder {kind}"), 0
    cell, options = {"armt": ("armt", {"d_memory": 2}), "rmt-r": ("rmt-r", {})}.get(kind, ("rmt", {}))
    family = "bert" if kind == "bert" else "gpt2"
    sound = (bert_state_dict if kind == "bert" else state_dict)(tiny(family, cell, **options))
    if kind == "lora":
        sound, _ = add_lora(sound, "transformer.h.0.mlp.c_fc", rank=2, scale=1.0, conv=True)
    if kind == "stock":
        sound = dict(tiny().backbone.model.state_dict())
    if kind == "old":
        sound = {name.removeprefix("memory_cell."): tensor for name, tensor in sound.items()}
    told = {"rmt-r": {"n_memory": 3, "retrieve": "attention"}, "lora": {"lora_alpha": 2}}.get(kind)
    (tmp_path / "config.json").write_text(json.dumps(hf_config(family)))
    for i in range(ROUNDS):
        torch.save(disorder(dict(sound), rng), tmp_path / "pytorch_model.bin")
        try:
            assert inspect(tmp_path, options=told) is not None
            model = load(tmp_path, segment_length=SEGMENT, options=told)
            assert all(parameter.isfinite().all() for parameter in model.parameters())
        except InputError as error:
            refused += 1
            assert str(error).isprintable() and len(str(error)) < 1000, str(error)
        except Exception:
            pytest.fail(f"round {i}: {traceback.format_exc()}")
    assert refused > ROUNDS / 2 and not guarded
    print(f"{kind}: {refused} of {ROUNDS} refused")


@pytest.mark.parametrize("name", ["ours", "pickle", "safetensors", "baggage", "armt", "stock"])
def test_damaged_files_get_a_sentence_or_open_whole(whole, tmp_path, name, guarded):
    rng, refused = random.Random(f"damage {name}"), 0
    for i in range(ROUNDS):
        folder = tmp_path / str(i)
        shutil.copytree(whole / name, folder)
        file = rng.choice(sorted(folder.iterdir()))
        file.write_bytes(damage(file.read_bytes(), rng))
        for opening in (inspect, load):
            found = None
            try:
                found = opening(folder, segment_length=SEGMENT)
            except InputError as error:
                refused += opening is load
                assert str(error).isprintable() and len(str(error)) < 1000, str(error)
            except BaseException:
                pytest.fail(f"{file.name}, round {i}, {opening.__name__}: {traceback.format_exc()}")
        if found is not None:
            assert all(parameter.isfinite().all() for parameter in found.parameters())
    assert 0 < refused < 2 * ROUNDS and not guarded
    print(f"{name}: {refused} of {ROUNDS} refused")
