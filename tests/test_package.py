"""The package: what is in it, the command rmt-viz, a person's own traces; tests/tools/try_package.py installs it."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools

import rmt
from rmt.trace import Trace
from rmt_viz.__main__ import main
from rmt_viz.shelf.library import Library, own_traces

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def setup():
    """What setup.py gives to setuptools."""
    given, where = {}, os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **options: given.update(options))
        os.chdir(ROOT)
        try:
            runpy.run_path("setup.py")
        finally:
            os.chdir(where)
    return given


def test_the_engine_needs_neither_streamlit_nor_plotly_and_viz_brings_both(setup):
    names = lambda lines: {line.partition(">")[0].partition("=")[0] for line in lines}  # noqa: E731
    pinned = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text().split()}
    assert names(setup["install_requires"]) | {"streamlit", "plotly"} == pinned
    assert names(setup["extras_require"]["viz"]) == {"streamlit", "plotly"}
    assert "torch>=2.11.0,<3" in setup["install_requires"], "from the oldest version that is tested"
    assert {"viz", "pretrained", "dev"} <= set(setup["extras_require"])
    assert {"pytest", "ruff", "streamlit"} <= names(setup["extras_require"]["dev"])


def test_what_made_a_bundled_run_is_in_the_wheel(setup):
    shipped = {
        line.split("/")[1] for line in setup["package_data"]["rmt_viz.assets"] if line.startswith("checkpoints/")
    }
    made_by = {Trace.open(path).meta["made_by"]["checkpoint"] for path in (ROOT / "assets" / "traces").glob("*")}
    assert made_by <= shipped
    files = {line: list((ROOT / "assets").glob(line)) for line in setup["package_data"]["rmt_viz.assets"]}
    assert all(files.values()), "each line of the list finds something"
    left_out = {
        file for line in setup["exclude_package_data"]["rmt_viz.assets"] for file in (ROOT / "assets").glob(line)
    }
    kept = {file for found in files.values() for file in found} - left_out
    assert left_out and sum(file.stat().st_size for file in kept) < 36_000_000


def test_every_package_and_what_is_drawn_is_in_the_wheel(setup):
    folders = {file.parent.relative_to(ROOT) for name in ("rmt", "rmt_viz") for file in (ROOT / name).rglob("*.py")}
    assert {".".join(folder.parts) for folder in folders} <= set(setup["packages"])
    drawn = [file for name in ("rmt", "rmt_viz") for end in ("js", "css") for file in (ROOT / name).rglob(f"*.{end}")]
    for file in drawn:
        package = next(name for name in setup["package_data"] if file.is_relative_to(ROOT / name.replace(".", "/")))
        folder = ROOT / package.replace(".", "/")
        assert any(file in folder.glob(line) for line in setup["package_data"][package]), file


def test_the_version_stands_in_one_place():
    assert rmt.__version__.count(".") == 2
    assert "version =" not in (ROOT / "pyproject.toml").read_text().split("[tool")[0]
    assert f"## {rmt.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {rmt.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_own_traces_are_listed_first_under_ids_of_their_own(make_trace, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    data, control = make_trace().path.read_bytes(), make_trace("control", control="reset").path.read_bytes()
    names = ["My Run, Nr. 1", "my-run-nr", "toy", "é", "alone.reset"]
    for name in names:
        (folder / f"{name}.trace.safetensors").write_bytes(data)
    (folder / "My Run, Nr. 1.reset.trace.safetensors").write_bytes(control)
    (folder / "notes.txt").write_text("no trace")
    found = own_traces(folder)
    assert set(found) == {"my-run-nr-1", "my-run-nr-1.reset", "my-run-nr", "toy", "run", "alone-reset"}
    (folder / "my_run_nr.trace.safetensors").write_bytes(data)
    (folder / "MY-RUN-NR.trace.safetensors").write_bytes(data)
    assert {"my-run-nr", "my-run-nr-2", "my_run_nr"} <= set(own_traces(folder))
    bundled = tmp_path / "traces"
    bundled.mkdir()
    (bundled / "toy.trace.safetensors").write_bytes(data)
    shelf = Library(bundled, own=folder)
    assert shelf.names()[-1] == "toy" and "own-toy" in shelf.names() and len(shelf.names()) == 8
    with_reset = next(name for name in shelf.names() if "reset" in shelf.controls(name))
    assert shelf.open(f"{with_reset}.reset").trace.meta["control"] == "reset"
    assert shelf.open("own-toy").trace.path.parent == folder and shelf.open("toy").trace.path.parent == bundled
    one = Library(bundled, own=folder / "alone.reset.trace.safetensors")
    assert one.names() == ["alone-reset", "toy"] and one.open("alone-reset").trace.n_segments == 8


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.trace.safetensors"], "nowhere.trace.safetensors"),
        (["--runs", "tests/browser"], "holds no trace"),
        (["--runs", "nowhere"], "There is no folder nowhere"),
        (["README.md"], "README.md"),
        (["README.md", "--runs", "tests"], "not both"),
        (["--port", "0"], "--port"),
    ],
)
def test_what_cannot_be_opened_is_a_sentence(arguments, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rmt-viz", *arguments])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        main()
    error = capsys.readouterr().err
    assert ended.value.code == 2 and told in error and len(error.strip().splitlines()) == 1, error


def test_without_the_app_rmt_viz_says_what_to_install(tmp_path):
    code = "import importlib.util as u, sys; u.find_spec = lambda name: None; from rmt_viz.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'rmt-viz[viz]'" in done.stderr
    loaded = "import sys, rmt_viz.__main__; print('streamlit' in sys.modules, 'torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", loaded], cwd=ROOT, text=True).split() == ["False", "False"]


def test_the_command_opens_the_app_on_own_traces_from_another_folder(make_trace, tmp_path):
    trace = make_trace()
    command = [sys.executable, "-m", "rmt_viz", "--no-browser", str(trace.path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stdout if line.startswith("RMT Viz is at "))
        assert line.strip().endswith(f"/watch?trace={next(iter(own_traces(trace.path)))}")
    finally:
        process.terminate()
        process.wait(30)
