"""requirements.lock: every package that an installation brings, its version, and the hashes of its files.

python tests/tools/lock.py holds the lock against requirements*.txt and against what is installed here, in a tenth of a
second and without a network; it ends with exit code 1 where something differs. --write UV has the program uv write it
anew (make lock): for every platform and Python that the project runs on, with the hashes that the package index gives.
The versions that stand in it stay as far as they can; delete the file first to have the newest.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = "requirements.lock"
FILES = ("requirements.txt", "requirements-notebook.txt", "requirements-dev.txt")
HEAD = (
    "# By make lock. As pip's constraints (-c requirements.lock) nothing but these versions and files is installed.\n"
)
# Not locked: its builds for CPUs and for CUDA are other files of one version, from other places, and pip takes the one
# whose hash it knows. So it is installed before, by its version alone; all that it needs is locked.
APART = "torch"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def write(uv: str) -> None:
    """Have uv resolve the requirements and write the lock."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--python-version", "3.11", FILES[-1], "--output-file", LOCK]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    text = re.sub(rf"^{APART}==.*\n(?: .*\n)*", "", (ROOT / LOCK).read_text(), flags=re.M)
    (ROOT / LOCK).write_text(HEAD + text)


def entries(text: str) -> Iterator[tuple[Requirement, int]]:
    """The requirements of a lock or a requirements file, and how many hashes each has."""
    for line in text.replace("\\\n", " ").splitlines():
        if line and line[0] not in "#-":
            yield Requirement(line.partition("--hash")[0].strip()), len(HASH.findall(line))


def problems(lock: str, pinned: Iterable[str], installed: dict[str, str]) -> Iterator[str]:
    """What is wrong with a lock, a sentence each. pinned: requirements files. installed: name -> version."""
    locked: dict[str, list[Requirement]] = {}
    for each, hashes in entries(lock):
        locked.setdefault(canonical(each.name), []).append(each)
        if not hashes:
            yield f"{each.name} has no hash in the lock; make lock writes it anew."
    for file in pinned:
        for each, _ in entries(file):
            if each.name != APART and each.specifier not in [
                one.specifier for one in locked.get(canonical(each.name), [])
            ]:
                yield f"{each} is not what the lock has; make lock writes it anew."
    for name, version in installed.items():
        here = [one for one in locked.get(name, []) if one.marker is None or one.marker.evaluate()]
        if here and not any(one.specifier.contains(Version(version).public, prereleases=True) for one in here):
            yield f"{name} {version} is installed, and the lock has {here[0].specifier}; make app installs that."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="UV")
    if uv := parser.parse_args().write:
        return write(uv)
    installed = {canonical(one.name): one.version for one in distributions()}
    lock = (ROOT / LOCK).read_text()
    found = [*problems(lock, [(ROOT / file).read_text() for file in FILES], installed)]
    print(*found, sep="\n", end="\n" if found else "")
    beside = sorted({*installed} - {canonical(each.name) for each, _ in entries(lock)} - {"pip", APART})
    if beside:
        print(f"Installed, and not in the lock: {', '.join(beside)}.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
