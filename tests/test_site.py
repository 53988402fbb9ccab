"""The static site: the files hold what the server would answer, and nothing else is needed."""

import gzip
import json
import re
from itertools import pairwise

import numpy as np
import pytest
from test_export import archive as page_archive
from test_export import packed

from rmt.errors import InputError
from rmt.viewer import attention_slices, memory_slices, slices
from rmt.viewer import page as viewer
from rmt_viz.shelf.library import Library
from rmt_viz.site.export import CHUNK, export_site


def opened(path) -> dict[str, bytes]:
    """The slices of an archive by their names."""
    data = gzip.decompress(path.read_bytes())
    first, rest = packed(data)
    edges = [0, *first["ends"].tolist()]
    return dict(zip(first["meta"]["names"], (rest[a:b] for a, b in pairwise(edges)), strict=True))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    from conftest import write_trace

    folder = tmp_path_factory.mktemp("traces")
    write_trace(folder / "toy.trace.safetensors", segments=CHUNK + 3)
    write_trace(folder / "toy.reset.trace.safetensors", segments=CHUNK + 3, control="reset", fact=None)
    write_trace(folder / "short.trace.safetensors", segments=5)
    return Library(folder)


@pytest.fixture(scope="module")
def site(shelf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "site"
    assert export_site(folder, shelf) == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return folder


def test_the_files_hold_what_the_server_answers(site, shelf):
    run, reset = shelf.open("toy"), shelf.open("toy.reset")
    whole = opened(site / "data" / "toy" / "run.bin")
    assert whole["overview"] == slices.overview(run, controls={"reset": reset})
    assert whole["memory"] == memory_slices.moves(run)
    assert whole["memory?with=toy.reset"] == memory_slices.moves(run, reset)
    last = opened(site / "data" / "toy" / "segments-1.bin")
    index = CHUNK + 1
    assert {name for name in last if name.split("?")[0].endswith(f"/{index}")} == {
        *(f"{kind}/{index}" for kind in ("segment", "heads", "memory", "maps")), f"memory/{index}?with=toy.reset",
    }  # fmt: skip
    ours, theirs = packed(last[f"segment/{index}"])[0], packed(slices.segment(run, index, reset=reset))[0]
    assert ours["meta"] == theirs["meta"]
    for name in theirs.keys() - {"meta"}:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=6e-4, atol=1e-7)
    record = run.trace.segments[index]
    np.testing.assert_array_equal(packed(last[f"heads/{index}"])[0]["write"], record.write.astype(np.float32))
    maps = packed(last[f"maps/{index}"])[0]
    known = packed(attention_slices.attention(run.trace, record, state="absent"))[0]["meta"]
    assert maps["meta"]["groups"] == known["groups"] and not maps["meta"]["known"] and maps["meta"]["n"] == known["n"]
    assert "not at hand" in maps["meta"]["why"]


def test_a_shorter_run_can_be_drawn_on_the_axis_of_a_longer_one(site, shelf):
    short = opened(site / "data" / "short" / "run.bin")
    assert short[f"overview?over={CHUNK + 3}"] == slices.overview(shelf.open("short"), CHUNK + 3)
    assert not any("over=" in name for name in opened(site / "data" / "toy" / "run.bin"))


def test_the_page_takes_everything_from_its_own_folder(site):
    page, script = (site / "index.html").read_text(), (site / "site.js").read_text()
    assert "default-src 'none'" in page and "script-src 'self';" in page and "unsafe-eval" not in page
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {"data:,", "site.css", "site.js"}
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", page + script)
    listed = json.loads((site / "data" / "runs.json").read_text())["runs"]
    assert [run["id"] for run in listed] == ["short", "toy", "toy.reset"]


def test_whole_maps_and_words_come_from_the_model(tmp_path, monkeypatch, model, trace_of):
    from rmt_viz.site import export

    (tmp_path / "traces").mkdir()
    trace_of.save(tmp_path / "traces" / "own.trace.safetensors")
    monkeypatch.setattr(export._Models, "of", lambda self, run: model)
    export_site(tmp_path / "site", Library(tmp_path / "traces"))
    parts = opened(tmp_path / "site" / "data" / "own" / "segments-0.bin")
    from rmt.recorder import replay

    maps = packed(parts["maps/1"])[0]
    np.testing.assert_allclose(maps["maps"], replay(model, trace_of, 1).attention, rtol=6e-4, atol=1e-6)
    assert maps["meta"]["known"] and packed(parts["words/1"])[0]["meta"]["texts"]


@pytest.fixture(scope="module")
def model():
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    import rmt

    torch.manual_seed(0)
    stock = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=64))
    return rmt.wrap(stock, segment_length=6, n_memory=2)


@pytest.fixture(scope="module")
def trace_of(model):
    import rmt

    return rmt.record(model, [*range(3, 21)], detail="thin")


@pytest.mark.parametrize("wrong", ["file", "other", "name"])
def test_a_folder_of_somebody_elses_stays_as_it_is(shelf, tmp_path, wrong):
    place = tmp_path / "place"
    if wrong == "file":
        place.write_text("mine")
    elif wrong == "other":
        place.mkdir()
        (place / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"is a file|holds other files|There is no run"):
        export_site(place, shelf, ["nothing"] if wrong == "name" else None)
    assert not (place / "index.html").exists()


def test_a_site_is_written_over_a_site(shelf, tmp_path):
    export_site(tmp_path / "site", shelf)
    export_site(tmp_path / "site", shelf, ["short"])
    assert [folder.name for folder in sorted((tmp_path / "site" / "data").iterdir())] == ["runs.json", "short"]


def test_two_runs_side_by_side_in_one_file(make_trace):
    run, other = make_trace(), make_trace("other", fact=None)
    options, parts = page_archive(viewer.page(run, beside=other))
    assert options["page"] == "compare" and options["over"] == 8 and len(options["names"]) == 2
    assert options["view"]["show"] == "watch" and not options.get("reset")
    assert parts[1]["meta"]["moments"] == 9, "memory comes along, so that Compare can show it"
    assert page_archive(viewer.page(run, beside=other), "beside")[1][0]["meta"]["n_segments"] == 8
    other.meta["changes"] = "reset@3"
    options, _ = page_archive(viewer.page(run, beside=other))
    assert options["page"] == "what-if" and options["names"] == ["As it was", "Changed: reset@3"]
    with pytest.raises(InputError, match="controls, or two runs"):
        viewer.page(run, beside=other, controls={"reset": other})
