"""What a kill, a full disk or a damaged file leaves of training, recording and exporting: the same command goes on."""

import gc
import os
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from training import ENVIRONMENT, ROOT, TINY, lines, weights

from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.files import written_whole
from rmt.recorder import record
from rmt.text.tokenizer import open_tokenizer
from rmt.trace import Trace, validate
from rmt.train import Trainer
from rmt.train.run_folder import RunFolder

DETECT = ROOT / "assets" / "checkpoints" / "detect"
SHIPPED = ROOT / "assets" / "traces" / "detect.trace.safetensors"
root = pytest.mark.skipif(os.getuid() != 0 or sys.platform != "linux", reason="mounts a file system: root on Linux")


def rmt(*arguments, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "rmt", *map(str, arguments)]
    environment = {**ENVIRONMENT, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, **options)


def refused(done: subprocess.CompletedProcess) -> str:
    """The sentence of a command that ended with exit code 2."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-3000:]
    return done.stderr


@contextmanager
def small_disk(folder: Path, size: str):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that leaves so many bytes of a file system free."""
    room = os.statvfs(folder)
    (folder / "filler").write_bytes(b"x" * (room.f_bavail * room.f_bsize - leave))
    return folder / "filler"


# -- a run's folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tokenizer_file):
    """A tiny run to its end: its folder, its weights and its curves."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    shutil.copyfile(tokenizer_file, folder / "tokenizer.json")
    for _ in Trainer(TINY, folder, cpu=True).steps():
        pass
    return folder


@pytest.fixture
def half(tmp_path, tokenizer_file):
    """The same run, saved twice and stopped."""
    folder = tmp_path / "half"
    folder.mkdir()
    shutil.copyfile(tokenizer_file, folder / "tokenizer.json")
    run = Trainer(TINY, folder, cpu=True).steps()
    for _ in range(3):
        next(run)
    run.close()
    return folder


CUTS = {
    "a line of metrics": ("metrics.jsonl", lambda data: data[:-40]),
    "metrics in the middle": ("metrics.jsonl", lambda data: data[:30] + b"\x00\xff" + data[60:]),
    "metrics to nothing": ("metrics.jsonl", lambda data: b""),
    "resume.pt": ("resume.pt", lambda data: data[: len(data) // 2]),
    "resume.pt to nothing": ("resume.pt", lambda data: b""),
    "tokenizer.json": ("tokenizer.json", lambda data: data[:5000]),
    "config.json": ("config.json", lambda data: data[:50]),
    "model.safetensors": ("model.safetensors", lambda data: data[:100]),
}


@pytest.mark.parametrize("cut", CUTS)
def test_the_same_command_goes_on_after_a_file_was_cut(half, finished, cut):
    """To the same weights; curves have every step but those of lines that were cut."""
    name, change = CUTS[cut]
    (half / name).write_bytes(change((half / name).read_bytes()))
    for _ in Trainer(TINY, half, cpu=True).steps():
        pass
    ended, whole = weights(half), weights(finished)
    assert all(torch.equal(ended[name], whole[name]) for name in whole)
    found, wanted = lines(half), lines(finished)
    assert found[-3:] == wanted[-3:] and [row for row in wanted if row in found] == found
    assert (half / "tokenizer.json").read_bytes() == (finished / "tokenizer.json").read_bytes()


def test_both_states_damaged_begin_the_run_again(half, finished, caplog):
    for name in ("resume.pt", "resume.before.pt"):
        (half / name).write_bytes(b"PK")
    for _ in Trainer(TINY, half, cpu=True).steps():
        pass
    assert "resume.pt is damaged" in caplog.text
    ended, whole = weights(half), weights(finished)
    assert all(torch.equal(ended[name], whole[name]) for name in whole)


def test_a_tokenizer_that_nothing_can_bring_back_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"version": ')
    with pytest.raises(InputError, match=r"tokenizer\.json is damaged"):
        Trainer(TINY, tmp_path, cpu=True)


HOLD = "import time; from rmt.files import FolderLock; lock = FolderLock.take({!r}); print('held', flush=True); "
HOLD += "time.sleep(600)"


def test_the_second_run_in_a_folder_is_refused_and_a_dead_one_holds_nothing(half):
    """Another process trains there; it is killed; then this one goes on."""
    other = subprocess.Popen([sys.executable, "-c", HOLD.format(str(half))], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        gc.collect()  # the run that filled the folder lets go of it
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=f"Another process is training in {half}"):
            Trainer(TINY, half, cpu=True)
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert next(Trainer(TINY, half, cpu=True).steps())["step"] == 4


# -- a full disk


@root
def test_training_on_a_full_disk_is_a_sentence_and_goes_on_with_room(tmp_path, tokenizer_file, finished):
    tokenizer = open_tokenizer(tokenizer_file)
    with small_disk(tmp_path / "disk", "2m") as disk:
        filler, out = fill(disk, 8192), disk / "run"
        with pytest.raises(InputError, match=r"tokenizer.json cannot be written \(.*No space left.*make room"):
            RunFolder(out, TINY).make_tokenizer(lambda file: tokenizer.save(str(file)))
        assert not list(out.iterdir())
        filler.unlink()
        shutil.copyfile(tokenizer_file, out / "tokenizer.json")
        left = 0
        for room in range(0, 1_000_000, 40_000):  # so that each of the files that are saved is once the one too many
            filler = fill(disk, room)
            with suppress(InputError):
                for _ in Trainer(TINY, out, cpu=True).steps():
                    pass
                break
            left += 1
            assert not list(out.glob("*.part"))
            filler.unlink()
        assert left > 3
        ended, whole = weights(out), weights(finished)
        assert all(torch.equal(ended[name], whole[name]) for name in whole)
        assert lines(out) == lines(finished)


@root
@pytest.mark.slow
def test_recording_on_a_full_disk_keeps_its_segments_and_goes_on(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        out, model = disk / "run", load(DETECT, device="cpu")
        ids = list(range(10, 74)) * 12
        filler = fill(disk, 100_000)
        with pytest.raises(InputError, match=r"run cannot be written on \(No space left.*give the same command again"):
            record(model, ids, detail="thin", out=out)
        done = Trace.open(out).done
        assert 0 < done < 12 and validate(out) == []
        filler.unlink()
        whole = record(model, ids, detail="thin", out=out)
        assert whole.complete and validate(out) == []
        assert out.read_bytes() == record(model, ids, detail="thin", out=tmp_path / "other").path.read_bytes()


@root
@pytest.mark.slow
def test_an_export_that_finds_no_room_leaves_the_page_as_it_was(tmp_path):
    with small_disk(tmp_path / "disk", "2m") as disk:
        page = disk / "run.html"
        assert rmt("export", SHIPPED, "--html", page).returncode == 0
        before = page.read_bytes()
        fill(disk, 4096)
        assert f"{page} cannot be written (No space left" in refused(rmt("export", SHIPPED, "--html", page))
        assert page.read_bytes() == before and not list(disk.glob("*.part"))


# -- what is replaced


@pytest.mark.parametrize("content", [b"years of work", b"\x89PNG....", b'{"__metadata__": 1}'])
def test_only_a_trace_is_replaced_by_a_recording(tmp_path, content):
    file = tmp_path / "thesis"
    file.write_bytes(content)
    with pytest.raises(InputError, match="thesis is another file and no trace"):
        record(load(DETECT, device="cpu"), list(range(10, 74)), out=file)
    assert file.read_bytes() == content and os.listdir(tmp_path) == ["thesis"]


def test_a_trace_and_an_empty_file_may_be_replaced(tmp_path):
    model = load(DETECT, device="cpu")
    (tmp_path / "run").touch()
    for length in (64, 128):
        assert record(model, list(range(10, 74)) * (length // 64), out=tmp_path / "run").complete
    assert Trace.open(tmp_path / "run").n_segments == 2


@pytest.mark.slow
def test_commands_replace_no_other_file_and_no_device(tmp_path):
    thesis, device = tmp_path / "thesis.txt", tmp_path / "null"
    thesis.write_text("years of work")
    os.mkfifo(tmp_path / "pipe")
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        places = (thesis, device, tmp_path / "pipe")
    except PermissionError:  # never the machine's own: a fault here would replace it
        places = (thesis, tmp_path / "pipe")
    for place in places:
        before = os.lstat(place)
        sample = ("--task", "detect", "--segments", 2, "--out", place)
        assert str(place) in refused(rmt("record", DETECT, *sample))
        assert str(place) in refused(rmt("export", SHIPPED, "--html", place))
        after = os.lstat(place)
        assert (before.st_ino, before.st_mode, before.st_size) == (after.st_ino, after.st_mode, after.st_size)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "kept"
    file.write_text("old")
    with pytest.raises(InputError, match="kept cannot be written"), written_whole(file) as part:
        part.write_text("half of the ne")
        raise OSError(28, "No space left on device")
    with pytest.raises(KeyboardInterrupt), written_whole(file) as part:
        part.write_text("half of the ne")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and os.listdir(tmp_path) == ["kept"]
