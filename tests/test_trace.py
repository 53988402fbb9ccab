"""A trace is valid whenever its writer stops, can be gone on with, and a damaged one is said to be so.

More than 300 lines: each way in which a file may end or be damaged has its test, all on one recorded run.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from recording_process import SEGMENTS
from safetensors import safe_open
from test_recorder import document, small

from rmt.errors import InputError
from rmt.recorder import record
from rmt.tasks.base import Span
from rmt.trace import Trace, validate
from rmt.trace.writer import TraceWriter

TESTS = Path(__file__).parent
KILLS = 8  # python -m benchmarks.kills counts hundreds
OPTIONS = {"detail": "thin", "spans": [Span("question", 38, 45)]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A finished recording of five segments, the last one short."""
    return record(small("bert"), document(), out=tmp_path_factory.mktemp("trace") / "t", **OPTIONS).path


# -- reading


def test_a_stock_reader_sees_the_same_arrays(whole):
    trace = Trace.open(whole)
    with safe_open(whole, "np") as stock:
        assert set(stock.keys()) == set(trace.arrays)
        for name, array in trace.arrays.items():
            assert np.array_equal(stock.get_tensor(name), array, equal_nan=array.dtype.kind == "f"), name


def test_segments_tile_the_document(whole):
    trace = Trace.open(whole)
    assert [(s.index, s.start, s.end) for s in trace.segments] == [(i, 10 * i, min(10 * i + 10, 45)) for i in range(5)]
    assert [t for s in trace.segments for t in s.tokens] == trace.tokens == [f"[{i}]" for i in document()]
    assert trace.segments[-1].read.shape == (3, 4, 5, 3) and trace.segments[-1].write.shape == (3, 4, 3, 5)
    assert [s.index for s in trace.segments[1:-1:2]] == [1, 3]
    assert trace.segment_of(44) == 4
    for before, after in zip(trace.segments, trace.segments[1:], strict=False):
        assert np.array_equal(before.memory, after.memory_before)


def test_a_copy_stands_alone(whole, tmp_path):
    trace = Trace.open(Trace.open(whole).save(tmp_path / "copy"))
    assert trace.answer in trace.classes and validate(trace.path) == []


def test_arrays_begin_where_their_type_can_be_mapped(whole):
    for name, array in Trace.open(whole).arrays.items():
        assert array.offset % array.dtype.itemsize == 0, name


# -- killed and gone on with


class KilledError(BaseException):
    pass


@pytest.fixture
def killed_after(monkeypatch):
    """Makes the n-th byte written the last, in the middle of a write if it falls there."""
    write, left = os.pwrite, [0]

    def partial(file, data, place):
        data = memoryview(data).cast("B")
        part = data[: left[0]]
        left[0] -= len(data)
        if len(part):
            write(file, part, place)
        if left[0] <= 0:
            raise KilledError
        return len(part)

    def set_limit(n):
        left[0] = n
        monkeypatch.setattr(os, "pwrite", partial)

    return set_limit


def test_a_trace_is_valid_after_a_kill_at_any_byte(whole, tmp_path, killed_after, monkeypatch):
    model, content, seen = small("bert"), whole.read_bytes(), set()
    limits = [*range(1, 60, 7), *np.random.default_rng(0).integers(60, len(content), 60)]
    for n in map(int, limits):
        path = tmp_path / str(n)
        killed_after(n)
        with suppress(KilledError):
            record(model, document(), out=path, **OPTIONS)
        monkeypatch.undo()
        if path.exists():
            assert validate(path) == []
            seen.add(Trace.open(path).done)
        else:
            seen.add(None)
        assert record(model, document(), out=path, **OPTIONS).path.read_bytes() == content
    assert seen >= {None, 0, 1, 2, 3, 4}


def test_kills_of_a_recording_process_at_any_moment(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent), "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, str(TESTS / "recording_process.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def run(name: str, delay: float) -> tuple[int, float]:
        process.stdin.write(f"{tmp_path / name} {delay}\n")
        process.stdin.flush()
        status, seconds = process.stdout.readline().split()
        return int(status), float(seconds)

    try:
        assert run("whole", -1)[0] == 0
        content, rng, done = (tmp_path / "whole").read_bytes(), np.random.default_rng(11), []
        usual = run("again", -1)[1]
        for i in range(KILLS):
            path = tmp_path / f"run{i}"
            run(path.name, rng.uniform(0, usual))
            if path.exists():
                assert validate(path) == []
                done.append(Trace.open(path).done)
            assert run(path.name, -1)[0] == 0
            assert path.read_bytes() == content
    finally:
        process.kill()
        process.communicate()
    print(f"segments done when killed, of {SEGMENTS}: {done}")
    assert sum(0 < n < SEGMENTS for n in done) >= KILLS // 4, done


# -- damaged files


def header_of(content: bytes) -> tuple[dict, int]:
    n = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + n]), 8 + n


def with_header(content: bytes, change) -> bytes:
    header, begin = header_of(content)
    header = change(header) or header
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[begin:]


def with_meta(**changes):
    def change(header):
        meta = {**json.loads(header["__metadata__"]["trace"]), **changes}
        header["__metadata__"]["trace"] = json.dumps(meta)

    return lambda content: with_header(content, change)


def with_entry(name, **changes):
    return lambda content: with_header(content, lambda header: header[name].update(changes))


def with_values(name: str, change):
    """Change an array in place: change(array) on a writable copy of it."""

    def damage(content: bytes) -> bytes:
        header, begin = header_of(content)
        entry, data = header[name], bytearray(content)
        dtype = {"I64": "<i8", "I32": "<i4", "F64": "<f8", "F32": "<f4", "F16": "<f2", "U8": "u1"}[entry["dtype"]]
        array = np.ndarray(entry["shape"], dtype, data, begin + entry["data_offsets"][0])
        change(array)
        return bytes(data)

    return damage


def put(index, value):
    return lambda array: array.__setitem__(index, value)


NOT_OPENED = {
    "empty": (lambda c: b"", "its header does not fit the file"),
    "seven_bytes": (lambda c: c[:7], "its header does not fit the file"),
    "endless_header": (lambda c: b"\xff" * 8 + c[8:], "its header does not fit the file"),
    "no_json": (lambda c: c[:8] + b"}" + c[9:], "its header is not JSON"),
    "not_utf8": (lambda c: c[:20] + b"\xff" + c[21:], "its header is not JSON"),
    "nested": (lambda c: (20_000).to_bytes(8, "little") + b"[" * 20_000, "its header is not JSON"),
    "a_list": (lambda c: with_header(c, lambda h: [1]), "its header lacks or garbles"),
    "no_metadata": (lambda c: with_header(c, lambda h: {k: v for k, v in h.items() if k[0] != "_"}), "__metadata__"),
    "cut_short": (lambda c: c[:-100], "lies past the end of the file, which was cut short"),
    "cut_early": (lambda c: c[:5000], "lies past the end of the file, which was cut short"),
    "schema": (with_meta(schema="rmt-trace-9"), "its schema is 'rmt-trace-9', this version reads 'rmt-trace-1'"),
    "detail": (with_meta(detail="all"), "its level of detail is 'all', none of memory, summary, thin"),
    "classes": (with_meta(classes=[1, 2, 3, 4, 5]), "its classes are not words"),
    "fewer_classes": (with_meta(classes=["a"]), "which does not fit the other arrays"),
    "span": (with_meta(spans=[{"kind": "fact", "start": 3, "end": 46}]), "a span lies outside the text"),
    "weights": (with_meta(made_by={"fingerprint": None}), "its header lacks or garbles"),
    "no_memory": (lambda c: with_header(c, lambda h: {k: v for k, v in h.items() if k != "memory"}), "it lacks memory"),
    "unknown": (lambda c: with_header(c, lambda h: {**h, "x\n": h["done"]}), "is no array of a trace"),
    "shape": (with_entry("mass", shape=[5, 4, 3, 4]), "which does not fit the other arrays"),
    "axes": (with_entry("mass", shape=[5, 12, 4]), "mass has 3 axes where 4 are needed"),
    "size": (with_entry("memory", shape=[6, 3, 33]), "memory has a size that its shape and type do not give"),
    "type": (with_entry("memory", dtype="F8"), "memory has a size that its shape and type do not give"),
    "negative": (with_entry("memory", shape=[-6, -3, 32]), "memory has an impossible shape"),
    "bool_shape": (with_entry("done", shape=[True]), "done has an impossible shape"),
    "before_data": (with_entry("done", data_offsets=[-8, 0]), "lies past the end of the file"),
    "offsets": (with_entry("done", data_offsets=None), "lacks or garbles"),
}


@pytest.mark.parametrize("name", NOT_OPENED)
def test_a_file_that_is_no_trace_gets_a_sentence(whole, tmp_path, name):
    damage, sentence = NOT_OPENED[name]
    path = tmp_path / "damaged"
    path.write_bytes(damage(whole.read_bytes()))
    with pytest.raises(InputError) as error:
        Trace.open(path)
    assert sentence in str(error.value) and str(error.value).endswith("Record it again.")
    assert validate(path) == [str(error.value)]


INSIDE = {
    "done": (with_values("done", put(0, 6)), "The count of recorded segments is 6, where 0 to 5 are possible."),
    "done_negative": (with_values("done", put(0, -1)), "The count of recorded segments is -1"),
    "starts": (with_values("starts", put(2, 5)), "The segments' starts do not rise from 0 to 45"),
    "starts_end": (with_values("starts", put(5, 46)), "The segments' starts do not rise from 0 to 45"),
    "ids": (with_values("ids", put(7, -1)), "Token 7 has a negative id."),
    "token_ends": (with_values("token_ends", put(0, 10**12)), "The ends of the tokens' texts do not rise"),
    "token_text": (with_values("token_text", put(9, 0xFF)), "The text is not UTF-8 at byte 9."),
    "first_memory": (with_values("memory", put((0, 0, 0), 7)), "The text or the initial memory was changed"),
    "one_id": (with_values("ids", put(7, 8)), "The text or the initial memory was changed"),
    "memory": (with_values("memory", put((3, 1, 2), 7)), "Segment 2 was changed after it was recorded"),
    "read": (with_values("read", put((4, 1, 2, 0, 0), 0.123)), "Segment 4 was changed after it was recorded"),
    "crc": (with_values("crc", put(2, 0)), "Segment 1 was changed after it was recorded"),
    "nan": (
        with_values("memory", put((3, 1, 2), np.nan)),
        "The memory after segment 2 holds numbers that are not finite",
    ),
    "share": (
        with_values("token_read", put(33, 1.5)),
        "The array token_read of segment 3 holds shares outside 0 to 1.",
    ),
    "mass": (with_values("mass", put((0, 0, 0, 3), 99)), "The block masses of segment 0 do not add up"),
    "sums": (with_values("write", put(1, 0)), "The write maps of segment 1 do not add up to its write mass."),
    "loss": (with_values("loss", put(12, -1)), "The loss in segment 1 is negative or infinite."),
    "asked": (
        with_values("asked", put(4, 0.5)),
        "The answer probabilities if asked after 4 segments are no distribution.",
    ),
    "answer": (
        with_values("probabilities", put(0, np.nan)),
        "The answer probabilities at the end are no distribution.",
    ),
    "label": (with_meta(label=5), "The label 5 is none of its 5 classes."),
}


@pytest.mark.parametrize("name", INSIDE)
def test_what_is_wrong_inside_is_named(whole, tmp_path, name):
    damage, sentence = INSIDE[name]
    path = tmp_path / "damaged"
    path.write_bytes(damage(whole.read_bytes()))
    assert any(problem.startswith(sentence) for problem in validate(path)), validate(path)
    trace = Trace.open(path)  # it may be looked at all the same
    assert 0 <= len(trace.segments) <= 5


def test_every_changed_byte_of_what_was_recorded_is_noticed(whole, tmp_path):
    content = whole.read_bytes()
    header, begin = header_of(content)
    rng, path = np.random.default_rng(5), tmp_path / "flipped"
    for name in ("memory", "loss", "mass", "answer_read", "token_write", "token_read", "read", "write"):
        for at in rng.integers(*header[name]["data_offsets"], 8):
            data = bytearray(content)
            data[begin + at] ^= 1 << rng.integers(8)
            path.write_bytes(data)
            assert any("checksum" in problem for problem in validate(path)), (name, at)


@pytest.mark.parametrize(
    ("name", "index", "n"),
    [("probabilities", 0, 2), ("probabilities", 0, 4), ("ids", 95, 2), ("done", 0, 2), ("loss", -1, 1)],
)
def test_nothing_is_written_beyond_an_array_or_beside_its_classes(tmp_path, name, index, n):
    meta, sizes = {"detail": "memory"}, {"S": 8, "Tn": 96, "T": 12, "bytes": 4, "M": 4, "D": 6, "R": 4, "W": 4}
    text = {"ids": np.zeros(96), "token_text": np.zeros(4), "token_ends": np.full(96, 4), "memory": np.zeros((4, 6))}
    writer = TraceWriter(tmp_path / "b", meta, {**sizes, "L": 2, "H": 2, "C": 3}, {**text, "starts": np.arange(9) * 12})
    held = (tmp_path / "b").read_bytes()
    with pytest.raises(InputError, match=f"array {name} of this trace"):
        writer.write(name, index, np.ones(n))
    assert (tmp_path / "b").read_bytes() == held
    writer.close()


def test_a_file_that_is_not_there_gets_a_sentence(tmp_path):
    assert validate(tmp_path / "none") == [
        f"{tmp_path / 'none'} cannot be read (No such file or directory); give the path of a trace file."
    ]
    assert "Is a directory" in validate(tmp_path)[0]
