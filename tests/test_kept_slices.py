"""Slices that visitors step to are made once, and again when a file that they are made of is another one."""

import pytest
from conftest import write_trace
from starlette.applications import Starlette
from starlette.testclient import TestClient

from rmt.viewer import slices
from rmt_viz import session
from rmt_viz.server import routes
from rmt_viz.shelf.result_cache import ResultCache


@pytest.fixture
def told(toys, monkeypatch):
    """told(path, again): a segment's slice; again: whether it had to be made for this."""
    make, made, kept = slices.segment, [], ResultCache(1 << 20, len)
    monkeypatch.setattr(session, "kept_slices", lambda: kept)
    monkeypatch.setattr(slices, "segment", lambda *given: made.append(given) or make(*given))
    client = TestClient(Starlette(routes=routes.ROUTES))

    def tell(path: str, again: bool) -> bytes:
        before = len(made)
        answer = client.get(f"{routes.PREFIX}/{path}")
        assert answer.status_code == 200 and len(made) == before + again
        assert kept.held == sum(map(len, kept.results.values()))
        return answer.content

    tell.client = client
    return tell


def test_a_segment_is_made_once_for_everybody(told):
    first = told("toy/segment/3", again=True)
    assert told("toy/segment/3", again=False) == first
    others = ("toy/segment/4", "toy/segment/3?layer=1", "toy/segment/3?head=1", "toy.reset/segment/3")
    assert len({told(other, again=True) for other in others} | {first}) == 5


def test_another_file_is_seen_whoever_opened_it(told, toys):
    """A run is replaced; its reset control, from which the gain of its tokens is, goes, comes, is written over."""
    bodies = [told("toy/segment/3", again=True)]
    write_trace(toys.folder / "toy.trace.safetensors", loss=True)
    bodies.append(told("toy/segment/3", again=True))
    reset = toys.folder / "toy.reset.trace.safetensors"
    reset.unlink()
    bodies.append(told("toy/segment/3", again=True))
    for loss, first in ((2.0, "none-such"), (3.0, "overview")):  # a file of the same size
        other = write_trace(toys.folder / "other.trace.safetensors", control="reset", fact=None, loss=loss)
        reset.write_bytes(other.path.read_bytes())
        told.client.get(f"{routes.PREFIX}/toy/{first}")  # an overview opens both again
        bodies.append(told("toy/segment/3", again=True))
        assert told("toy/segment/3", again=False) == bodies[-1]
    assert len({*bodies}) == 5
    (toys.folder / "toy.trace.safetensors").unlink()
    assert "no such trace" in told.client.get(f"{routes.PREFIX}/toy/segment/3").json()["error"]
