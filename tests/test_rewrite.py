"""Text told otherwise: what becomes of tokens, spans and labels."""

import numpy as np
import pytest
import torch
from readings import DETECT, IDS, same, small

from rmt import intervene
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.intervene import read
from rmt.intervene.changes import Move, parse
from rmt.intervene.rewrite import carried, edited


def test_text_is_moved_deleted_and_put_in():
    model, ids = load(DETECT, device="cpu"), np.arange(100, 150)
    new, origin = edited(model, ids, parse("move:11-14:31;delete:21-22;insert:41:Mary;edit:46-47:John"))
    kept = origin >= 0
    assert len(new) == 50 - 2 + 1 - 2 + 1
    assert np.array_equal(new[kept & (origin != 45)], ids[origin[kept & (origin != 45)]])
    assert list(origin[:12]) == [*range(10), 14, 15] and list(origin[24:28]) == [10, 11, 12, 13]
    assert model.tokenizer.decode(new[origin == -1]).strip() == "Mary"
    assert model.tokenizer.decode(new[origin == 45]).strip() == "John"
    spans = [
        {"kind": "fact", "start": 10, "end": 14},
        {"kind": "x", "start": 20, "end": 22},
        {"kind": "q", "start": 45, "end": 48},
    ]
    at = carried(spans, origin)
    assert [span["kind"] for span in at] == ["fact", "q"]
    assert np.array_equal(new[at[0]["start"] : at[0]["end"]], ids[10:14])
    assert at[1] == {"kind": "q", "start": 44, "end": 46}


def test_text_edits_read_from_the_first_segment_that_differs():
    model = small()
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, [Move(26, 28, 30)])
    assert other.first == 3
    ids = IDS[0].tolist()
    assert same(other, read(model, [*ids[:26], *ids[28:30], *ids[26:28], *ids[30:]]))
    with pytest.raises(InputError, match="one document at a time"):
        intervene.intervene(model, read(model, IDS.expand(2, -1)), [Move(26, 28, 30)])


def test_an_edit_changes_the_label_of_the_token_before_it():
    model = small("gpt2", "lm")
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, [Move(24, 25, 30)])
    ids = IDS[0].tolist()
    expected = read(model, [*ids[:24], *ids[25:30], ids[24], *ids[30:]])
    assert torch.equal(other.loss.nan_to_num(), expected.loss.nan_to_num())
