"""Pages opened without a browser, by Streamlit's own test client."""

import json
import os
import subprocess
import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

from rmt_viz.work import queue

ROOT = Path(__file__).parent.parent
MODULES = """
import json, sys
from app_pages import open_page
for name in sys.argv[1:]:
    open_page(name)
print(json.dumps(sorted(sys.modules)))
"""


def open_page(name: str, *, query: dict | None = None, state: dict | None = None) -> AppTest:
    """A page that has run with these query parameters and this session state. Fails where it raises."""
    page = AppTest.from_string(f"from rmt_viz.pages import {name}\n{name}.page()", default_timeout=120)
    for key, value in (query or {}).items():
        page.query_params[key] = value
    for key, value in (state or {}).items():
        page.session_state[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


class Idle:
    """A worker that has other things to do."""

    def __init__(self):
        self.asked = []

    def submit(self, work, about=None, *_):
        self.asked.append(queue.Job(work, about))
        return self.asked[-1]


def modules_of(*names: str) -> set[str]:
    """The modules that are loaded in a new process after these pages have run."""
    command = [sys.executable, "-c", MODULES, *names]
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))
