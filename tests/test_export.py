"""What leaves the app: figures with their numbers, and a run as one file."""

import base64
import configparser
import gzip
import html
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt.measure import change, slot_mean
from rmt.viewer import bundle
from rmt.viewer import page as viewer
from rmt_viz.widgets import chart as export

ROOT = Path(__file__).parent.parent


def shown(script) -> tuple:
    """The chart and what stands under it, as Streamlit sends them."""
    at = AppTest.from_function(script, default_timeout=60).run()
    assert not at.exception, at.exception
    return at.get("plotly_chart")[0].proto, json.loads(at.get("bidi_component")[0].proto.json)


def test_a_figure_brings_its_numbers():
    def page():
        import numpy as np
        import plotly.graph_objects as go

        from rmt_viz.widgets import chart as export

        table = {"segment": range(1, 4), "change": np.array([1 / 3, np.nan, 2], np.float32), "token": ["<b>", "a", ""]}
        export.show(go.Figure(), name="drift", alt="Memory moves.", table=table, caption="Look at *this*.")

    chart, under = shown(page)
    assert chart.alt == "Memory moves."
    assert under["name"] == "drift" and under["figure"] and under["caption"] == "Look at *this*."
    assert under["columns"] == ["segment", "change", "token"]
    assert under["values"] == [[1, 2, 3], [0.33333334, None, 2.0], ["<b>", "a", ""]]


def test_columns_of_one_table_are_of_one_length():
    with pytest.raises(ValueError, match="differ in length"):
        export.show(go.Figure(), name="x", alt="x", table={"a": [1], "b": np.arange(2)})


def packed(body: bytes) -> tuple[dict, bytes]:
    """A slice's arrays and meta, and what comes behind it."""
    length = int.from_bytes(body[:4], "little")
    head, data = json.loads(body[4 : 4 + length]), body[4 + length :]
    found, end = {"meta": head["meta"]}, 0
    for name, at in head["arrays"].items():
        count = int(np.prod(at["shape"]))
        found[name] = np.frombuffer(data, at["dtype"], count, at["offset"]).reshape(at["shape"])
        end = at["offset"] + count * 4 + -count * 4 % 8
    return found, data[end:]


def archive(page: str, name: str = "run") -> tuple[dict, list[dict]]:
    """What a page's options say of a run in it, and its slices."""
    body = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)[1]
    first, rest = packed(gzip.decompress(base64.b64decode(body)))
    edges = [0, *first["ends"].tolist()]
    return first["meta"]["options"], [packed(rest[a:b])[0] for a, b in pairwise(edges)]


def test_a_page_holds_the_run(make_trace):
    trace = make_trace()
    options, parts = archive(viewer.page(trace))
    assert options["heads"] and options["view"] == {"segment": 4, "colour": "write"} and options["keys"]
    assert parts[0]["meta"]["n_segments"] == 8 and len(parts) == 1 + 2 * 8
    record = trace.segments[3]
    assert parts[7]["meta"]["tokens"] == record.tokens
    np.testing.assert_allclose(parts[7]["write"], record.write.astype(np.float32).mean((0, 1)), rtol=6e-4)
    np.testing.assert_array_equal(parts[8]["read"], record.read.astype(np.float32))  # float16 loses nothing


def test_a_page_stays_small_and_says_what_it_leaves_out(make_trace):
    trace = make_trace(segments=64, length=48, layers=4, heads=4)
    whole = viewer.page(trace)
    assert len(whole) < viewer.MOST
    options, parts = archive(viewer.page(trace, most=len(whole) - 1))
    assert not options["heads"] and "write" in parts[1] and "means of layers and heads" in options["locked"]
    options, parts = archive(viewer.page(trace, most=1))
    assert "write" not in parts[1] and "There are no maps here" in options["locked"]
    assert "There are no maps here" in options["about"]
    options, _ = archive(viewer.page(make_trace("bare", detail="memory")))
    assert "no maps" not in options["about"] and not options["heads"], "the run never had maps"


def test_controls_go_with_a_run_and_give_way_first(make_trace):
    run, reset = make_trace(loss=True), make_trace("reset", loss=0.5, control="reset", fact=None)
    bare = make_trace("untrained", control="untrained", detail="summary")
    controls = {"reset": reset, "untrained": bare}
    page = viewer.page(run, controls=controls)
    options, parts = archive(page)
    assert options["heads"] and "gain" in options["colours"] and "gain" in parts[1]
    for name, trace in controls.items():
        options, parts = archive(page, name)
        assert "Control:" in options["about"] and "no maps here" not in options["about"]
        assert "gain" not in options["colours"]
        assert options["heads"] == (name == "reset") and parts[0]["meta"]["control"] == name
        assert len(parts) == 1 + 8 * (2 if options["heads"] else 1)
        np.testing.assert_allclose(parts[0]["change_max"], slot_mean(change(trace.memory)), rtol=1e-6)
    page = viewer.page(run, controls=controls, most=len(page) - 1)
    assert archive(page)[0]["heads"] and not archive(page, "reset")[0]["heads"]
    assert "write" in archive(page, "reset")[1][1], "means of its maps"
    assert 'id="reset"' not in viewer.page(run)
    with pytest.raises(InputError, match="is a run over another text"):
        viewer.page(run, controls={"reset": make_trace("short", segments=5)})


def test_no_token_is_markup_in_a_page(make_trace):
    hostile = [
        "</title></script><script>window.hacked = 1</script>",
        "-->",
        '"><img src=x onerror="window.hacked = 2">',
    ]
    trace = make_trace(tokens=hostile)
    trace.meta["task"] = None  # so that the title is the text's beginning
    trace.meta["made_by"]["checkpoint"] = "<script>window.hacked = 3</script>"
    page = viewer.page(trace)
    assert page.count("<script") == page.count("</script>") == 2 and page.count("</title>") == 1
    assert "<img" not in page and html.escape(hostile[0])[:24] in page
    assert archive(page)[1][1]["meta"]["tokens"][:3] == hostile
    shown = viewer.show(trace, height=500)._repr_html_()
    assert re.fullmatch(r'<iframe srcdoc="[^"]*" [^<>]*></iframe>', shown) and "height: 500px" in shown
    assert html.unescape(shown.split('"')[1]) == page and "sandbox" in shown


def test_a_page_asks_nothing_of_any_network(make_trace):
    page = viewer.page(make_trace())
    assert not re.search(r"(src|href)=", page.split("<script")[0]) and "default-src 'none'" in page
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", page)


def test_a_trace_that_holds_nothing_yet_is_a_sentence(make_trace):
    trace = make_trace()
    trace.arrays["done"] = np.array([0])
    with pytest.raises(InputError, match="holds no whole segment yet"):
        viewer.page(trace)


def test_the_page_has_the_colours_of_the_app():
    themes = configparser.ConfigParser()
    themes.read(ROOT / ".streamlit" / "config.toml")
    names = {"primary": "primaryColor", "background": "backgroundColor", "text": "textColor", "border": "borderColor"}
    names["secondary-background"] = "secondaryBackgroundColor"
    light, dark = bundle.read("page.css").split("@media")
    for css, theme in ((light, "light"), (dark, "dark")):
        found = dict(re.findall(r"--st-([a-z-]+)-color: (#\w+)", css))
        assert found == {name: themes[f"theme.{theme}"][key].strip('"') for name, key in names.items()}


def rmt(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "rmt", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_command_writes_a_page(make_trace, tmp_path):
    trace, reset = make_trace(loss=True), make_trace("reset", loss=True, control="reset")
    untrained = make_trace("untrained", control="untrained")
    out = tmp_path / "run.html"
    done = rmt("export", str(trace.path), "--html", str(out), "--reset", str(reset.path),
               "--untrained", str(untrained.path), "--json")  # fmt: skip
    assert json.loads(done.stdout) == {"html": str(out), "bytes": out.stat().st_size, "segments": 8}
    assert "gain" in archive(out.read_text())[0]["colours"]
    assert "never trained" in archive(out.read_text(), "untrained")[0]["about"]
    refused = rmt("export", str(trace.path), "--html", str(tmp_path / "nowhere" / "run.html"))
    assert refused.returncode == 2 and refused.stderr.strip().endswith("make it first.")
