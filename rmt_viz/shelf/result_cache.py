"""A cache of results that were computed for visitors, so that they are not computed again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST = 128


class ResultCache:
    """The results used last, by key; safe to use from many threads.

    `most` is how much it holds, as the sum of what `size` says of each, which is 1 by default; what is more by itself
    is not kept.
    """

    def __init__(self, most: int = MOST, size: Callable[[object], int] = lambda result: 1):
        self.most, self.size, self.held, self.lock = most, size, 0, threading.Lock()
        self.results: OrderedDict[Hashable, object] = OrderedDict()

    def put(self, key: Hashable, result: object) -> object:
        """Store a result and return it."""
        with self.lock:
            self._drop(key)
            if self.size(result) > self.most:
                return result
            self.results[key] = result
            self.held += self.size(result)
            while self.held > self.most:
                self._drop(next(iter(self.results)))
        return result

    def get(self, key: Hashable) -> object | None:
        """The result of a key, or None."""
        with self.lock:
            if key in self.results:
                self.results.move_to_end(key)
            return self.results.get(key)

    def _drop(self, key: Hashable) -> None:
        if key in self.results:
            self.held -= self.size(self.results.pop(key))
