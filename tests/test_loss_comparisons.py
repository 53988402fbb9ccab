"""Comparisons of losses by position: paired over documents, with their standard errors."""

import numpy as np
import pytest

from rmt.evaluate.loss_by_position import Losses, compare, difference, recovered


def made_up(mechanism: str, history: int, control: str = "none", *, loss: float, seed: int = 0) -> Losses:
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(9).normal(0, 2, (20, 1))  # some documents are harder to everybody
    return Losses(mechanism, mechanism, control, history, 20, loss + hard + rng.normal(0, 0.05, (20, 32)))


def test_differences_are_paired_so_that_hard_documents_do_not_hide_them():
    memory, alone = made_up("rmt", 4, loss=3.9, seed=1), made_up("none", 4, loss=4.0, seed=2)
    row = memory.row()
    assert row["documents"] == 20 and len(row["loss"]) == len(row["stderr"]) == 32 and row["mean_stderr"] > 0.2
    found = difference(memory, alone)
    assert found["mean"]["gain"] == pytest.approx(0.1, abs=0.01) and found["mean"]["stderr"] < 0.01
    assert found["first16"]["ratio"] == pytest.approx(found["first16"]["gain"] / found["first16"]["stderr"], rel=0.02)
    assert difference(alone, memory)["mean"]["gain"] == -found["mean"]["gain"]


def test_the_fraction_recovered_and_its_error():
    alone, exact = made_up("none", 4, loss=4.0), made_up("context", 4, loss=3.0, seed=3)
    half = recovered(made_up("rmt", 4, loss=3.5, seed=1), alone, exact)
    assert half["mean"]["fraction"] == pytest.approx(0.5, abs=0.02) and 0 < half["mean"]["stderr"] < 0.02
    assert recovered(exact, alone, exact)["first16"] == {"fraction": 1.0, "stderr": 0.0}


def test_the_error_of_the_fraction_is_a_jackknife_over_documents():
    one, alone, exact = (np.random.default_rng(i).normal(mean, 0.3, (5, 24)) for i, mean in enumerate((3.6, 4.0, 3.0)))
    made = [Losses(name, name, "none", 4, 5, rows) for name, rows in zip("abc", (one, alone, exact), strict=True)]
    found = recovered(*made)
    for name, positions in (("mean", 24), ("first16", 16)):
        gain, whole = ((alone - other)[:, :positions].mean(1) for other in (one, exact))
        left = [np.delete(gain, d).sum() / np.delete(whole, d).sum() for d in range(5)]
        error = np.sqrt(4 / 5 * sum((value - np.mean(left)) ** 2 for value in left))
        assert found[name] == {
            "fraction": pytest.approx(gain.sum() / whole.sum(), abs=1e-4),
            "stderr": pytest.approx(error, abs=1e-4),
        }


def test_rows_and_differences_are_over_documents():
    """Standard errors of the mean, with the sample's variance, to the last figure."""
    one, other = (np.random.default_rng(i).normal(3, 1, (5, 24)) for i in range(2))
    a, b = (Losses(name, name, "none", 4, 15, rows, tail=8) for name, rows in (("a", one), ("b", other)))
    row, means = a.row(), one.mean(1)
    error = np.sqrt(((means - means.mean()) ** 2).sum() / 4 / 5)
    assert (row["mean"], row["mean_stderr"]) == pytest.approx((one.mean(), error), abs=1e-5)
    assert row["loss"] == pytest.approx(one.mean(0), abs=1e-5) and row["documents"] == 5 and row["targets"] == 15
    assert row["first16"] == pytest.approx(one[:, :16].mean(), abs=1e-5)
    assert row["last"] == pytest.approx(one[:, -8:].mean(), abs=1e-5)
    assert row["stderr"][3] == pytest.approx(one[:, 3].std(ddof=1) / np.sqrt(5), abs=1e-5)
    found, gains = difference(a, b), (other - one).mean(1)
    error = gains.std(ddof=1) / np.sqrt(5)
    assert found["mean"]["gain"] == pytest.approx(gains.mean(), abs=1e-5)
    assert found["mean"]["stderr"] == pytest.approx(error, abs=1e-5)
    assert found["mean"]["ratio"] == pytest.approx(gains.mean() / error, abs=0.01)
    assert found["last"]["gain"] == pytest.approx((other - one)[:, -8:].mean(), abs=1e-5)
    assert found["of"]["mechanism"] == "a" and found["against"]["mechanism"] == "b"


def test_comparisons_are_of_the_pairs_that_they_name():
    of = {
        key: made_up(*key[:2], control=key[2], loss=loss, seed=i)
        for i, (key, loss) in enumerate(
            {
                ("rmt", 0, "none"): 4.0, ("rmt", 4, "none"): 3.6, ("rmt", 4, "reset"): 3.95, ("rmt", 4, "other"): 4.1,
                ("rmt", 4, "untrained"): 5.0, ("none", 4, "none"): 4.0, ("context", 4, "none"): 3.2,
            }.items()
        )
    }  # fmt: skip
    found = {}
    for row in compare(list(of.values())):
        pair = tuple(tuple(row[side].values()) for side in ("of", "against" if "against" in row else "exact"))
        found[(row["kind"], *pair)] = row["mean"]
    main, alone = ("rmt", "none", 4), ("none", "none", 4)
    against = [(("rmt", control, 4)) for control in ("reset", "other", "untrained")]
    assert set(found) == {
        ("against no memory", main, alone), ("against no memory", ("context", "none", 4), alone),
        *(("control against no memory", control, alone) for control in against[:2]),
        *(("against its control", main, control) for control in against),
        ("fraction of exact context", main, ("context", "none", 4)), ("more history", main, ("rmt", "none", 0)),
    }  # fmt: skip
    assert found["against its control", main, against[0]]["gain"] == pytest.approx(0.35, abs=0.01)
    assert found["against no memory", main, alone]["gain"] == pytest.approx(0.4, abs=0.01)
    assert found["fraction of exact context", main, ("context", "none", 4)]["fraction"] == pytest.approx(0.5, abs=0.02)


def test_everything_is_compared_that_can_be():
    found = [
        made_up("rmt", 0, loss=4.0), made_up("rmt", 4, loss=3.6), made_up("rmt", 4, "reset", loss=4.0),
        made_up("none", 0, loss=4.0), made_up("none", 4, loss=4.0), made_up("context", 4, loss=3.2, seed=3),
    ]  # fmt: skip
    kinds = [one["kind"] for one in compare(found)]
    assert sorted(set(kinds)) == [
        "against its control", "against no memory", "control against no memory", "fraction of exact context",
        "more history",
    ]  # fmt: skip
    more = next(one for one in compare(found) if one["kind"] == "more history")
    assert (more["of"]["history"], more["against"]["history"], more["mean"]["gain"]) == (4, 0, 0.4)
