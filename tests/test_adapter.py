"""Memory and LoRA around a pretrained backbone, kept as a small file beside its name."""

import json

import pytest
import torch
from foreign import SEGMENT, tiny
from torch.nn import functional as F

from rmt.checkpoint import inspect, load
from rmt.checkpoint.adapter import add_lora, save_adapter, wrap
from rmt.errors import InputError
from rmt.recorder import record, replay

IDS = torch.arange(2 * 21).reshape(2, 21) % 47 + 3


@pytest.fixture
def backbone(tmp_path):
    """A pretrained model without memory, as transformers saves one."""
    tiny("llama", cell="none").backbone.model.save_pretrained(tmp_path / "backbone")
    return tmp_path / "backbone"


def train(model, steps: int = 3) -> list[float]:
    """A few steps of the parameters that ask for it; the loss before each."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer, losses = torch.optim.AdamW(parameters, lr=1e-2), []
    for _ in range(steps):
        loss = model(IDS, IDS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("cell", ["rmt", "rmt-r", "armt", "none"])
def test_an_untrained_memory_is_the_same_for_the_same_seed(backbone, cell):
    first, again, other = (wrap(backbone, cell=cell, n_memory=3, segment_length=SEGMENT, seed=s) for s in (1, 1, 2))
    assert not first.about.trained
    assert torch.equal(first(IDS).logits, again(IDS).logits)
    trace = record(first, IDS[0])
    assert trace.meta["control"] == "untrained"
    assert replay(again, trace, 1).logits.shape == (SEGMENT, 50)
    if cell != "none":
        with pytest.raises(InputError, match="other weights"):
            replay(other, trace, 1)


def test_memory_and_lora_come_back_to_equal_logits(backbone, tmp_path):
    model = add_lora(wrap(backbone, n_memory=3, segment_length=SEGMENT), rank=2)
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    losses = train(model)
    assert losses[-1] < losses[0]
    assert all(torch.equal(p, frozen[name]) for name, p in model.named_parameters() if name in frozen)
    save_adapter(model, tmp_path / "mine")
    files = {file.name: file.stat().st_size for file in (tmp_path / "mine").iterdir()}
    assert set(files) == {"config.json", "adapter.safetensors"}
    assert sum(files.values()) < (backbone / "model.safetensors").stat().st_size / 2
    loaded = load(tmp_path / "mine")
    assert torch.equal(loaded(IDS).logits, model(IDS).logits) and loaded.about.trained
    assert not torch.equal(loaded(IDS).logits, wrap(backbone, n_memory=3, segment_length=SEGMENT)(IDS).logits)


def test_a_fresh_head_is_trained_and_kept_with_the_memory(tmp_path):
    model = tiny("bert", cell="none")
    model.backbone.trunk.save_pretrained(tmp_path / "encoder")
    from tokenizers import Tokenizer, models

    words = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "word": 3}
    Tokenizer(models.WordPiece(words, unk_token="[PAD]")).save(str(tmp_path / "encoder" / "tokenizer.json"))
    model = wrap(tmp_path / "encoder", n_memory=3, segment_length=SEGMENT, classes=("garden", "office", "hallway"))
    add_lora(model, rank=2)
    before = F.cross_entropy(model(IDS).logits, torch.tensor([0, 2]))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    before.backward()
    optimizer.step()
    assert F.cross_entropy(model(IDS).logits, torch.tensor([0, 2])) < before
    save_adapter(model, tmp_path / "mine")
    loaded = load(tmp_path / "mine")
    assert torch.equal(loaded(IDS).logits, model(IDS).logits)
    assert loaded.about.classes == ["garden", "office", "hallway"]


def test_the_report_names_the_backbone(backbone, tmp_path):
    save_adapter(wrap(backbone, n_memory=3, segment_length=SEGMENT), tmp_path / "mine", trained=False)
    report = inspect(tmp_path / "mine")
    assert report.ready and report.n_memory == 3 and str(backbone) in report.kind
    assert report.layout == "[3 read memory | 8 tokens | 3 write memory]"
    assert "untrained" in " ".join(report.sentences())
    assert json.loads(json.dumps(report.as_dict()))["layers"] == 2
    assert not load(tmp_path / "mine").about.trained


def test_another_backbone_under_the_same_name_is_refused(backbone, tmp_path):
    save_adapter(wrap(backbone, n_memory=3, segment_length=SEGMENT), tmp_path / "mine")
    tiny("llama", cell="none", seed=5).backbone.model.save_pretrained(backbone)
    with pytest.raises(InputError, match="other weights"):
        load(tmp_path / "mine")


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": {}},
        {"backbone": {"name": "/no/such/place"}},
        {"cell": {"kind": "rmt", "options": {"n_memory": 4}}},
        {"cell": {"kind": "lstm", "options": {}}},
        {"cell": {"kind": "rmt", "options": {"odd": 1}}},
        {"lora": 3},
        {"lora": {"rank": 2}},
        {"lora": {"rank": 10**9, "alpha": 1, "targets": ["q_proj"]}},
        {"lora": {"rank": 2, "alpha": 1, "targets": ["nothing"]}},
        {"segment_length": "many"},
    ],
    ids=str,
)
def test_a_damaged_configuration_gets_a_sentence(backbone, tmp_path, change):
    save_adapter(wrap(backbone, n_memory=3, segment_length=SEGMENT), tmp_path / "mine")
    file = tmp_path / "mine" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError) as error:
        load(tmp_path / "mine")
    assert str(error.value).isprintable()


def test_odd_wishes_get_a_sentence(backbone):
    with pytest.raises(InputError, match="lstm"):
        wrap(backbone, cell="lstm")
    with pytest.raises(InputError, match="smollm2"):
        wrap("no-such-name")
