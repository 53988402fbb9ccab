"""The Dockerfile, which holds what the app needs (make check lints it; it is built nowhere here), and the lock."""

import importlib
import re
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
    assert re.match(rf"useradd --create-home --uid {user} \w+ ", of("RUN")[0]) and int(user) > 0
    assert kinds.index("USER") < kinds.index("CMD")
    assert "COPY" not in kinds[kinds.index("USER") :], "files of the program are not the visitor's to write"
    assert command.startswith('["streamlit", "run", "app.py"') and f'"{port}"' in command
    assert f"http://127.0.0.1:{port}/healthz" in check


def test_it_holds_what_the_app_opens_and_nothing_else():
    copied = [source for rest in of("COPY") for source in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in copied)
    assert {*copied} == {
        "requirements.txt",
        "requirements.lock",
        "app.py",
        "frame.py",
        ".streamlit",
        "rmt",
        "rmt_viz",
        "assets",
    }
    ours = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    text = "\n".join(path.read_text() for path in [*ROOT.glob("[af]*.py"), *ROOT.glob("rmt*/**/*.py")])
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.M)) & ours
    assert imported <= {Path(source).stem for source in copied}, "a package of this repository that is not copied"


ONE = (
    "numpy==2.4.6 \\\n    --hash=sha256:"
    + "a" * 64
    + "\nold==1.0 ; python_version < '3' \\\n    --hash=sha256:"
    + "b" * 64
    + "\n"
)


@pytest.mark.parametrize(
    ("lock", "pinned", "installed", "told"),
    [
        (ONE, "numpy==2.4.6", {"numpy": "2.4.6", "old": "2.0", "more": "1"}, ""),  # old is not for this Python
        (ONE, "torch==2.13.0", {"torch": "2.13.0+cpu"}, ""),
        ("Py_Lib==1.0 --hash=sha256:" + "c" * 64, "-r other.txt\npy.lib==1.0", {"py-lib": "1.0+cpu"}, ""),
        (ONE, "numpy==2.5.0", {}, "numpy==2.5.0 is not what the lock has"),
        (ONE, "pandas==2.0", {}, "pandas==2.0 is not what the lock has"),
        (ONE, "", {"numpy": "2.4.5"}, "numpy 2.4.5 is installed, and the lock has ==2.4.6"),
        (ONE.replace("a" * 64, "a" * 63), "", {}, "numpy has no hash"),
    ],
)
def test_the_lock_is_held_against_what_is_asked_for_and_what_is_installed(monkeypatch, lock, pinned, installed, told):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "tools"))
    found = [*importlib.import_module("lock").problems(lock, [pinned], installed)]
    assert len(found) == bool(told) and "".join(found).startswith(told)
