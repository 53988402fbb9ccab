"""Faults put into the engine one at a time, to see that its tests notice: python tests/tools/mutate.py [--only TEXT].

Each fault replaces one text by another in one file, runs the tests of that file, and is *killed* if they fail. One that
*survives* is a number that nothing watches. All of it happens in a temporary copy of the tree, never in the checkout.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from faults import FAULTS, TESTS, Fault

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPIED = ("rmt", "rmt_viz", "tests", "pyproject.toml")
LINKED = ("assets",)
SECONDS = 600  # after which a fault counts as killed: it made something endless


def main() -> int:
    """Put every fault in, one after another, and report what survives; 1 where one does."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="faults whose file, texts or reason have this in them")
    arguments.add_argument("--list", action="store_true", help="print the faults and put none in")
    options = arguments.parse_args()
    faults = [fault for fault in FAULTS if options.only in "\n".join(vars(fault).values())]
    if options.list:
        print(*(f"{fault.file}: {fault.why}" for fault in faults), sep="\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder) / "tree")
        results = [judged(tree, fault) for fault in _in_order(tree, faults)]
    survived = [fault for fault, killed in results if not killed]
    print(f"{len(results) - len(survived)} of {len(results)} faults killed")
    for fault in survived:
        print(f"SURVIVED {fault.file}: {fault.why}\n  - {fault.old}\n  + {fault.new}")
    return bool(survived)


def copied(tree: Path) -> Path:
    """Copy into a folder what the tests need; the copy."""
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "browser"))
        else:
            shutil.copy(source, tree / name)
    for name in LINKED:
        (tree / name).symlink_to(ROOT / name)
    return tree


def _in_order(tree: Path, faults: list[Fault]):
    """Check that the tests pass without faults, then yield the faults. Raises SystemExit where a fault does not fit."""
    for fault in faults:
        n = (tree / fault.file).read_text().count(fault.old)
        if n != 1:
            raise SystemExit(f"{fault.file} has {n} times {fault.old!r}; a fault replaces what stands there once.")
    for file in dict.fromkeys(fault.file for fault in faults):
        if fails(tree, TESTS[file], tree.parent / "log"):
            raise SystemExit(f"The tests of {file} fail as they are:\n{(tree.parent / 'log').read_text()[-3000:]}")
        _load_what_they_loaded(tree)
        yield from (fault for fault in faults if fault.file == file)


def _load_what_they_loaded(tree: Path) -> None:
    """Import other people's modules once, here, and not again in the process of each fault."""
    for name in (tree.parent / "modules").read_text().split():
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def judged(tree: Path, fault: Fault) -> tuple[Fault, bool]:
    """A fault, and whether the tests of its file noticed it; the file is as before, whatever happens."""
    path, start = tree / fault.file, time.perf_counter()
    before = path.read_text()
    try:
        path.write_text(before.replace(fault.old, fault.new))
        killed = fails(tree, TESTS[fault.file], tree.parent / "log")
    finally:
        path.write_text(before)
    verdict, seconds = "killed" if killed else "SURVIVED", time.perf_counter() - start
    print(f"{verdict:8} {seconds:5.1f} s  {fault.file}: {fault.why}", flush=True)
    return fault, killed


def fails(tree: Path, tests: tuple[str, ...], log: Path) -> bool:
    """Whether one of these tests fails, in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(tree, tests, log))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode != 0


def _run(tree: Path, tests: tuple[str, ...], log: Path) -> None:
    """Run pytest in the copied tree; its output goes to the log."""
    with open(log, "w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if Path(path or ".").resolve() not in (ROOT, HERE))]
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "-k", "not command"]
    code = pytest.main([*tests, *options])
    ours = {"rmt", "rmt_viz", "conftest", "__main__", "faults", *(path.stem for path in (tree / "tests").rglob("*.py"))}
    others = [name for name in sys.modules if name.split(".")[0] not in ours]
    (tree.parent / "modules").write_text("\n".join(others))
    os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.dont_write_bytecode = True  # a file that changes twice in a second would be taken for the one before
    sys.exit(main())
