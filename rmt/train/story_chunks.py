"""The chunks that a story trainer reads, written by as many processes as a DataLoader starts."""

from collections.abc import Iterator

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from rmt.train.config import StoryConfig
from rmt.train.loop import TRAINING
from rmt.train.rungs import rungs
from rmt.train.stories import Chunk, StoryStreams


class Chunks(IterableDataset):
    """Chunks without end, from as many processes as a DataLoader starts; each has streams of its own.

    rung: the number of the rung to read, and lost (processes, rows): the streams that are lost, both shared with those
    processes. start: the step that the run goes on from.
    """

    def __init__(
        self, config: StoryConfig, classes: tuple[str, ...], tokenizer: Tokenizer, rung, lost: Tensor, start: int = 0
    ):
        self.config, self.classes, self.tokenizer = config, classes, tokenizer
        self.rung, self.lost, self.start = rung, lost, start

    def __iter__(self) -> Iterator[tuple[int, Chunk]]:
        """(number of the process, chunk), one after the other."""
        process = get_worker_info()
        group = process.id if process else 0
        config, stages = self.config, rungs(self.config)
        streams: dict[int, StoryStreams] = {}  # by rows: lessons of one segment have more
        while True:
            at = int(self.rung.value)
            rows = config.rows if stages[at].unroll else config.lesson_rows
            if rows not in streams:
                rng = np.random.default_rng([TRAINING, config.seed, group, self.start, rows])
                streams[rows] = StoryStreams(
                    stages, self.classes, self.tokenizer, rows, config.segment_length, config.questions, rng,
                    lost=self.lost[group].numpy() if rows == config.rows else None,
                )  # fmt: skip
            yield group, streams[rows].chunk(at)
