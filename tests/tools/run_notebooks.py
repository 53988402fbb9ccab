"""Run the notebooks of notebooks/ as Jupyter does, each in a kernel and a folder of its own; make notebooks calls this.

python tests/tools/run_notebooks.py [NAME ...] [--out FOLDER] prints the seconds of each; --out keeps them with outputs.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    wrong = 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if arguments.names and path.stem not in arguments.names:
            continue
        notebook = nbformat.read(path, as_version=4)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(
                notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
            )
            try:
                client.execute()
                left = os.listdir(folder)
                print(f"{path.name}: {time.monotonic() - began:.0f} s{f', leaves {left}' if left else ''}", flush=True)
                wrong += bool(left)
            except CellExecutionError as error:
                print(f"{path.name}: {error}", flush=True)
                wrong += 1
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, arguments.out / path.name)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
