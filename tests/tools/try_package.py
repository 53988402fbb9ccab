"""The package as users get it: built, installed into new environments, run from another folder, uninstalled.

python tests/tools/try_package.py [--reuse SITE_PACKAGES] says what it does and ends with exit code 1 where something is
not as it should be. --reuse: take what the package needs from another environment's site-packages, which saves the
download (about 1 GB); without it pip installs everything, torch==2.13.0 among it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
TORCH = "torch==2.13.0"
APP = ("streamlit", "plotly")
BACKEND = ("pip", "setuptools", "_distutils_hack", "distutils-precedence.pth", "_virtualenv.py")
READY = "RMT Viz is at "


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reuse", type=Path)
    reuse = parser.parse_args().reuse
    with tempfile.TemporaryDirectory(prefix="rmt-viz-package-") as name:
        folder = Path(name)
        (folder / "elsewhere").mkdir()
        wheel = build(folder)
        engine = install(folder / "engine", wheel, "", reuse, without=APP)
        try_engine(engine, folder / "elsewhere")
        viz = install(folder / "viz", wheel, "[viz]", reuse)
        try_app(viz, folder / "elsewhere")
        uninstall(viz, folder / "viz")
    print("the package is whole")


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


def install(place: Path, wheel: Path, extras: str, reuse: Path | None, without: tuple[str, ...] = ()) -> Path:
    """A new environment with the wheel in it; the folder of its commands. without: what must not be there."""
    began = time.monotonic()
    venv.create(place, with_pip=True)
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
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], place)
    else:
        run([python, "-m", "pip", "install", "--quiet", TORCH], place)
        run([python, "-m", "pip", "install", "--quiet", f"{wheel}{extras}"], place)
    missing = run([python, "-c", f"import importlib.util as u; print([n for n in {APP!r} if u.find_spec(n)])"], place)
    assert missing.stdout.strip() == str([name for name in APP if name not in without]), missing.stdout
    print(f"installed{extras or ' the engine alone'} in {time.monotonic() - began:.0f} s")
    return place / "bin"


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


def uninstall(bin: Path, place: Path) -> None:
    """Uninstalled: no file of the package is left."""
    run([bin / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "rmt-viz"], place)
    left = [path for path in place.glob("lib/python*/site-packages/rmt*") if any(path.rglob("*.py"))]
    assert not left and not (bin / "rmt-viz").exists(), left
    print("uninstalled, nothing is left")


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
