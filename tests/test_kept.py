"""Results of samples on disk: what is there is gone on with, and a file that is something else is left alone."""

import json

import pytest

from rmt.errors import InputError
from rmt.evaluate.finished_samples import Kept, confidences, tally

SETTINGS = {"weights": "0123", "seed": 5}


def kept(path):
    lines = Kept(path, SETTINGS)
    lines.add(2, [0, 1], [True, False], [0.9, 0.5], 1.5)
    lines.add(7, [0], [True], [1.0], 3.0)
    return path.read_text()


def test_what_was_kept_is_gone_on_with_wherever_it_was_cut(tmp_path):
    path = tmp_path / "kept"
    whole = kept(path)
    ends = [i + 1 for i, c in enumerate(whole) if c == "\n"]
    for n in range(len(whole) + 1):
        path.write_text(whole[:n])
        again = Kept(path, SETTINGS)
        assert len(again.lines) == max(sum(end <= n for end in ends) - 1, 0)
        again.add(9, [0], [False], [0.25], 0.5)
        assert tally(Kept(path, SETTINGS).lines, 9, 5) == ({0: False}, 0.5)
        assert confidences(Kept(path, SETTINGS).lines, 9, 5) == {0: 0.25}


def test_a_file_of_another_process_is_read_and_never_cut(tmp_path):
    """It may be being written, and a third process may be reading it."""
    path = tmp_path / "kept"
    kept(path)
    path.write_text(path.read_text() + '{"segm')
    before = path.read_text()
    other = Kept(path, SETTINGS, process=1)
    assert len(other.lines) == 2 and path.read_text() == before
    other.add(2, [2], [True], [0.75], 0.5)
    assert len(Kept(path, SETTINGS).lines) == 3 and path.read_text() == before.removesuffix('{"segm')


@pytest.mark.parametrize(
    "text",
    [
        "a shopping list",
        "a shopping list\nof two lines",
        "{}\n",
        "[]\n",
        json.dumps({"settings": SETTINGS}) + "\n[1]\n",
        json.dumps({"settings": SETTINGS}) + '\n{"segments": 2}\n',
        json.dumps({"settings": SETTINGS}) + '\n{"segments": 2, "samples": [1], "right": [], "seconds": 1}\n',
        "[" * 100_000 + "\n",
        "\x00",
    ],
)
def test_a_file_that_is_something_else_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "notes"
    path.write_text(text)
    with pytest.raises(InputError, match="does not hold results of an evaluation"):
        Kept(path, SETTINGS)
    assert path.read_text() == text


def test_results_of_another_evaluation_are_named(tmp_path):
    before = kept(tmp_path / "kept")
    with pytest.raises(InputError, match=r"another evaluation \(seed differ\)"):
        Kept(tmp_path / "kept", {**SETTINGS, "seed": 6})
    assert (tmp_path / "kept").read_text() == before


def test_a_file_from_before_confidences_were_kept_is_read(tmp_path):
    path = tmp_path / "kept"
    line = {"segments": 2, "samples": [0, 1], "right": [True, False], "seconds": 1.0}
    path.write_text("\n".join(json.dumps(one) for one in ({"settings": SETTINGS}, line)) + "\n")
    lines = Kept(path, SETTINGS).lines
    assert tally(lines, 2, 5) == ({0: True, 1: False}, 1.0) and confidences(lines, 2, 5) == {}
