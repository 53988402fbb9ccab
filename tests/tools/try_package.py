"""The package as users get it: built, installed into new environments, run from another folder, uninstalled.

python tests/tools/try_package.py [--reuse SITE_PACKAGES] says what it does and ends with exit code 1 where something is
not as it should be. --reuse: take what the package needs from another environment's site-packages, which saves the
download (about 1 GB); without it pip installs everything, torch==2.13.0 among it. --uv: with uv, not venv and pip.
--python PYTHON --reader: with another Python, and of the package's needs only those of looking at traces (no torch).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TORCH = "torch==2.13.0"
APP = ("streamlit", "plotly")
READER = ("numpy", "plotly", "rich", "safetensors", "streamlit", "tokenizers", "typer")  # what looking at traces needs
BACKEND = ("pip", "setuptools", "_distutils_hack", "distutils-precedence.pth", "_virtualenv.py")
READY = "RMT Viz is at "


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reuse", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--reader", action="store_true")
    parser.add_argument("--uv", action="store_true")
    arguments = parser.parse_args()
    reuse, installer = arguments.reuse, Uv(arguments.python) if arguments.uv else Pip(arguments.python)
    with tempfile.TemporaryDirectory(prefix="rmt-viz-package-") as name:
        folder = Path(name)
        (folder / "elsewhere").mkdir()
        wheel = build(folder)
        if arguments.reader:
            viz = install_reader(installer, folder / "reader", wheel)
            try_reader(viz, folder / "elsewhere")
        else:
            engine = install(installer, folder / "engine", wheel, "", reuse, without=APP)
            try_engine(engine, folder / "elsewhere")
            viz = install(installer, folder / "viz", wheel, "[viz]", reuse)
        try_app(viz, folder / "elsewhere")
        installer.uninstall(viz.parent)
        left = [path for path in viz.parent.glob("lib/python*/site-packages/rmt*") if any(path.rglob("*.py"))]
        assert not left and not (viz / "rmt-viz").exists(), left
        print("uninstalled, nothing is left")
    print("the package is whole")


class Pip:
    """Environments of venv, with pip in them."""

    def __init__(self, python: str):
        self.python = python

    def environment(self, place: Path) -> None:
        run([self.python, "-m", "venv", place], place.parent)

    def install(self, place: Path, *arguments) -> None:
        run([place / "bin" / "python", "-m", "pip", "install", "--quiet", *arguments], place)

    def uninstall(self, place: Path) -> None:
        run([place / "bin" / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "rmt-viz"], place)


class Uv(Pip):
    """Environments of uv, without pip."""

    def environment(self, place: Path) -> None:
        run(["uv", "venv", "--quiet", "--python", self.python, place], place.parent)

    def install(self, place: Path, *arguments) -> None:
        run(["uv", "pip", "install", "--quiet", "--python", place, *arguments], place)

    def uninstall(self, place: Path) -> None:
        run(["uv", "pip", "uninstall", "--quiet", "--python", place, "rmt-viz"], place)


def build(folder: Path) -> Path:
    """The wheel, built from a copy of the files that git has, so that nothing else gets in."""
    files = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT).stdout.split("\0")
    for file in filter(None, files):
        if (ROOT / file).is_file():
            (folder / "source" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / "source" / file)
    began = time.monotonic()
    run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(folder / "source")],
        folder,
    )
    (wheel,) = folder.glob("*.whl")
    print(f"built {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB, in {time.monotonic() - began:.0f} s")
    return wheel


def install(
    installer: Pip, place: Path, wheel: Path, extras: str, reuse: Path | None, without: tuple[str, ...] = ()
) -> Path:
    """A new environment with the wheel in it; the folder of its commands. without: what must not be there."""
    began = time.monotonic()
    installer.environment(place)
    python = place / "bin" / "python"
    if reuse:
        reused = place / "reused" / "site-packages"  # by this name Streamlit knows that it is installed
        reused.mkdir(parents=True)
        for entry in reuse.resolve().iterdir():
            plain = entry.name.partition("-")[0].lower()
            if plain not in (*without, *BACKEND) and not plain.startswith(("rmt", "__pycache__")):
                (reused / entry.name).symlink_to(entry)
        site = next(place.glob("lib/python*/site-packages"))
        (site / "reused.pth").write_text(f"{reused}\n")
        installer.install(place, "--no-deps", wheel)
    else:
        installer.install(place, TORCH)
        installer.install(place, f"{wheel}{extras}")
    missing = run([python, "-c", f"import importlib.util as u; print([n for n in {APP!r} if u.find_spec(n)])"], place)
    assert missing.stdout.strip() == str([name for name in APP if name not in without]), missing.stdout
    print(f"installed{extras or ' the engine alone'} in {time.monotonic() - began:.0f} s")
    return place / "bin"


def install_reader(installer: Pip, place: Path, wheel: Path) -> Path:
    """A new environment with the wheel and with what looking at traces needs; the folder of its commands."""
    began = time.monotonic()
    installer.environment(place)
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    needed = {re.match(r"[\w.-]+", line)[0]: line for each in lines if each.startswith("Requires-Dist: ")
              for line in [each.removeprefix("Requires-Dist: ").partition(";")[0].strip()]}  # fmt: skip
    installer.install(place, "--no-deps", wheel)
    installer.install(place, *(needed[name] for name in READER))
    version = run([place / "bin" / "python", "--version"], place).stdout.strip()
    print(f"installed with {version}, without torch, in {time.monotonic() - began:.0f} s")
    return place / "bin"


def try_reader(bin: Path, folder: Path) -> None:
    """What needs no torch: a trace is checked and exported."""
    code = "import rmt_viz.shelf.library as l; print(l.ASSETS)"
    assets = Path(run([bin / "python", "-c", code], folder).stdout.strip())
    shutil.copy(assets / "traces" / "memorize.trace.safetensors", folder / "letter.trace.safetensors")
    run([bin / "rmt", "validate", "letter.trace.safetensors"], folder)
    run([bin / "rmt", "export", "letter.trace.safetensors", "--html", "letter.html"], folder)
    run([bin / "python", "-m", "compileall", "-q", assets.parents[1] / "rmt", assets.parent], folder)
    print("a trace is checked and exported, and every file is of this Python's syntax")


def try_engine(bin: Path, folder: Path) -> None:
    """The engine without the app: it imports, records, validates, exports; rmt-viz says what is missing."""
    code = "import sys, rmt; rmt.Trace, rmt.show; print(rmt.__file__, 'torch' in sys.modules)"
    file, torch = run([bin / "python", "-c", code], folder).stdout.split()
    assert "site-packages" in file and torch == "False", file
    assert "record" in run([bin / "rmt", "--help"], folder).stdout
    made = "import rmt, rmt_viz.shelf.library as l; print(l.ASSETS)"
    assets = Path(run([bin / "python", "-c", made], folder).stdout.strip())
    assert "site-packages" in str(assets)
    (folder / "letter.txt").write_text("Mary went to the garden. The committee met again. Where is Mary?")
    out = folder / "letter.trace.safetensors"
    arguments = ["record", assets / "checkpoints" / "qa1", "--text-file", "letter.txt", "--out", out, "--json"]
    assert json.loads(run([bin / "rmt", *arguments], folder).stdout)["answer"]
    run([bin / "rmt", "validate", out], folder)
    run([bin / "rmt", "export", out, "--html", "letter.html"], folder)
    run([bin / "rmt-viz", "export-site", "site", "--run", "memorize"], folder)
    assert (folder / "site" / "index.html").is_file() and (folder / "site" / "data" / "memorize" / "run.bin").is_file()
    refused = subprocess.run([bin / "rmt-viz"], cwd=folder, env=environment(), capture_output=True, text=True)
    assert refused.returncode == 2 and "pip install 'rmt-viz[viz]'" in refused.stderr, refused.stderr
    print("the engine alone imports, records, validates, exports, writes a site; rmt-viz says what to install")


def try_app(bin: Path, folder: Path) -> None:
    """The app, from another folder: on the bundled runs, on a folder of traces, and on one trace."""
    trace = folder / "letter.trace.safetensors"
    for arguments, first in (([], "qa1"), (["--runs", folder], "letter"), ([trace], "letter")):
        process = subprocess.Popen(
            [bin / "rmt-viz", "--no-browser", *arguments],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            began = time.monotonic()
            line = next(line for line in process.stdout if line.startswith(READY)).removeprefix(READY).strip()
            root = "/".join(line.split("/")[:3])
            assert line == (f"{root}/watch?trace={first}" if arguments else f"{root}/"), line
            for path in ("healthz", f"rmt/trace/{first}/overview", "rmt/trace/qa1/segment/0"):
                assert urllib.request.urlopen(f"{root}/{path}", timeout=60).status == 200
            print(f"rmt-viz {' '.join(map(str, arguments))}: {line} after {time.monotonic() - began:.1f} s")
        finally:
            process.terminate()
            process.wait(30)


def environment() -> dict[str, str]:
    """What a person has who has nothing of ours: no path to a checkout, an empty home."""
    needed = ("PATH", "LANG")
    kept = {name: value for name, value in os.environ.items() if name in needed or name.startswith("PIP_")}
    kept |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    home = tempfile.gettempdir() + "/rmt-viz-home"
    Path(home).mkdir(exist_ok=True)
    return kept | {"HOME": home, "OMP_NUM_THREADS": "1"}


def run(command: list, folder: Path) -> subprocess.CompletedProcess:
    environment_of = os.environ if command[0] in ("git", sys.executable) else environment()
    done = subprocess.run([*map(str, command)], cwd=folder, env=environment_of, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done


if __name__ == "__main__":
    main()
