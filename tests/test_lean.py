import pytest
import torch

from rmt.backbone.families import backbone_config
from rmt.backbone.last_layer import Lean, lean
from rmt.checkpoint.build import build
from rmt.model.unroll import unroll
from rmt.text.segments import Segment


def model_of(family, layers, kind="rmt"):
    torch.manual_seed(0)
    spec = backbone_config(family, layers=layers, width=16, heads=2, vocabulary=50, positions=32, n_classes=3)
    options = {"n_memory": 4, "initial_std": 1.0} if kind == "rmt" else {}
    config = {"cell": {"kind": kind, "options": options}, "segment_length": 10, "backbone": {**spec, "cls_id": 1}}
    config["backbone"]["sep_id"] = 2
    return build(config).double()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_memory_answer_and_gradients_are_those_of_the_whole_encoder(layers):
    model, ids = model_of("bert", layers), torch.randint(3, 50, (3, 34), generator=torch.Generator().manual_seed(1))
    found = []
    for backbone in (model.backbone, lean(model.backbone)):
        model.zero_grad()
        output = model(ids, torch.tensor([0, 1, 2]), backbone=backbone)
        output.loss.backward()
        found.append([output.memory, output.logits, *(p.grad for p in model.parameters() if p.grad is not None)])
    assert len(found[0]) == len(found[1]) > 10
    assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(*found, strict=True))
    assert found[0][0].diff(dim=1).abs().amax() > 0.1


def test_the_last_layer_is_computed_where_it_is_read_alone():
    model, segment = model_of("bert", 2), Segment(torch.randint(3, 50, (3, 10)))
    sizes = []
    model.backbone.layers[-1].intermediate.register_forward_hook(lambda _m, args, _o: sizes.append(args[0].shape[1]))
    for backbone in (model.backbone, lean(model.backbone)):
        for _segment, step, _state in unroll(model.cell, backbone, [segment]):
            assert step.logits.shape == (3, 3)
    assert sizes == [17, 5]  # [CLS], memory, [SEP], tokens, [SEP]; [CLS] and memory


def test_segments_with_padding_are_read_whole():
    model = model_of("bert", 1)
    ids, mask = torch.randint(3, 50, (2, 24)), torch.ones(2, 24, dtype=torch.bool)
    mask[1, 13:] = False
    whole = model(ids, attention_mask=mask)
    assert torch.equal(model(ids, attention_mask=mask, backbone=lean(model.backbone)).memory, whole.memory)


def test_other_backbones_are_left_alone():
    assert isinstance(lean(model_of("bert", 1).backbone), Lean)
    assert not isinstance(lean(model_of("llama", 1).backbone), Lean)
    no_memory = model_of("bert", 1, "none")
    ids = torch.randint(3, 50, (2, 20))
    whole = no_memory(ids).logits
    assert torch.equal(no_memory(ids, backbone=lean(no_memory.backbone)).logits, whole)
