"""A cache of results that jobs computed for visitors, so that they are not computed again."""

from collections import OrderedDict

MOST = 128


class ResultCache:
    """The last results, by key; beyond MOST the oldest are dropped."""

    def __init__(self):
        self.results: OrderedDict[tuple, object] = OrderedDict()

    def put(self, key: tuple, result: object) -> object:
        """Store a result and return it."""
        self.results[key] = result
        while len(self.results) > MOST:
            self.results.popitem(last=False)
        return result

    def get(self, key: tuple) -> object | None:
        """The result of a key, or None."""
        return self.results.get(key)
