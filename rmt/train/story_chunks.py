"""The data set that a story trainer reads: chunks of stories, made in worker processes of a DataLoader."""

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
    """An endless data set of chunks; each worker process of its DataLoader has streams of its own.

    rung: the number of the rung to read, and lost (processes, rows): streams with many wrong answers, both shared with
    the worker processes. start: the step that a resumed run starts at.
    """

    def __init__(
        self, config: StoryConfig, classes: tuple[str, ...], tokenizer: Tokenizer, rung, lost: Tensor, start: int = 0
    ):
        self.config, self.classes, self.tokenizer = config, classes, tokenizer
        self.rung, self.lost, self.start = rung, lost, start

    def __iter__(self) -> Iterator[tuple[int, Chunk]]:
        """Yield (number of the process, chunk) without end."""
        process = get_worker_info()
        group = process.id if process else 0
        config, stages = self.config, rungs(self.config)
        streams: dict[int, StoryStreams] = {}  # by number of rows: lessons of one segment have more
        while True:
            at = int(self.rung.value)
            rows = config.rows if stages[at].unroll else config.lesson_rows
            if rows not in streams:
                rng = np.random.default_rng([TRAINING, config.seed, group, self.start, rows])
                streams[rows] = StoryStreams(
                    stages, self.classes, self.tokenizer, rows, config.segment_length, config.questions, rng,
                    shortest=config.shortest, lost=self.lost[group].numpy() if rows == config.rows else None,
                )  # fmt: skip
            yield group, streams[rows].chunk(at)
