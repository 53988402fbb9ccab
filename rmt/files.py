"""Files written so that a kill, a full disk or a power cut leaves the old one or the new one, whole; and folder locks.

Standard library only.
"""

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from rmt.errors import InputError

TEMPORARY = "rmt-viz-tmp-"  # what the names of temporary folders begin with
YOUNG = 60  # seconds in which a folder may not be locked yet
WRITERS = ("SafetensorError", "Exception", "RuntimeError")  # what writers raise that are no OSError, by their names


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a place beside `path` to write to; when nothing went wrong, what was written there becomes `path`.

    Raises InputError that names `path` where it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with naming(path):
            yield part
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    except BaseException:
        remove(part)
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """While open, a failed write is an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ not in WRITERS:
            raise
        why = getattr(error, "strerror", None) or ascii(str(error))[1:-1][:120]
        what = "make room there, or choose another path" if "space" in why or "quota" in why else "choose another path"
        raise InputError(f"{path} cannot be written ({why}); {what}.") from error


def cache_folder() -> Path:
    """Where this program keeps what it can make again, for the user who runs it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rmt-viz"


def remove(path: Path) -> None:
    """Delete a file that nobody needs, if that can be done."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


class FolderLock:
    """A folder that this process alone works in; other threads and objects of it share the lock.

    The lock is the operating system's: it is gone with its process, however that ended, and leaves no file behind.
    """

    held: ClassVar[MutableMapping[tuple[int, int], "FolderLock"]] = weakref.WeakValueDictionary()  # by device and inode

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def take(cls, folder: Path) -> "FolderLock | None":
        """The lock of a folder, as long as somebody keeps it; None where the file system has no locks.

        Raises InputError where another process has it.
        """
        descriptor = os.open(folder, os.O_RDONLY)
        status = os.fstat(descriptor)
        key = (status.st_dev, status.st_ino)
        ours = cls.held.get(key)
        if ours is not None:
            os.close(descriptor)
            return ours
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(
                f"Another process is training in {folder} at the moment; wait until it ends, or give another folder."
            ) from None
        except OSError:  # a file system without locks
            os.close(descriptor)
            return None
        lock = cls.held[key] = cls(descriptor)
        return lock


class TemporaryFolder(tempfile.TemporaryDirectory):
    """A temporary folder that says, by its lock, that its process lives: `sweep` deletes those of dead ones."""

    def __init__(self, folder: Path | None = None):
        super().__init__(prefix=TEMPORARY, dir=folder)
        self.lock = FolderLock.take(Path(self.name))


def sweep(folder: Path | None = None) -> int:
    """Delete what killed processes left behind in the temporary folder, or in another one; how many folders."""
    count = 0
    for place in Path(folder or tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with suppress(OSError, InputError):  # somebody else's, at work, or gone meanwhile
            status = place.lstat()
            ours = (status.st_dev, status.st_ino) in FolderLock.held
            young = time.time() - status.st_mtime < YOUNG
            if place.is_symlink() or not place.is_dir() or status.st_uid != os.getuid() or ours or young:
                continue
            lock = FolderLock.take(place)
            if lock is not None:  # nobody has it any more
                shutil.rmtree(place)
                count += 1
    return count
