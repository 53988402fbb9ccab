"""Arrays of a trace that stay in its file and are read from it on demand. Numpy only.

The file is read and never mapped: a mapped file that somebody shortens ends the whole process with SIGBUS, whereas a
read that comes back short is an error with a sentence.
"""

import errno
import math
import os
import stat
import weakref
from pathlib import Path

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from rmt.errors import InputError


class OpenFile:
    """A file open for reading as long as something refers to it; reads at any place, from any thread."""

    def __init__(self, path: Path):
        """Raises OSError where there is no file that can be opened; a folder, a pipe or a device is none."""
        self.name, self.descriptor = path.name, os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would block
        weakref.finalize(self, os.close, self.descriptor)
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EISDIR, "Is a directory" if stat.S_ISDIR(status.st_mode) else "Is no file")
        self.size = status.st_size

    @property
    def version(self) -> tuple[int, ...]:
        """Which file this is, in which state: another one after anything was written to it."""
        status = os.fstat(self.descriptor)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on. Raises InputError where the file ends before, or its disk fails."""
        data = b""
        while len(data) < length:  # more than once only where a signal or 2 GB cut a read
            try:
                part = os.pread(self.descriptor, length - len(data), start + len(data))
            except OSError as error:
                raise InputError(f"{self.name} cannot be read any more ({error.strerror}); copy it again.") from None
            if not part:
                raise InputError(f"{self.name} was cut short while it was open; copy it again, or record it again.")
            data = data + part if data else part
        return data


class StoredArray(NDArrayOperatorsMixin):
    """An array in a file, of which an index reads only what it needs: a numpy array that may not be written to.

    offset: where its first byte is in the file. Operators, numpy's functions and an array's methods read it whole.
    """

    def __init__(self, file: OpenFile, offset: int, shape: tuple[int, ...], dtype: str):
        self.file, self.offset, self.shape, self.dtype = file, offset, tuple(shape), np.dtype(dtype)
        self.itemsize = math.prod(self.shape[1:]) * self.dtype.itemsize  # bytes of an item of the first axis
        self.nbytes = self.shape[0] * self.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        first, rest = (index[0], index[1:]) if isinstance(index, tuple) and index else (index, ())
        if isinstance(first, int | np.integer) and not isinstance(first, bool):
            at = range(len(self))[first]
            return self._read(at, at + 1)[(0, *rest)]
        if isinstance(first, slice):
            at = range(len(self))[first]
            start, stop = (min(at[0], at[-1]), max(at[0], at[-1]) + 1) if at else (0, 0)
            return self._read(start, stop)[:: at.step][(slice(None), *rest)]
        return self._read(0, len(self))[index]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self._read(0, len(self)), dtype, copy=copy)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return getattr(ufunc, method)(*(i[...] if isinstance(i, StoredArray) else i for i in inputs), **options)

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self[...], name)

    def _read(self, start: int, stop: int) -> np.ndarray:
        """Items start to stop of the first axis, (stop - start, ...)."""
        shape = (stop - start, *self.shape[1:])
        data = self.file.read(self.offset + start * self.itemsize, (stop - start) * self.itemsize)
        return np.ndarray(shape, self.dtype, data)
