"""Bad input of every kind that hypothesis thinks of: a sentence or a sound answer, never a traceback.

RMT_FUZZ=12500 makes so many examples of each property instead of a few dozen. None may work longer than 2 s.
"""

import contextlib
import functools
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from conftest import ROOT, write_trace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from rmt.__main__ import COMMANDS, main
from rmt.checkpoint.build import check_config
from rmt.checkpoint.stock import stock_config
from rmt.errors import InputError
from rmt.intervene import changes
from rmt.trace import Trace, validate
from rmt.viewer import memory_slices, slices
from rmt_viz import session
from rmt_viz.server import address, routes
from rmt_viz.shelf import example_texts
from rmt_viz.shelf.library import Library, Run
from rmt_viz.shelf.result_cache import ResultCache

EXAMPLES = int(os.environ.get("RMT_FUZZ", "40"))
LONGEST = 2  # seconds of work for one example
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
watched: list[str] | None = None


def often(test):
    """Many examples of a property, none of them longer than LONGEST; one that imports a library is not timed."""
    inner = test.hypothesis.inner_test

    @functools.wraps(inner)
    def timed(*given, **named):
        modules, began = len(sys.modules), time.process_time()
        inner(*given, **named)
        assert time.process_time() - began < LONGEST or len(sys.modules) > modules

    test.hypothesis.inner_test = timed
    return settings(
        max_examples=EXAMPLES, deadline=None, derandomize="RMT_FUZZ" not in os.environ,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )(test)  # fmt: skip


TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["", "\x00", "\ud800", "\u202eabc", "../..", "/etc/passwd", "-1", "1e999", "9" * 400, "💾" * 9, "\r\n"]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _watch(event: str, given: tuple) -> None:
    """What the interpreter tells of every file that is about to be written, made, moved or deleted."""
    if watched is not None and (event in CHANGING or (event == "open" and (given[2] or 0) & WRITING)):
        places = given[:1] if event == "open" else given[:2]
        watched.extend(os.path.abspath(os.fsdecode(place)) for place in places if isinstance(place, str | bytes))


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def touches_nothing_else(monkeypatch):
    """Whatever the input, no file is touched outside the folder for temporary files and that of hypothesis."""
    monkeypatch.setattr(sys.modules[__name__], "watched", [])
    yield
    found = set(map(os.path.realpath, watched))
    mine = (tempfile.gettempdir() + os.sep, str(ROOT / ".hypothesis"), "/dev/null")
    assert not [place for place in found if not place.startswith(mine) and "__pycache__" not in place]


def sound(sentence: str) -> None:
    assert sentence and len(sentence) < 2000 and "Traceback" not in sentence, sentence


# -- the command line


OPTIONS = "--json --task --segments --out --html --change --seed --detail --device --help memory reset@1 0 -1 ."
WORDS = st.one_of(TEXTS, st.sampled_from([c.__name__.replace("_", "-") for c in COMMANDS] + OPTIONS.split()))


@often
@given(st.lists(WORDS.filter(lambda word: "\x00" not in word), max_size=6))
def test_the_command_line_ends_with_a_sentence(tmp_path, words):
    """In an empty folder, so that no command finds anything to work on; the one that needs nothing is refused."""
    errors, before = io.StringIO(), Path.cwd()
    words = [word.encode("utf-8", "replace").decode() for word in words]
    words += ["--no-such-option"] if words[:1] == ["mechanisms"] else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rmt", *words])
        os.chdir(tmp_path)
        try:
            with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
                main()
        except SystemExit as ended:
            damaged = words[:1] == ["validate"] and ended.code == 1  # what it was asked
            assert ended.code in (0, 2, None) or damaged, (words, ended.code)
        finally:
            os.chdir(before)
    assert "Traceback" not in errors.getvalue()


# -- the address


LIMITS = {
    "segment": 8, "layer": 2, "head": 2, "slot": 4, "range": 8, "beside": 8, "colour": ["write"], "how": ["mean"],
    "with": ["toy"], "show": ["watch"], "trace": ["toy", "toy.reset"], "control": ["trained"],
}  # fmt: skip
CHANGE = r"[a-z]{3,9}(:[a-z]+)?@[0-9]{1,4}(-[0-9]{1,4})?(/[0-9,]{1,9})?(;[a-z@0-9]{1,9})?"


@often
@given(st.dictionaries(st.sampled_from([*LIMITS, "nonsense"]), TEXTS | st.integers().map(str), max_size=6))
def test_the_address_is_a_view_or_the_default(params):
    values = address.read(params, LIMITS, {"segment": 1})
    assert values.keys() == LIMITS.keys()
    assert type(values["segment"]) is int and 1 <= values["segment"] <= 8
    for name in ("layer", "head", "slot"):
        assert values[name] is None or 1 <= values[name] <= LIMITS[name]
    for name in ("colour", "how", "with", "show", "trace", "control"):
        assert values[name] is None or values[name] in LIMITS[name]
    link = {name: str(value) for name, value in values.items() if value is not None}
    assert address.read(link, LIMITS) == values, "what a link says is what is read"


@often
@given(TEXTS | st.from_regex(CHANGE, fullmatch=True))
def test_a_change_is_understood_or_refused(text):
    try:
        parsed = changes.parse(text)
    except InputError as error:
        sound(str(error))
    else:
        assert changes.parse(changes.write(parsed)) == parsed


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    write_trace(folder / "toy.trace.safetensors")
    shelf = Library(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "library", lambda: shelf)
        yield TestClient(Starlette(routes=routes.ROUTES), raise_server_exceptions=False)


PARTS = st.one_of(TEXTS, st.sampled_from(["toy", "0", "3", "7", "8", "live-" + "A" * 22, "..", "%2e%2e", "toy.trace"]))
QUERY = st.sampled_from(["layer", "head", "over", "with"])
KINDS = st.sampled_from("overview segment memory changed words page".split())


@often
@given(
    PARTS,
    KINDS,
    st.lists(PARTS, max_size=2),
    st.dictionaries(QUERY, PARTS),
)
def test_a_route_answers_with_bytes_or_a_sentence_and_tells_nothing_of_the_disk(client, trace, kind, rest, query):
    path = "/".join(quote(part, safe="", errors="replace") for part in (trace, kind, *rest))
    query = urlencode({key: value.encode("utf-8", "replace") for key, value in query.items()})
    answer = client.get(f"{routes.PREFIX}/{path}?{query}")
    assert answer.status_code in (200, 404, 307), (path, query, answer.status_code, answer.text[:200])
    told = answer.content[:300].decode("utf-8", "replace") if answer.status_code != 200 else ""
    for place in (str(ROOT), "/tmp", "/root", "site-packages", ".py", "safetensors"):
        assert place not in told, told


def test_an_answer_says_how_long_it_took_and_how_much_of_it_was_work(client, monkeypatch):
    def slow(*_) -> bytes:
        time.sleep(0.05)
        sum(range(200_000))
        return b"bytes"

    monkeypatch.setattr(slices, "segment", slow)
    monkeypatch.setattr(session, "kept_slices", lambda: ResultCache(100, len))
    said = client.get(f"{routes.PREFIX}/toy/segment/3").headers["Server-Timing"]
    total, work = (float(part.partition(";dur=")[2]) for part in said.split(", "))
    assert said.startswith("total;") and total > 49 + work and 0.1 <= work < 1000


# -- texts


@often
@given(TEXTS | st.text(min_size=1, max_size=4).map(lambda text: text * 6000), st.integers(-3, 10**6))
def test_a_text_is_taken_or_refused(text, length):
    for check in (example_texts.check_length, example_texts.token_ids):
        try:
            check(text)
        except InputError as error:
            sound(str(error))
    try:
        example_texts.check(text, {"task": "detect", "segment_length": 64}, length)
    except InputError as error:
        sound(str(error))
    else:
        assert 16 <= length <= 64


# -- files


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return write_trace(tmp_path_factory.mktemp("whole") / "toy.trace.safetensors", segments=4).path.read_bytes()


@often
@given(st.data())
def test_a_damaged_trace_is_refused_or_read_to_its_end(tmp_path, whole, data):
    """A few bytes of it are others, or it is cut; the header is hit as often as all the numbers."""
    content, begin = bytearray(whole), 8 + int.from_bytes(whole[:8], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        last = begin if data.draw(st.booleans()) else len(content)
        at = data.draw(st.integers(0, last - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"9" * 12, b"-1", b"null", b"\xff" * 8]))
        content[at : at + len(piece)] = piece
    path = tmp_path / "toy.trace.safetensors"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    for problem in validate(path):
        sound(problem)
    with contextlib.suppress(InputError), np.errstate(all="ignore"):
        trace = Trace.open(path)
        trace.check_text()
        run = Run("toy", trace, "recorded")
        if not trace.done or validate(path):
            return  # with other numbers a route says that it cannot be shown
        for read in (slices.overview, memory_slices.moves):
            assert read(run)
        assert all(slices.segment(run, i) for i in range(trace.done))


DETECT = json.loads((ROOT / "assets" / "checkpoints" / "detect" / "config.json").read_text())


def paths(value, at=()):
    """Every place in a JSON document."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*at, key))


PLACES = [place for place in paths({k: v for k, v in DETECT.items() if k != "training"}) if place]


@often
@given(st.sampled_from(PLACES), VALUES | st.sampled_from([10**8, -1, 2**63, "", 1e308]))
def test_a_configuration_is_sound_or_refused_before_anything_is_made(place, value):
    config = json.loads(json.dumps(DETECT))
    inner = config
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    try:
        checked = check_config(config, Path("detect"))
        stock_config(checked["backbone"]["config"])
    except InputError as error:
        sound(str(error))


@often
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_checkpoint_of_nonsense_is_refused(tmp_path, content):
    from rmt.checkpoint import inspect

    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        inspect(folder)
    sound(str(error.value))
