"""Run the notebooks of notebooks/ as Jupyter does, each in a kernel and a folder of its own; make notebooks calls this.

python tests/tools/run_notebooks.py [NAME ...] [--out FOLDER] prints the seconds of each, and those that its kernel was
at work on a core; --out keeps them with outputs. It fails where a cell fails, where a kernel warns, where a last
expression shows nothing, where a file is left, and where a kernel works longer than two cores can in a minute.
"""

import argparse
import ast
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
MOST = 2 * 60  # seconds of work


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    failed = False
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if arguments.names and path.stem not in arguments.names:
            continue
        notebook = nbformat.read(path, as_version=4)
        began, worked = time.monotonic(), work()
        wrong = tried(notebook)
        seconds, worked = time.monotonic() - began, work() - worked
        wrong += ["works too long"] * (worked > MOST)
        failed |= bool(wrong)
        said = f"{seconds:.0f} s, of which {worked:.0f} at work; {os.getloadavg()[0]:.0f} processes wanted a core"
        print(f"{path.name}: {said}{''.join(f'; {each}' for each in wrong)}", flush=True)
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, arguments.out / path.name)
    sys.exit(failed)


def tried(notebook) -> list[str]:
    """Run a notebook; what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            shutdown_kernel="graceful",
        )
        try:
            client.execute()
        except CellExecutionError as error:
            return [str(error)]
        wrong = [f"leaves {left}" for left in os.listdir(folder)]
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        told = "".join(output.text for output in cell.outputs if output.get("name") == "stderr")
        wrong += [f"cell {i} warns: {told[:300]}"] if told else []
        shows = isinstance(ast.parse(cell.source).body[-1], ast.Expr) and ".observe(" not in cell.source
        if shows and not cell.outputs and ".unlink" not in cell.source and "rmtree" not in cell.source:
            wrong.append(f"cell {i} shows nothing")
    return wrong


def work() -> float:
    """Seconds that kernels which have ended were at work."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
