from itertools import pairwise

import pytest
import torch

from rmt.errors import InputError
from rmt.text.segments import IGNORE, cuts, split


@pytest.mark.parametrize(
    ("alignment", "lengths"), [("left", [10, 10, 10, 7]), ("right", [7, 10, 10, 10]), ("center", [10, 10, 10, 7])]
)
def test_alignment_says_which_segment_is_short(alignment, lengths):
    cut = cuts(37, 10, alignment)
    assert [b - a for a, b in cut] == lengths
    assert cut[0][0] == 0 and cut[-1][1] == 37
    assert all(a[1] == b[0] for a, b in pairwise(cut))


def test_center_makes_near_equal_parts():
    assert [b - a for a, b in cuts(21, 10, "center")] == [7, 7, 7]


def test_labels_are_shifted_once_on_the_document_so_boundaries_are_scored():
    ids = torch.arange(7)[None]
    segments = split(ids, 3, labels=ids)
    assert [s.labels[0].tolist() for s in segments] == [[1, 2, 3], [4, 5, 6], [IGNORE]]
    assert torch.equal(torch.cat([s.ids for s in segments], dim=1), ids)


def test_mask_is_cut_like_ids():
    ids = torch.arange(5)[None]
    mask = torch.tensor([[0, 1, 1, 1, 0]])
    assert [s.mask[0].tolist() for s in split(ids, 2, mask=mask)] == [[0, 1], [1, 1], [0]]


@pytest.mark.parametrize(("n", "length", "alignment"), [(0, 4, "left"), (4, 0, "left"), (4, 4, "top")])
def test_bad_input_gets_a_sentence(n, length, alignment):
    with pytest.raises(InputError):
        cuts(n, length, alignment)
