"""How a model learned: curves from its metrics, one text over training, a small run, and the page of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.figures import train as figures
from rmt_viz.findings import train as growth
from rmt_viz.findings.train import Reading
from rmt_viz.shelf.library import Library
from rmt_viz.work import queue
from rmt_viz.work import train as training

ROOT = Path(__file__).parent.parent
SHIPPED = [ROOT / "assets" / "checkpoints" / name / "metrics.jsonl" for name in ("memorize", "detect", "reasoning")]


def line(step: int, stage: str, **more) -> dict:
    return {"step": step, "tokens": 64 * step, "seconds": step / 10, "stage": stage, "loss": 1 / step, **more}


LINES = [
    line(10, "1 segment", accuracy=0.2), line(20, "1 segment", accuracy=0.9), line(30, "2 segments", accuracy=0.8),
    line(80, "2 segments", accuracy=1.0), line(90, "streaming", accuracy=1.0, stream_loss=0.1, stream_accuracy=0.9),
]  # fmt: skip


def test_stages_and_what_they_cost():
    found = growth.stages(LINES)
    assert [(stage.name, stage.first, stage.last) for stage in found] == [
        ("1 segment", 0, 1), ("2 segments", 2, 3), ("streaming", 4, 4),
    ]  # fmt: skip
    assert [growth.steps_of(stage, LINES) for stage in found] == [20, 60, 10]
    assert growth.finding(LINES) == (
        "“2 segments” is the hardest stage: 60 of 80 steps of the curriculum, then 10 steps of streams"
    )
    assert growth.curriculum(LINES) == LINES[:4]
    table = growth.table(LINES)
    assert table["stream_loss"][-1] == 0.1 and np.isnan(table["stream_loss"][0]) and table["stage"][2] == "2 segments"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_shipped_curves_can_be_drawn(path):
    lines = growth.read(path)
    figure = figures.curves(lines, growth.finding(lines), by="tokens", theme="dark")
    assert len(figure.data) == 4 and list(figure.data[0].x) == [line["tokens"] for line in lines]
    assert len({len(column) for column in growth.table(lines).values()}) == 1


def test_metrics_that_are_cut_short_or_missing(tmp_path):
    file = tmp_path / "metrics.jsonl"
    with pytest.raises(InputError, match="has no metrics"):
        growth.read(file)
    file.write_text(json.dumps(LINES[0]) + "\n" + '{"step": 2')
    assert growth.read(file) == LINES[:1]
    file.write_text("")
    with pytest.raises(InputError, match="holds no line"):
        growth.read(file)


def test_what_the_readings_say():
    grown = [Reading("untrained", 0, (0.1, 0.1, 0.1), "a"), Reading("", 10, (0.1, 0.9, 0.1), "")]
    assert growth.reading_finding(grown) == "At no moment of training does it know the answer after all 2 segments"
    grown.append(Reading("at the end", 20, (0.1, 0.9, 0.8), "b"))
    assert growth.reading_finding(grown) == "From step 20 on it knows the answer after all 2 segments"
    assert growth.reading_finding([*grown, grown[0]]).endswith("at step 20, not always since")
    figure = figures.readings(grown, "x")
    assert figure.data[0].z[2][2] == 0.8 and figure.data[0].y[0] == "step 0 · untrained"
    assert len(growth.reading_table(grown)["P(answer)"]) == 9


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Stages that end after a batch of a few documents."""
    pace = {"batch": 4, "log_every": 1, "threshold": 0.0, "window": 1}
    monkeypatch.setattr(training, "PACE", training.PACE | pace)
    monkeypatch.setattr(training, "SHAPE", training.SHAPE | {"layers": 1, "width": 16, "heads": 2})
    return Library(tmp_path), ROOT / "assets" / "checkpoints" / "memorize" / "tokenizer.json"


def test_a_small_run_trains_reads_and_ends_in_a_run(quick):
    shelf, tokenizer = quick
    grown, seen = training.TrainingLog("x"), []
    id = training.train(training.Plan(2), grown, shelf, tokenizer, lambda *at: seen.append(at))
    assert [line["stage"] for line in grown.lines] == ["1 segment", "2 segments"] and seen[-1][1] == 2
    assert [reading.label for reading in grown.readings] == ["untrained", "after 1 segment", "at the end"]
    assert all(len(reading.knows) == 2 + training.BEYOND + 1 and shelf.has(reading.run) for reading in grown.readings)
    first, last = (shelf.open(grown.readings[i].run).trace for i in (0, -1))
    assert first.meta["control"] == "untrained" and last.meta["control"] is None and grown.readings[-1].run == id
    assert np.array_equal(first.arrays["ids"], last.arrays["ids"]), "the same text at every moment"
    assert not np.array_equal(first.memory, last.memory)
    assert {shelf.open(f"{id}.{control}").trace.meta["control"] for control in ("reset", "untrained")} == {
        "reset", "untrained",
    }  # fmt: skip


def test_a_small_run_stops_where_it_is(quick):
    shelf, tokenizer = quick
    grown = training.TrainingLog("x")
    job = queue.Job(lambda progress: training.train(training.Plan(3), grown, shelf, tokenizer, progress), grown)
    job.stop.set()
    job.run()
    assert job.state == "cancelled"
    job = queue.Job(lambda progress: training.train(training.Plan(3), grown, shelf, tokenizer, progress), grown)
    job.progress = lambda *at: [job.stop.set(), queue.Job.progress(job, *at)]
    job.run()
    assert job.state == "cancelled" and len(grown.lines) == 1


def test_stages_that_ship_are_read_in_order(quick, make_trace, tmp_path):
    shelf, tokenizer = quick
    from rmt.train import TrainConfig, Trainer

    config = TrainConfig("memorize", segments=2, keep_stages=True, **training.SHAPE, **training.PACE)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    for _ in Trainer(config, folder, cpu=True).steps():
        pass
    stages = training.stages_of(folder)
    assert [stage.name for stage in stages] == ["1", "2"] and training.stages_of(tmp_path) == []
    assert training.stages_of(ROOT / "assets" / "checkpoints" / "detect"), "they ship beside the checkpoint"
    grown = training.TrainingLog("x")
    training.reread(stages, make_trace(length=32), grown, shelf, lambda *at: None)
    assert [reading.label for reading in grown.readings] == ["after 1 segment", "after 2 segments"]
    assert shelf.open(grown.readings[0].run).trace.meta["made_by"]["checkpoint"] == "toy, after stage 1"


@pytest.mark.parametrize("name", ["detect", "memorize", "reasoning"])
def test_stages_read_the_text_whatever_their_tokenizer(name):
    """The stages that ship have smaller vocabularies than the model beside them: its ids mean nothing to them."""
    shelf, grown = Library(), training.TrainingLog("x")
    trace = shelf.open(name).trace
    last = training.stages_of(ROOT / "assets" / "checkpoints" / name)[-1]
    training.reread([last], trace, grown, shelf, lambda *at: None)
    read = shelf.open(grown.readings[0].run).trace
    texts = [of.token_texts(0, len(of.arrays["ids"])) for of in (trace, read)]
    assert texts[0] != texts[1] and "".join(texts[0]) == "".join(texts[1]), "the same text in other tokens"
    assert read.meta["label"] == trace.meta["label"]
    assert growth.knows_at_the_end(grown.readings[0]), "the last stage has learned it"


def test_the_page_shows_what_was_recorded_and_what_grows(monkeypatch):
    from rmt_viz.forms import train as own_training

    grown = training.TrainingLog("a sample", list(LINES), [Reading("untrained", 0, (0.1, 0.2), "nowhere")])
    monkeypatch.setattr(own_training, "log_of", lambda slot: grown if slot == "train" else None)

    def script():
        from rmt_viz.pages import train

        train.page()

    at = AppTest.from_function(script, default_timeout=60).run()
    assert not at.exception, at.exception
    names = [json.loads(part.proto.json)["name"] for part in at.get("bidi_component")]
    assert names == ["training-detect", "training-yours", "yours-readings"]
    assert "hardest stage" in at.get("plotly_chart")[0].proto.alt
    monkeypatch.setattr(session, "checkpoints", lambda: {})
    assert "train one below" in at.run().error[0].value
