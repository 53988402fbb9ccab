"""The path of a cause: planted shares are found exactly, and cuts add up to the exchange."""

import numpy as np
import pytest
import torch
from planted import GAIN, placed, planted
from test_attribute import IDS, parts

from rmt.causes.attribute import by_token, output_of
from rmt.causes.path import MOMENTS
from rmt.causes.paths import answers_path, cut_together, path_from
from rmt.causes.why import counting
from rmt.causes.without_words import until, without_words
from rmt.errors import InputError
from rmt.evaluate.gallery import fresh
from rmt.intervene import edges, recalled
from rmt.recorder import record
from rmt.tasks.base import PLACES

SHARES = (0.5, 0.3, 0.2)


def run(segments: int = 6, *, seed: int = 1, control: str | None = None, **options):
    """A planted model of places, a recorded run of it, its reading, and where its fact stands."""
    model = placed(shares=SHARES, **options)
    example, known = fresh(model, segments, seed)
    trace = record(model, example.ids, detail="memory", control=control, **known)
    fact = next(span for span in example.spans if span.kind == "fact")
    return model, trace, recalled(model, trace), (fact.start, fact.end)


@pytest.fixture(scope="module")
def made():
    return run()


# Planted shares.


@pytest.mark.parametrize("keep", [1.0, 0.8])
def test_the_shares_are_those_that_were_planted(keep):
    model, trace, reading, (start, end) = run(keep=keep)
    found = answers_path(model, trace, reading)
    place = found["output"]
    assert (found["start"], found["end"]) == (start, end) and place in found["text"]
    assert found["exchanged"] == found["text"].replace(place, found["other"])
    assert found["moments"] == list(range(trace.segment_of(end - 1) + 1, trace.n_segments))
    assert np.allclose(found["slots"], SHARES, atol=1e-4) and np.allclose(found["read"], SHARES, atol=1e-4)
    assert np.allclose(found["carry"], np.diag(SHARES), atol=1e-4), "each slot hands on to itself alone"
    word = [each["text"].strip() for each in found["words"]].index(place)
    told = np.array(found["into"])
    assert np.allclose(told[word], SHARES, atol=1e-4) and not np.delete(told, word, 0).any(), "the place alone counts"


def test_the_probabilities_behind_a_share_are_those_of_the_cut(made):
    model, trace, reading, _ = made
    found = answers_path(model, trace, reading)
    state = model.cell.initial(1).sum(1)[0].numpy()

    def p(of: float, other: float) -> float:
        counts = state.copy()
        counts[PLACES.index(found["output"])] += of
        counts[PLACES.index(found["other"])] += other
        return float(torch.from_numpy(GAIN * counts).softmax(-1)[PLACES.index(found["output"])])

    assert found["p"][0][0] == pytest.approx(p(1, 0), abs=1e-4) and found["p"][1][0] == pytest.approx(p(0, 1), abs=1e-4)
    assert found["p_read"] == pytest.approx([p(1 - share, share) for share in SHARES], abs=1e-4)
    assert found["reset"] == [found["reset"][0]] * 3, "with memory reset no cut changes anything"
    assert found["reset"][0][0] == pytest.approx(p(0, 0), abs=1e-4)


def test_all_edges_of_a_moment_cut_together_are_the_exchange(made):
    model, trace, reading, words = made
    found = answers_path(model, trace, reading)
    first, _, *_ = found["moments"]
    every = {
        "read": [edges.Read(i) for i in range(3)],
        "carry": [edges.Carry(first, i, j) for i in range(3) for j in range(3)],
        "into": [edges.Into(w, i) for w in range(len(found["words"])) for i in range(3)],
    }
    for kind, cut in every.items():
        together = cut_together(model, trace, *words, cut)
        assert together["cut"] == pytest.approx(found["p"][1], abs=1e-4), kind
        assert together["reset"] == pytest.approx(found["reset"][0], abs=1e-4), kind
        one = cut_together(model, trace, *words, cut[:1])["cut"][0]
        alone = {"read": found["p_read"][0], "carry": found["p_carry"][0][0][0], "into": found["p_into"][0][0]}
        assert one == pytest.approx(alone[kind], abs=1e-4), "one edge alone, as the path has it"
    assert cut_together(model, trace, *words, [])["cut"] == pytest.approx(found["p"][0], abs=1e-4)


def test_a_long_path_has_a_few_moments():
    model, trace, reading, _ = run(24)
    found = answers_path(model, trace, reading)
    first = trace.segment_of(found["end"] - 1) + 1
    assert first + MOMENTS < 23 and len(found["moments"]) == MOMENTS
    assert (found["moments"][0], found["moments"][-1]) == (first, 23)
    assert np.allclose(found["carry"], np.diag(SHARES), atol=1e-4)


def test_any_word_can_be_followed_and_most_lead_nowhere(made):
    model, trace, _, (start, end) = made
    noise = 0 if start > 3 else end
    found = path_from(model, trace, noise, noise + 1)
    assert found["words"][0]["text"] == trace.token_texts(noise, noise + 1)[0] and found["p"][0] == found["p"][1]
    assert not np.any(found["slots"]) and not np.any(found["carry"])
    with pytest.raises(InputError, match="stand in the last segment"):
        path_from(model, trace, len(trace.arrays["ids"]) - 3, len(trace.arrays["ids"]) - 2)
    with pytest.raises(InputError, match="no tokens"):
        path_from(model, trace, 10**6, 10**6 + 1)
    with pytest.raises(InputError, match="no edge read:9"):
        cut_together(model, trace, start, end, edges.parse("read:9"))


def test_in_a_reset_run_nothing_arrives():
    model, trace, reading, _ = run(control="reset")
    found = answers_path(model, trace, reading)
    assert found["p"][0] == found["p"][1] and not np.any(found["slots"]) and not np.any(found["into"])


# Edges as text.


def test_edges_are_written_as_they_are_read():
    text = "into:6>3;carry@5:3>2;read:2"
    assert edges.write(edges.parse(text)) == text and edges.parse(f"{text}; read:2") == edges.parse(text)
    assert edges.parse("carry@5:3>2") == (edges.Carry(5, 2, 1),) and edges.parse("") == ()
    for bad in ("read:0", "into:1", "carry:1>2", "<b>", ";".join(["read:1", *[f"read:{i}" for i in range(2, 99)]])):
        assert edges.valid(bad) is None


# Words without, beside their gradients.


def test_a_planted_word_taken_away_loses_what_its_gradient_says():
    model = planted()
    from rmt.intervene import read

    reading = read(model, IDS)
    each, mean = parts(model)
    output = output_of(model, reading, 0)
    lost = without_words(model, reading, output, range(14))
    assert np.allclose(lost, (each[:, 0] - mean[0]).numpy(), atol=1e-10)
    assert np.allclose(lost, by_token(model, reading, output).values, atol=1e-9), "of a straight line both are one"
    assert np.allclose(without_words(model, reading, output, [1, 9]), lost[[1, 9]])
    assert counting(reading, np.arange(14.0), np.zeros(4)) == list(range(14))


def test_a_token_of_a_language_model_is_explained_from_the_run_up_to_it():
    from foreign import tiny

    from rmt.intervene import read

    model = tiny("gpt2", "rmt", head="lm").double().eval()
    reading = read(model, IDS + 3)
    for position in (1, 4, 5, 13):
        part, output = until(reading, position)
        step = model.cell.step(model.backbone, part.segments[-1], part.states[-2])[0]
        whole = model(reading.ids).logits[0, position - 1]
        assert output.of(step)[0] == pytest.approx(float(whole[reading.ids[0, position]]), abs=1e-9)
    with pytest.raises(InputError, match="follows another"):
        until(reading, 0)
