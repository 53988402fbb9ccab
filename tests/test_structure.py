"""The direction of imports: the engine knows nothing of the app, figures and traces nothing of torch."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "rmt": {"streamlit", "plotly", "rmt_viz"},
    "rmt_viz/figures": {"streamlit", "torch", "transformers"},
    "rmt_viz/pages": {"torch", "transformers", "rmt.checkpoint", "rmt.recorder", "rmt.model", "rmt.train"},
}
FILES = [(folder, file) for folder in FORBIDDEN for file in sorted((ROOT / folder).rglob("*.py"))]


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize(("folder", "file"), FILES, ids=[str(f.relative_to(ROOT)) for _, f in FILES])
def test_imports_keep_their_direction(folder, file):
    names = imported(file)
    crossed = {n for n in names for f in FORBIDDEN[folder] if n == f or n.startswith(f + ".")}
    assert not crossed


def test_the_walk_sees_the_packages():
    assert {"rmt/unroll.py", "rmt/trace.py"} <= {str(f.relative_to(ROOT)) for _, f in FILES}


@pytest.mark.parametrize("module", ["rmt.trace", "rmt.measure", "rmt.errors"])
def test_reading_a_trace_loads_no_torch(module):
    code = f"import sys, json, {module}; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "streamlit", "plotly"} & set(json.loads(done.stdout))
