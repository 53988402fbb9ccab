"""Documents recorded together: each gets the trace that it would have got alone, to rounding."""

from itertools import product

import numpy as np
import pytest
from families import VOCABULARY
from test_cuda_graph import plain
from test_recorder import AROUND, FORMS, StopError, small, stop_after

from rmt.recorder import record, record_all
from rmt.recorder.batches import plan
from rmt.trace import Trace, validate


def documents(*lengths):
    rng = np.random.default_rng(7)
    return [rng.integers(3, VOCABULARY, n) for n in lengths]


@pytest.mark.parametrize(
    ("name", "cell", "graph"),
    [
        *product(["gpt2", "bert"], FORMS, [False, True]),
        *(("gpt2", cell, False) for cell in AROUND if cell not in FORMS),
    ],
)
def test_documents_recorded_together_are_those_recorded_alone(monkeypatch, captured, name, cell, graph):
    """To rounding: a product of a batch may add in another order."""
    model, texts, seen = small(name, cell), documents(25, 25, 43, 9, 30), []
    labels = [{"label": i if name == "bert" else None, "seed": i} for i in range(5)]

    def together():
        return record_all(
            model, texts, known=labels, detail="thin", progress=lambda done, total: seen.append((done, total))
        )

    traces = together() if graph else plain(monkeypatch, together)
    assert seen == [(i + 1, 15) for i in range(15)] and [t.meta["seed"] for t in traces] == [0, 1, 2, 3, 4]
    for text, trace, about in zip(texts, traces, labels, strict=True):
        alone = plain(monkeypatch, lambda text=text, about=about: record(model, text, detail="thin", **about))
        assert validate(trace.path) == [] and trace.complete and trace.meta == alone.meta
        for field in alone.arrays:
            if field not in ("crc", "read", "write"):
                assert np.allclose(trace.arrays[field], alone.arrays[field], atol=1e-6, equal_nan=True), field
        assert np.allclose(trace.memory, alone.memory, rtol=0, atol=1e-12)
        for field in ("read", "write"):  # of half precision
            assert np.allclose(trace.arrays[field], alone.arrays[field], rtol=0, atol=1e-3)


def test_documents_recorded_together_go_on_where_each_was_left(tmp_path):
    model, texts = small(), documents(45, 83, 60)
    known = [{"out": tmp_path / f"{i}"} for i in range(3)]
    for n in (1, 3, 7, 11):
        with pytest.raises(StopError):
            record_all(model, texts, known=known, progress=stop_after(n))
        assert sum(Trace.open(about["out"]).done for about in known) == n
    for text, trace in zip(texts, record_all(model, texts, known=known), strict=True):
        assert trace.complete and abs(trace.memory - record(model, text).memory).max() < 1e-12


@pytest.mark.parametrize(
    ("lengths", "done", "expected"),
    [
        ([[9, 9, 9, 4]], [0], [([0], 0, 3), ([0], 3, 1)]),
        ([[9]], [0], [([0], 0, 1)]),
        ([[9, 9]], [2], []),
        ([[5, 9, 9, 9]], [0], [([0], 0, 1), ([0], 1, 2), ([0], 3, 1)]),
        ([[9, 9, 9, 4], [9, 9, 9, 9]], [0, 0], [([0, 1], 0, 3), ([0], 3, 1), ([1], 3, 1)]),
        ([[9, 9, 2], [9, 9, 9, 9]], [0, 0], [([0, 1], 0, 2), ([0], 2, 1), ([1], 2, 1), ([1], 3, 1)]),
        ([[9, 9, 9, 9], [9, 9, 9, 9]], [2, 1], [([1], 1, 1), ([0, 1], 2, 1), ([0, 1], 3, 1)]),
    ],
)
def test_which_documents_read_what_together(lengths, done, expected):
    assert list(plan(lengths, done)) == expected
