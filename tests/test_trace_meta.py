"""What a trace says of itself is checked as it is opened: pages draw whatever passes, a sentence refuses the rest."""

import copy
import json

import pytest

from rmt.errors import InputError
from rmt.trace import Trace, validate
from rmt.viewer import page, slices
from rmt.viewer.sentence import provenance, title
from rmt_viz.shelf.library import Run

GONE = object()
VALUES = (
    GONE, None, "", "x", "<b>", "x" * 10_000, -1, 0, 1, 2, 10**9, 10**400, 1e308, float("nan"), True, [], ["a"], [[1]],
    {}, {"a": 1},
)  # fmt: skip


def places(value, at=()):
    """Every key and index in nested JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*at, key)
        yield from places(inside, (*at, key))


def changed(meta: dict, at: tuple, value) -> dict:
    meta = copy.deepcopy(meta)
    *way, last = at
    holder = meta
    for key in way:
        holder = holder[key]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return meta


def rewritten(whole: bytes, change):
    """The bytes of a trace with change(meta) as its account of itself."""
    n = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + n])
    header["__metadata__"]["trace"] = json.dumps(change(json.loads(header["__metadata__"]["trace"])))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + whole[8 + n :]


def draw(trace: Trace) -> None:
    """What pages and routes make of a trace."""
    run = Run("live-x", trace, "uploaded")
    provenance(trace, "uploaded"), title(trace), slices.overview(run), page.page(trace, source="uploaded")
    for index in range(trace.done):
        slices.segment(run, index)
        slices.segment(run, index, trace.meta["made_by"]["layers"] - 1, trace.meta["made_by"]["heads"] - 1)


def test_odd_accounts_of_a_run_are_drawn_or_refused(make_trace, tmp_path):
    whole = make_trace(segments=3, fact=1, layers=1, heads=1, length=6).path.read_bytes()
    meta = Trace.open(tmp_path / "toy.trace.safetensors").meta
    path, drawn, refused = tmp_path / "odd", 0, 0
    for at in places(meta):
        for value in VALUES:
            path.write_bytes(rewritten(whole, lambda meta, at=at, value=value: changed(meta, at, value)))
            problems = validate(path)
            if problems:
                refused += 1
                assert all(len(problem) < 300 for problem in problems), (at, value)
                continue
            drawn += 1
            draw(Trace.open(path))
    assert drawn > 50 and refused > 300


@pytest.mark.parametrize("start", ["0", 0.0, True, -1])
def test_a_span_is_counted_in_whole_numbers(make_trace, tmp_path, start):
    whole = make_trace().path.read_bytes()
    odd = rewritten(whole, lambda meta: changed(meta, ("spans", 0, "start"), start))
    (tmp_path / "odd").write_bytes(odd)
    with pytest.raises(InputError, match="a span lies outside the text"):
        Trace.open(tmp_path / "odd")
