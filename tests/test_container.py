"""The Dockerfile: what a linter asks of it, what the app needs is in it. Built nowhere here: there is no builder."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
LINES = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text()).splitlines()
STEPS = [tuple(line.split(None, 1)) for line in LINES if line and not line.startswith("#")]


def of(name: str) -> list[str]:
    return [rest for kind, rest in STEPS if kind == name]


def test_it_runs_as_somebody_who_is_not_root_and_is_asked_whether_it_lives():
    kinds = [kind for kind, _ in STEPS]
    assert kinds[0] == "FROM" and re.fullmatch(r"[\w./-]+:3\.\d+-[\w-]+", of("FROM")[0]), (
        "a version of a base, not latest"
    )
    (user,), (command,), (check,), (port,) = map(of, ("USER", "CMD", "HEALTHCHECK", "EXPOSE"))
    assert re.match(rf"useradd --create-home --uid [1-9]\d+ {user} ", of("RUN")[0]) and kinds.index(
        "USER"
    ) < kinds.index("CMD")
    assert "COPY" not in kinds[kinds.index("USER") :], "files of the program are not the visitor's to write"
    assert command.startswith('["streamlit", "run", "app.py"') and f'"{port}"' in command
    assert f"http://127.0.0.1:{port}/healthz" in check


def test_it_holds_what_the_app_opens_and_nothing_else():
    copied = [source for rest in of("COPY") for source in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in copied)
    assert {*copied} == {"requirements.txt", "app.py", "frame.py", ".streamlit", "rmt", "rmt_viz", "assets"}
    ours = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    text = "\n".join(path.read_text() for path in [*ROOT.glob("[af]*.py"), *ROOT.glob("rmt*/**/*.py")])
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.M)) & ours
    assert imported <= {Path(source).stem for source in copied}, "a package of this repository that is not copied"


def test_it_passes_its_linter():
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(["hadolint", "--ignore", "DL3042", str(DOCKERFILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
