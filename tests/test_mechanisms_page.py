"""Mechanisms: what its words and figures are made of, the page with and without its file, a text of one's own.

All of one page, so the file has more than 300 lines.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from app_pages import open_page
from foreign import tiny
from streamlit.testing.v1 import AppTest
from tables import losses_row, recalled

from rmt.checkpoint import save
from rmt.checkpoint.build import build
from rmt.errors import InputError
from rmt.evaluate import mechanisms as engine
from rmt.memory import CELLS
from rmt.memory.words import FAMILIES, WORDS
from rmt.text.tokenizer import train_tokenizer
from rmt_viz import session
from rmt_viz.figures import mechanisms as figures
from rmt_viz.findings import claims, mechanisms
from rmt_viz.shelf import results
from rmt_viz.work import mechanisms as comparing

SHARED = Path(__file__).parent.parent / "assets" / "results" / "mechanisms.json"
TEXT = "the keeper of the light wrote the weather in the log and wound the clock again. " * 20


def row(mechanism: str, numbers: int, *, operations: int = 100, loss=(), seen=None, **options) -> dict:
    triangle = np.tril(np.ones((8, 8), int)) if seen is None else seen
    return {
        "mechanism": mechanism, "checkpoint": f"lm-{mechanism}" if loss else "", "options": options,
        "segment_length": 128, "numbers": [numbers] * 4, "parameters": 7, "operations": operations, "read": 16,
        "write": 16, "seen": np.array(triangle).tolist(), "loss": list(loss),
    }  # fmt: skip


ROWS = [
    row("none", 0, loss=(3.0, 3.0, 3.2)),
    row("transformer-xl", 4000, operations=150, loss=(3.0, 2.8, 3.0)),
    row("rmt", 200, operations=125, loss=(3.0, 2.9, 3.1)),
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder of results that the app reads."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(results.read, "__defaults__", (tmp_path,))

    def write(name: str, rows: list, **about) -> results.Results:
        (tmp_path / f"{name}.json").write_text(json.dumps({"command": "made here", **about, "results": rows}))
        return results.read(name)

    return write


def run(**state) -> AppTest:
    return open_page("mechanisms", state=state)


def titles(at: AppTest) -> list[str]:
    charts = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    return [chart["layout"]["title"]["text"].replace("<br>", " ") for chart in charts]


# Words and numbers.


def test_the_engine_and_the_page_cut_the_picture_alike():
    assert mechanisms.SEGMENTS == engine.SEEN_SEGMENTS


def test_every_mechanism_has_a_name_and_a_sentence(files):
    assert CELLS.keys() == mechanisms.CROSSES.keys() == set(mechanisms.NAMES)
    options = {"n_cache": 64, "n_memory": 32, "rate": 4}
    found = files("mechanisms", [row(name, 10, **options) for name in CELLS]).rows
    told = {one.mechanism: mechanisms.crosses(one) for one in mechanisms.ordered(found)}
    assert next(iter(told)) == "rmt" and all("{" not in words for words in told.values())
    assert "last 64 tokens, and 32 averages of 4" in told["compressive"] and "16 memory tokens" in told["rmt"]
    assert mechanisms.crosses(files("mechanisms", [row("new one", 10)]).rows[0]).startswith("See its file")


def test_who_carries_most_is_said_of_what_is_shown(files):
    rows = files("mechanisms", ROWS).rows
    told = mechanisms.spread(mechanisms.ordered(rows))
    assert told == "RMT carries 200 numbers from segment to segment, Transformer-XL 4,000: 20 times as many"
    said = mechanisms.spread(rows[:2])
    assert said == "Transformer-XL carries 4,000 numbers from segment to segment, no memory nothing"
    assert mechanisms.spread(rows[:1]) == "Who sees whom", "nothing to compare with"


def test_what_grows_is_said_to_grow(files):
    grows = row("rmt-r", 10) | {"numbers": [10, 20, 30]}
    found = files("mechanisms", [grows, *ROWS]).rows
    assert [mechanisms.carried(one) for one in found] == [
        "30, growing",
        "nothing carried",
        "4,000 numbers",
        "200 numbers",
    ]


def test_cost_is_told_against_no_memory_where_that_is_known(files):
    rows = files("mechanisms", ROWS).rows
    least = mechanisms.alone(rows)
    assert [mechanisms.times(one, least) for one in rows] == ["×1.00", "×1.50", "×1.25"]
    assert mechanisms.times(rows[1], mechanisms.alone(rows[1:])) == ""
    cells = mechanisms.table(rows, least)
    assert cells["in float32"] == ["0 B", "16 kB", "800 B"] and cells["against no memory"][1] == "×1.50"


def test_what_the_numbers_buy(files):
    rows = files("mechanisms", ROWS).rows
    lm = [losses_row("rmt", 0, 9.0), losses_row("rmt", 4, 4.5), losses_row("rmt", 4, 1.0, control="reset")]
    lm += [losses_row("none", 4, 5.0), losses_row("transformer-xl", 4, 4.0), losses_row("armt", 4, 1.0)]
    found = mechanisms.points(rows, files("lm", lm).rows)
    assert {(p.mechanism, p.numbers, p.loss) for p in found} == {
        ("none", 0, 4.0), ("transformer-xl", 4000, 3.5), ("rmt", 200, 3.75)
    }  # fmt: skip
    assert (
        mechanisms.bought(found) == "With 5% of the numbers of Transformer-XL, RMT saves 50% of the loss that it saves"
    )
    worse = mechanisms.points(rows, files("lm", [*lm[3:5], losses_row("rmt", 4, 6.0)]).rows)
    assert mechanisms.bought(worse).endswith("RMT saves nothing")
    assert mechanisms.bought(found[:1]).startswith("Loss against")


def test_one_text_is_told_of_the_segments_that_have_a_past(files):
    rows = mechanisms.ordered(files("mechanisms", ROWS).rows)
    saved = mechanisms.courses(rows, mechanisms.SAVED)
    assert [line.name for line in saved] == ["RMT", "Transformer-XL"]
    assert np.allclose(saved[0].y, [0, 0.1, 0.1]) and np.allclose(saved[1].y, [0, 0.2, 0.2])
    told = "Over the 2 segments after the first Transformer-XL saves most: 0.20 nats a token"
    assert mechanisms.course_finding(saved, mechanisms.SAVED) == told
    losses = mechanisms.courses(rows, mechanisms.LOSS)
    assert len(losses) == 3 and "Transformer-XL has the lowest loss: 2.90" in mechanisms.course_finding(
        losses, mechanisms.LOSS
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seen": [[1, 0], [1]]}, "'seen'"), ({"seen": []}, "'seen'"), ({"seen": [[-1]]}, "'seen'"),
        ({"numbers": []}, "'numbers'"), ({"options": 3}, "'options'"), ({"operations": "9"}, "'operations'"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_a_sentence(files, change, told):
    with pytest.raises(InputError, match=told):
        files("mechanisms", [ROWS[0] | change])


# Figures.


def test_the_picture_is_what_is_seen(files):
    seen = np.tril(np.ones((8, 8), int))
    seen[4:, :4] = 4  # two segments of four tokens, the first in one place
    rows = files("mechanisms", [row("rmt", 200, seen=seen), *ROWS[:2]]).rows
    figure = figures.sight(rows[:2], "told", segments=2)
    assert len(figure.data) == 2
    z = figure.data[0].z
    assert (z[4:, :4] == 0).all() and z[0, 0] == figures.OWN and np.isnan(z[0, 1])
    assert "with 3 others" in figure.data[0].customdata[5][0]
    titles = [one.text for one in figure.layout.annotations]
    assert "<b>RMT</b><br>200 numbers" in titles and figure.layout.title.text == "told"
    assert sum(trace.showscale for trace in figure.data) == 1
    cells = mechanisms.sight_table(rows[:1])
    assert len(cells["mechanism"]) == int((seen > 0).sum()) and max(cells["tokens that share its place"]) == 4


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_points_and_courses_are_drawn_as_they_are(files, theme):
    point = mechanisms.Point
    found = [point("a", "rmt", 100, 3.0, 0.1), point("b", "none", 0, 4.0, 0.1), point("c", "armt", 100, 3.0, 0.1)]
    figure = figures.weight(found, "told", theme=theme)
    at = {trace.name: (trace.x[0], trace.y[0]) for trace in figure.data}
    assert at["a"] == at["c"] == (2.0, 3.0) and at["b"][0] < at["a"][0] and at["b"][1] == 4.0
    signs = {(trace.marker.color, trace.marker.symbol) for trace in figure.data}
    assert len(signs) == 3, "the legend tells them apart"
    lines = mechanisms.courses(files("mechanisms", ROWS).rows, mechanisms.SAVED)
    words = ["<b>one</b>", "two", "three"]
    figure = figures.course(lines, mechanisms.SAVED, "told", words=words, theme=theme)
    assert [list(trace.y) for trace in figure.data] == [list(line.y) for line in lines]
    assert figure.data[0].customdata[0] == "&lt;b&gt;one&lt;/b&gt;"


def test_no_mechanism_is_no_figure():
    with pytest.raises(InputError, match="Choose a mechanism"):
        figures.sight([], "told", segments=4)


# The page.


def test_the_bundled_file_is_what_the_page_draws():
    at = run()
    rows = mechanisms.ordered(results.read("mechanisms", SHARED.parent).rows)
    assert rows[0].mechanism == "rmt"
    groups = mechanisms.families(rows)
    first = groups[mechanisms.start(groups)][0]
    assert titles(at)[0] == mechanisms.spread(mechanisms.pair(rows, first))
    assert mechanisms.sizes_finding(rows) in titles(at)
    assert all(len(chart.proto.alt) > 40 for chart in at.get("plotly_chart"))


def test_without_its_file_the_page_says_what_makes_it(files):
    assert "python -m rmt mechanisms" in run().info[0].value.replace("\\", "")


def test_untrained_mechanisms_have_no_loss_to_show(files):
    files("mechanisms", [one | {"loss": [], "checkpoint": ""} for one in ROWS])
    at = run()
    told = " ".join(one.value.replace("\\", "") for one in at.info)
    assert len(titles(at)) == 2 and "assets/results/lm.json" in told and "no loss to show" in told


def test_with_all_its_files_the_page_draws_four_figures(files):
    files("mechanisms", ROWS, text={"name": "An address", "segments": ["a", "b", "c"]})
    files("lm", [losses_row("rmt", 4, 4.5), losses_row("none", 4, 5.0), losses_row("transformer-xl", 4, 4.0)])
    at = run()
    assert [title.split()[0] for title in titles(at)] == ["RMT", "What", "With", "Over"]
    at.button_group(key="drawn").set_value(mechanisms.LOSS).run()
    assert "lowest loss" in titles(at)[3]


def test_one_mechanism_stands_beside_rmt(files):
    files("mechanisms", [*ROWS, row("mamba", 60)])
    at = run()
    assert at.button_group(key="family").options == ["cache", "recurrent net", "controls"]
    assert titles(at)[0].startswith("RMT carries 200 numbers from segment to segment, Transformer-XL 4,000")
    at.button_group(key="family").set_value("recurrent net").run()
    assert titles(at)[0].startswith("Mamba carries 60 numbers from segment to segment, RMT 200")
    told = at.table[0].value
    assert list(told.columns) == ["", "RMT", "Mamba"] and "of one size, however long the text" in told.to_csv()
    at.button_group(key="family").set_value("controls").run()
    assert not at.exception and titles(at)[0].endswith("no memory nothing")


def test_what_trained_mechanisms_give_back_is_told_beside_rmt(files):
    files("mechanisms", [*ROWS, row("landmark", 60)])
    given = [
        one for kind, last in (("rmt", 0.2), ("landmark", 0.9), ("transformer-xl", 0.5))
        for of in ("quotation", "facts", "far") for one in recalled(kind, of, {1: 0.8, 16: last})
    ]  # fmt: skip
    files("recall", given, models=[{"parameters": 200, "steps": 9}, "no model", {"steps": "many"}])
    window = {"reads": "window of training", "times": 1, "tokens": 8, "tuned": False, "documents": 3, "loss": 4.0}
    window |= {"stderr": 0.1}
    below = {"below_window": -0.2, "below_window_stderr": 0.01, "below_extrapolation": 0.3,
             "below_extrapolation_stderr": 0.01}  # fmt: skip
    files("stretched", [window, window | {"reads": "interpolation", "times": 2, "tokens": 16} | below])
    at = run()
    assert titles(at)[1].startswith("None of 2 trained mechanisms gives back more than RMT in all three"), "equally far"
    assert titles(at)[3].startswith("Of a quotation of 16 tokens Transformer-XL copies 50.0%, RMT copies 20.0%")
    at.button_group(key="family").set_value("retrieval").run()
    told = " ".join(titles(at))
    assert "Landmark copies 90.0%, RMT copies 20.0%" in told and "1 of 1 lengths as the model is" in told
    assert "RMT gives back 20.0% of 16 facts" in told and "by Landmark up to 16 segments" in told
    captions = " ".join(one.value.replace("\\", "") for one in at.caption)
    assert "trained for 9 steps at most" in captions and "Not trained: exact context" in captions
    family, whole = (table.value for table in at.table if "here" in table.value.columns)
    assert list(family["here"][:2]) == ["seen", "not so here"] and "A landmark for each block" in family.iloc[0, 0]
    assert len(whole) == len(claims.CLAIMS) and "not measured" in list(whole["here"])


def test_a_damaged_table_of_experiments_is_a_sentence(files):
    files("mechanisms", ROWS)
    with pytest.raises(InputError, match="'seed'"):
        files("recall", [{"mechanism": "rmt"}])
    assert any("recall.json" in one.value.replace("\\", "") for one in run().info)


def test_every_mechanism_has_a_family():
    assert {words.family for words in WORDS} <= set(FAMILIES)
    known = [results.Mechanism(words.kind, "", {}, 8, (1,), 0, 0, 0, 0, ((1,),)) for words in WORDS]
    groups = mechanisms.families(known)
    assert list(groups) == [family for family in FAMILIES if family in groups]
    assert sum(map(len, groups.values())) == len(WORDS) - 1, "RMT stands beside all of them"


def test_the_sizes_of_states_are_drawn_as_they_are(files):
    rows = mechanisms.ordered(files("mechanisms", [row("rmt-r", 10) | {"numbers": [10, 100, 1000]}, *ROWS]).rows)
    assert mechanisms.sizes_finding(rows) == (
        "What crosses a boundary is from 200 to 4,000 numbers; 1 of 4 mechanisms grows with the text"
    )
    figure = figures.sizes(rows, ["rmt", "none"], "told")
    at = {figure.layout.yaxis.ticktext[trace.y[0]]: trace.x for trace in figure.data}
    assert np.allclose(at["RMT-R"], [1, 3]) and np.allclose(at["<b>RMT</b>"], [np.log10(200)])
    families = [text for text in figure.layout.yaxis.ticktext if text.startswith("<i>")]
    assert at["<b>no memory</b>"][0] < 1 and len(families) == 4 and "cache" in families[1], "each under its name"
    cells = mechanisms.sizes_table(rows)
    assert cells["numbers"][-1] == 0 and max(cells["bytes in float32"]) == 16_000


def test_names_of_the_file_are_text(files):
    evil = "<img src=x onerror=alert(1)> **b** :red[x]"
    files("mechanisms", [row(evil, 10, loss=(3, 2)), *ROWS], text={"name": evil, "segments": [evil]})
    at = run()
    at.button_group(key="family").set_value(mechanisms.OTHER).run()
    assert not any(
        "<img" in json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in at.get("plotly_chart")
    )
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert not any("<img" in one["text"] for one in figure["layout"]["annotations"])
    assert all("\\*\\*b\\*\\*" in table.value.to_csv() for table in at.table)


# A text of one's own.


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two checkpoints as the app ships them."""
    tokenizer = train_tokenizer([TEXT], size=300)
    for cell in ("rmt", "none"):
        config = tiny("llama", cell).about.config
        config["backbone"]["config"]["vocab_size"] = tokenizer.get_vocab_size()
        save(build(config, tokenizer), config, tmp_path / "made" / f"lm-{cell}")
    monkeypatch.setattr(session, "CHECKPOINTS", tmp_path / "made")
    return sorted((tmp_path / "made").iterdir())


def test_one_text_is_read_with_every_checkpoint(folders):
    seen = []
    found = comparing.side_by_side(folders, TEXT, lambda done, total: seen.append((done, total)))
    assert [one.mechanism for one in found] == ["none", "rmt"] and seen == [(0, 2), (1, 2)]
    assert all(len(one.loss) == len(found[0].loss) > 2 for one in found)
    with pytest.raises(InputError, match="fits into one segment"):
        comparing.side_by_side(folders, "the", lambda done, total: None)


def test_a_visitors_text_is_read_in_the_background(files, folders, monkeypatch):
    files("mechanisms", ROWS)
    at = run()
    at.text_area(key="mechanisms text").set_value(TEXT)
    at.button[-1].click().run()
    job = at.session_state["mechanisms"]
    assert job.ended.wait(60) and job.state == "done", job.error
    at.run()
    assert not at.exception and len(job.result) == 2
    assert "Your text." in json.dumps([json.loads(one.proto.json) for one in at.get("bidi_component")])
    at.text_area(key="mechanisms text").set_value(" ")
    at.button[-1].click().run()
    assert "The text is empty" in at.error[0].value.replace("\\", "")
