"""The curriculum of a task: lessons, then longer documents, then streams (see `rmt.train.streams`)."""

from collections import deque
from dataclasses import dataclass, field

from rmt.tasks import Task


@dataclass(frozen=True)
class Stage:
    """A stage of the curriculum: documents of n_segments made with `options`, until they are learned.

    more: learned documents for some more steps, at a falling rate. streaming: endless streams, likewise.
    """

    n_segments: int
    options: dict = field(default_factory=dict)
    streaming: bool = False
    more: bool = False

    @property
    def name(self) -> str:
        if self.streaming:
            return "streaming"
        lesson = "".join(f", {key} {value}" for key, value in self.options.items())
        return f"{self.n_segments} segment{'s' * (self.n_segments > 1)}{lesson}{', more' * self.more}"


def stages(task: Task, n_segments: int, *, streaming: bool, more: bool = False) -> list[Stage]:
    """List the stages: the task's lessons on one segment, then 1, 2, ... n_segments, then `more` and `streaming`."""
    lessons = [Stage(1, options) for options in task.lessons]
    longer = [Stage(n) for n in range(1, n_segments + 1)]
    last = [*[Stage(n_segments, more=True)] * more, *[Stage(n_segments, streaming=True)] * streaming]
    return [*lessons, *longer, *last]


class Gate:
    """The gate to the next stage: it opens when the mean of the last `window` accuracies reaches `threshold`."""

    def __init__(self, threshold: float = 0.985, window: int = 20, scores: list[float] | None = None):
        self.threshold = threshold
        self.scores = deque(scores or [], maxlen=window)

    def add(self, score: float) -> bool:
        """Add the accuracy of a full-length batch; whether the gate is open."""
        self.scores.append(score)
        return len(self.scores) == self.scores.maxlen and sum(self.scores) / len(self.scores) >= self.threshold
