"""What was worked out for visitors and may be asked for again."""

from collections import OrderedDict

KEPT = 128


class Found:
    """Answers that were worked out for somebody and may be asked for again, the last ones."""

    def __init__(self):
        self.kept: OrderedDict[tuple, object] = OrderedDict()

    def put(self, key: tuple, value: object) -> object:
        self.kept[key] = value
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return value

    def get(self, key: tuple) -> object | None:
        return self.kept.get(key)
