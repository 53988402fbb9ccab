"""The structure of the code: which package may import which, lazy imports included, and how long files may be."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_LINES = 300  # of a file, unless its docstring has a sentence with the word "lines" that says why
# package -> the packages it may import, and with them whatever those may import. Lowest first: no arrow leads back up.
MAY_IMPORT = {
    "rmt.errors": "",
    "rmt.files": "rmt.errors",
    "rmt.text": "rmt.errors",
    "rmt.trace": "rmt.files",
    "rmt.shipped": "rmt.trace",
    "rmt.tasks": "rmt.text rmt.files",
    "rmt.backbone": "rmt.text",
    "rmt.measure": "rmt.trace",
    "rmt.memory": "rmt.backbone rmt.text",
    "rmt.viewer": "rmt.trace rmt.measure rmt.tasks",
    "rmt.model": "rmt.memory rmt.backbone rmt.text",
    "rmt.recorder": "rmt.model rmt.trace rmt.tasks",
    "rmt.checkpoint": "rmt.files rmt.recorder rmt.model rmt.memory rmt.backbone rmt.text",
    "rmt.train": "rmt.checkpoint rmt.model rmt.tasks",
    "rmt.evaluate": "rmt.checkpoint rmt.model rmt.tasks",
    "rmt.interchange": "rmt.trace rmt.measure",
    "rmt.cost": "rmt.checkpoint rmt.model",
    "rmt.intervene": "rmt.recorder rmt.model rmt.trace rmt.text",
    "rmt.causes": "rmt.intervene rmt.recorder rmt.tasks",
    "rmt.notebook": "rmt.viewer rmt.recorder",
    "rmt.commands": "rmt.train rmt.evaluate rmt.cost rmt.causes rmt.viewer",
    "rmt_viz.shelf": "rmt.trace rmt.shipped rmt.viewer rmt.tasks",
    "rmt_viz.findings": "rmt_viz.shelf rmt.measure rmt.cost rmt.memory",  # of memory its words, without torch
    "rmt_viz.figures": "rmt_viz.findings",
    "rmt_viz.work": "rmt_viz.shelf rmt_viz.findings rmt.train rmt.evaluate rmt.causes",
    "rmt_viz.site": "rmt_viz.work rmt_viz.findings rmt_viz.shelf",
    "rmt_viz.session": "rmt_viz.work rmt_viz.shelf rmt_viz.findings",
    "rmt_viz.requests": "rmt_viz.session rmt_viz.work",
    "rmt_viz.server": "rmt_viz.session rmt_viz.work",
    "rmt_viz.components": "rmt_viz.server rmt_viz.session rmt_viz.findings",
    "rmt_viz.widgets": "rmt_viz.session rmt_viz.components",
    "rmt_viz.forms": "rmt_viz.requests rmt_viz.widgets rmt_viz.findings rmt_viz.figures",
    "rmt_viz.pages": "rmt_viz.forms rmt_viz.figures",
}
TORCH = {
    "torch",
    "transformers",
    *(f"rmt.{name}" for name in "model checkpoint recorder train evaluate causes".split()),
}
FORBIDDEN = {
    "rmt": {"streamlit", "plotly", "rmt_viz"},
    "rmt_viz/findings": {"streamlit", "plotly", *TORCH},
    "rmt_viz/figures": {"streamlit", *TORCH},
    "rmt_viz/work": {"streamlit", "plotly"},
    "rmt_viz/site": {"streamlit", "plotly"},
    **{
        f"rmt_viz/{name}": TORCH
        for name in ("shelf", "server", "components", "widgets", "forms", "pages", "requests.py", "session.py")
    },
}
STATE = ("st.cache_", "st.session_state")  # Streamlit's own memory: rmt_viz/session.py alone touches it
FILES = [(folder, file) for folder in FORBIDDEN for file in sorted([*(ROOT / folder).rglob("*.py"), ROOT / folder])]
FILES = [(folder, file) for folder, file in FILES if file.is_file()]


def imported(file: Path) -> set[str]:
    """Every dotted name that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def package_of(dotted: str) -> str:
    """The package that a dotted name lies in, or the module beside the packages."""
    return ".".join(dotted.split(".")[:2])


def short(package: str) -> str:
    """A package's name in the drawing of ARCHITECTURE.md."""
    return package.split(".")[1]


def allowed(package: str) -> set[str]:
    """The packages that a package may import: itself, those of the table, and those that they may import."""
    named = MAY_IMPORT[package].split()
    return {package}.union(*(allowed(other) for other in named))


def test_no_package_may_import_one_above_it():
    order = list(MAY_IMPORT)
    assert all(order.index(other) < order.index(package) for package in order for other in MAY_IMPORT[package].split())


def test_the_drawing_of_architecture_has_the_arrows_of_the_table():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn: dict[str, set[str]] = {}
    for start, ends in re.findall(r"^ +(\w+) --> (.*)$", text, re.MULTILINE):
        drawn.setdefault(start, set()).update(ends.split(" & "))

    def below(package: str) -> set[str]:
        return {package}.union(*map(below, drawn.get(package, ())))

    assert {name: below(name) for name in map(short, MAY_IMPORT)} == {
        short(package): set(map(short, allowed(package))) for package in MAY_IMPORT
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_the_table_lets_it(package):
    folder = ROOT / package.replace(".", "/")
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    crossed = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        if file.is_file()
        for name in imported(file)
        if package_of(name) in MAY_IMPORT and package_of(name) not in allowed(package)
    }
    assert not crossed


@pytest.mark.parametrize(("folder", "file"), FILES, ids=[str(f.relative_to(ROOT)) for _, f in FILES])
def test_imports_keep_their_direction(folder, file):
    names = imported(file)
    crossed = {n for n in names for f in FORBIDDEN[folder] if n == f or n.startswith(f + ".")}
    assert not crossed


def test_every_file_lies_in_a_package_of_the_table():
    beside = {"rmt", *(f"{name}.{file}" for name in ("rmt", "rmt_viz") for file in ("__init__", "__main__"))}
    beside |= {"rmt.adapter", "rmt.changes"}
    files = [file.relative_to(ROOT) for name in ("rmt", "rmt_viz") for file in (ROOT / name).rglob("*.py")]
    rooms = {package_of(".".join(file.with_suffix("").parts)) for file in files}
    assert rooms <= MAY_IMPORT.keys() | beside and MAY_IMPORT.keys() <= rooms


def test_the_older_paths_are_for_other_programs():
    files = [file for name in ("rmt", "rmt_viz") for file in (ROOT / name).rglob("*.py")]
    assert not {str(file) for file in files if {"rmt.adapter", "rmt.changes"} & imported(file)}


def test_one_file_takes_from_inside_transformers():
    inside = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "rmt").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("transformers.")
    }
    assert inside == {"rmt/backbone/internals.py"}


def test_only_session_touches_the_state_of_streamlit():
    files = [*(ROOT / "rmt_viz").rglob("*.py"), ROOT / "app.py", ROOT / "frame.py"]
    touching = {file.name for file in files if any(name in file.read_text() for name in STATE)}
    assert touching == {"session.py"}


@pytest.mark.parametrize(
    "module", ["rmt", "rmt.trace", "rmt.measure", "rmt.errors", "rmt.viewer.page", "rmt.memory.words", "rmt.tasks"]
)
def test_reading_a_trace_loads_no_torch(module):
    code = f"import sys, json, {module}; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "streamlit", "plotly"} & set(json.loads(done.stdout))


def test_a_file_of_more_than_300_lines_says_why():
    files = [file for folder in ("rmt", "rmt_viz", "benchmarks", "tests") for file in (ROOT / folder).rglob("*.py")]
    texts = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in [*files, *ROOT.glob("*.py")]}
    long = {name for name, text in texts.items() if len(text.splitlines()) > MOST_LINES}
    assert not {name for name in long if not re.search(r"\blines\b", ast.get_docstring(ast.parse(texts[name])) or "")}
