"""Loss, Length and Cost without a browser: with their files, without them, and what the worker does for them."""

import json
from pathlib import Path

import pytest
from app_pages import modules_of, open_page
from streamlit.testing.v1 import AppTest
from tables import losses_row, measured, score

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.findings import one_text
from rmt_viz.forms import length as length_form
from rmt_viz.forms import loss
from rmt_viz.shelf import results
from rmt_viz.shelf.library import Library
from rmt_viz.work import queue, visitors_checkpoint
from rmt_viz.work import score as measuring

ROOT = Path(__file__).parent.parent
PAGES = ("loss", "length", "cost")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder of results that the app reads."""
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(results, "FOLDER", folder)
    monkeypatch.setattr(results.read, "__defaults__", (folder,))
    tables = {
        "length": {"results": [score(7, 1.0), score(64, 0.99), score(12, 1.0, checkpoint="detect", recipe="streams")]},
        "lm": {"results": [losses_row("rmt", 4, 4.5), losses_row("none", 4, 5.0)], "corpus": {"name": "toy"}},
        "lm-smollm2": {"results": [losses_row("rmt", 2, 3.0), losses_row("none", 2, 4.0)]},
        "cost": {"measured": measured("rmt", 1.0, 0.0)},
    }

    def write(*names: str) -> None:
        for name in names:
            (folder / f"{name}.json").write_text(json.dumps({"command": "made here", **tables[name]}))

    return write


@pytest.fixture
def shelf(monkeypatch, make_trace):
    library = Library(make_trace("detect", segments=12).path.parent)
    monkeypatch.setattr(session, "library", lambda: library)
    return library


def run(name: str, **state) -> AppTest:
    return open_page(name, state=state)


def charts(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def titles(at: AppTest) -> list[str]:
    return [chart["layout"]["title"]["text"].replace("<br>", " ") for chart in charts(at)]


@pytest.mark.parametrize(("page", "file"), [("loss", "lm"), ("length", "length"), ("cost", "cost")])
def test_without_its_file_a_page_says_what_makes_it(files, shelf, page, file):
    at = run(page)
    (told,) = at.info
    told = told.value.replace("\\", "")
    assert f"assets/results/{file}" in told and results.MAKES[file].split()[0] in told


def test_a_page_says_what_its_file_says(files, shelf):
    files("lm", "length", "cost")
    assert titles(run("loss"))[0].startswith("With 4 segments of history RMT saves 0.50 nats")
    assert titles(run("length")) == ["Detect: trained on 7 segments, 99.0% at twice that length"]
    assert titles(run("cost"))[0].startswith("OPT-125M: full attention takes ×295 the operations of RMT")
    assert titles(run("cost"))[2] == "Time grows with this power of length: RMT 1.00"


def test_loss_draws_a_pretrained_decoder_beside_the_small_one(files, shelf):
    files("lm")
    at = run("loss", on="With SmolLM2")
    assert "recipes/smollm2.sh" in at.info[0].value.replace("\\", "") and not charts(at)
    files("lm-smollm2")
    assert titles(run("loss", on="With SmolLM2"))[0].startswith("With 2 segments of history RMT saves 1.00 nats")
    at = run("loss", history=4)
    at.segmented_control(key="on").set_value("With SmolLM2").run()
    assert not at.exception and "With 2 segments" in titles(at)[0]


def test_figures_have_words_for_those_who_do_not_see_them(files, shelf):
    files("lm", "length", "cost")
    for page in PAGES:
        alts = [chart.proto.alt for chart in run(page).get("plotly_chart")]
        assert alts and all(len(alt) > 40 for alt in alts), alts


def test_a_point_of_a_length_opens_its_run_or_says_why_not(files, shelf):
    files("length")
    at = run("length", compare="recipes")
    chosen = at.selectbox(key="length point")
    assert chosen.value.segments == 64, "the farthest first"
    assert "is not here" in at.caption[-1].value
    near = next(option for option in at.session_state["length curves"][1].scores if option.segments == 12)
    chosen.set_value(near).run()
    assert at.get("page_link")[0].proto.label == "Open the recorded run of 12 segments"


def test_counting_otherwise_gives_another_ratio(files):
    at = run("cost")
    at.toggle(key="causal").set_value(True).run()
    assert not at.exception and titles(at)[0].startswith("OPT-125M: full attention takes ×153")
    at.selectbox(key="model").select("another model …").run()
    at.number_input(key="typed Layers").set_value(2).run()
    assert not at.exception and titles(at)[0].startswith("Your model: full attention takes")


def test_one_text_needs_a_run_with_its_control(files, shelf, make_trace):
    at = run("loss", on="One text")
    assert "no recorded run of a language model" in at.info[0].value
    make_trace("lm", loss=True)
    reset = make_trace("lm.reset", loss=True, control="reset")
    at = run("loss", on="One text")
    assert reset.done and at.selectbox(key="loss text").value == "lm" and len(charts(at)) == 1


def test_the_result_of_an_own_text_is_shown_at_once(files, shelf, make_trace):
    for name, segments in (("lm", 8), ("other", 6)):
        make_trace(name, loss=True, segments=segments)
        make_trace(f"{name}.reset", loss=True, segments=segments, control="reset")
    at = run("loss", on="One text")
    assert at.selectbox(key="loss text").value == "lm"
    at.session_state["wanted text"] = "other"  # as the page holds it when the job has ended
    at.run()
    assert at.selectbox(key="loss text").value == "other"
    at.selectbox(key="loss text").select("lm").run()
    assert at.selectbox(key="loss text").value == "lm", "shown once, not for ever"


def test_scores_of_ones_own_are_drawn_among_those_of_their_task(files, shelf, monkeypatch):
    files("length")
    row = {name: value for name, value in score(4, 0.5).items() if name not in ("seconds", "segment_length")}
    own = [results.Score(**row | {"task": "memorize", "checkpoint": "mine"})]
    monkeypatch.setattr(session, "own_scores", lambda: own)
    at = run("length")
    assert not any("mine" in trace.get("name", "") for trace in charts(at)[0]["data"])
    assert "mine are of another task" in at.info[0].value
    assert any("mine" in trace.get("name", "") for trace in charts(run("length", compare="far"))[0]["data"])


def test_the_folder_of_ones_own_is_scored_whatever_the_list_says(files, shelf, monkeypatch):
    wanted = []
    monkeypatch.setattr(length_form.requests, "start_scoring", lambda of, *_: wanted.append(of))
    at = run("length")
    at.text_input(key="score folder").set_value("runs/mine")
    next(button for button in at.button if button.label == "Score").click().run()
    assert wanted[0].name == "runs/mine" and wanted[0].shipped is None


def test_what_is_asked_of_a_form_is_checked(files, shelf):
    at = run("length")
    at.multiselect(key="score lengths").set_value([])
    at.button[-1].click().run()
    assert "one length at least" in at.error[0].value
    at = run("loss", on="One text")
    at.text_area(key="pair text").set_value("")
    at.text_input(key="pair folder").set_value("somewhere")
    at.button[-1].click().run()
    assert "empty" in at.error[0].value


def test_a_form_starts_a_job_and_shows_how_far_it_is(files, shelf, monkeypatch):
    class Waits:  # a worker whose turn never comes
        def submit(self, work, about=None, *_):
            return queue.Job(work, about)

    monkeypatch.setattr(session, "worker", Waits)
    for page, key, state in (("length", "score", {}), ("loss", "pair", {"on": "One text"})):
        at = run(page, **state)
        submit = next(button for button in at.button if button.label in ("Score", "Read it with memory, and without"))
        if page == "loss":
            at.text_input(key="pair folder").set_value("somewhere")
            at.selectbox(key="pair model").set_value(loss.OWN)
        submit.click().run()
        assert not at.exception and not at.error, (at.exception, at.error)
        assert at.session_state[key].state == "waiting"
        next(button for button in at.button if button.label == "Cancel").click().run()
        assert key not in at.session_state, "cancelled"


def test_opening_a_page_of_results_or_causes_loads_no_torch():
    pages = ("loss", "length", "cost", "what_if", "facts", "why")
    assert not {"torch", "transformers", "captum"} & modules_of(*pages)


# What the worker does.


@pytest.fixture(scope="module")
def detect():
    from rmt.checkpoint import load

    return load(ROOT / "assets" / "checkpoints" / "detect", device="cpu")


def test_a_checkpoint_is_scored_with_its_control(detect):
    rows, seen = [], []
    measuring.score(detect, [1, 2], 4, ("none", "reset"), rows, lambda done, total: seen.append((done, total)))
    assert [(row.segments, row.control) for row in rows] == [(1, "none"), (2, "none"), (1, "reset"), (2, "reset")]
    assert all(row.low <= row.accuracy <= row.high and row.samples == 4 for row in rows)
    assert seen[-1] == (2 * 3 * 4 * 64,) * 2 and seen == sorted(seen)


def test_a_scoring_that_would_take_all_day_is_refused(detect):
    with pytest.raises(InputError, match="python -m rmt evaluate"):
        measuring.score(detect, [4096], 1000, ("none",), [], lambda done, total: None)


def test_a_sample_is_recorded_at_a_length(detect):
    trace = measuring.sample(detect, 3, lambda done, total: None)
    assert trace.n_segments == 3 and trace.meta["task"] == "detect" and trace.meta["label"] is not None


def test_a_classifier_has_no_loss(detect):
    with pytest.raises(InputError, match="predicts no next token"):
        measuring.pair(detect, "John went home. " * 40, lambda done, total: None)


def test_a_text_is_read_with_memory_and_without():
    from foreign import tiny

    seen, model = [], tiny()
    model.about.trained = True
    trace, reset = measuring.pair(model, list(range(20)), lambda done, total: seen.append((done, total)))
    assert trace.meta["control"] is None and reset.meta["control"] == "reset" and one_text.comparable(trace, reset)
    n = trace.n_segments
    assert seen == [(i + 1, 2 * n) for i in range(2 * n)]
    with pytest.raises(InputError, match="fits into one segment"):
        measuring.pair(tiny(), [1, 2], lambda done, total: None)


def test_a_pair_can_be_cancelled_between_its_runs():
    from foreign import tiny

    job = queue.Job(lambda progress: measuring.pair(tiny(), list(range(40)), progress))
    told = job.progress
    job.progress = lambda done, total: (job.stop.set() if done == total // 2 else None, told(done, total))
    job.run()
    assert job.state == "cancelled" and job.done < job.total


def test_names_of_checkpoints_stay_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(visitors_checkpoint, "ROOT", tmp_path)
    with pytest.raises(InputError), visitors_checkpoint.opened(visitors_checkpoint.CheckpointChoice("../outside")):
        pass
