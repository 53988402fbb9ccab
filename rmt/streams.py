"""Streaming truncated BPTT: teach memory to keep what the curriculum taught it to write and to read.

A batch of long-lived streams carries its memory from step to step. Each was told one story; every step reads a few
more segments of distractor text, with gradient, from the carried memory, then asks. A step costs the same however
old the streams are, so the model meets memories hundreds of segments old within minutes.
"""

import numpy as np
import torch
from torch import Tensor

from rmt.memory.base import State, choose, detach, map_state
from rmt.tasks.base import Rng, Sampler, Story


class Streams:
    """`size` streams, each told a story when it begins and asked about it at every step.

    segments: segments read a step. life: the mean age in segments at which a stream begins anew; a stream that
    answered wrong begins anew with probability `give_up`.
    """

    def __init__(self, sampler: Sampler, size: int, segment_length: int, *, segments=3, life=60, give_up=0.1):
        self.sampler, self.size, self.segment_length = sampler, size, segment_length
        self.segments, self.life, self.give_up = segments, life, give_up
        self.stories: list[Story | None] = [None] * size
        self.age = np.zeros(size, int)  # segments read
        self.carried: State = None

    def next(self, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
        """ids (size, n) of the next segments with the question at their end, and labels (size,)."""
        told, asked = self.segments * self.segment_length, []
        texts = []
        for i in range(self.size):
            if self.stories[i] is None:
                self.stories[i], self.age[i] = self.sampler.task.story(rng), 0
                texts.append(self.sampler.tell(rng, self.stories[i], told)[0])
            else:
                texts.append(self.sampler.filler(rng, told))
            asked.append(self.sampler.question(self.stories[i]))
        length = int(rng.integers(max(map(len, asked)), self.segment_length + 1))  # of the asking segment
        rows = [
            np.concatenate([text, self.sampler.filler(rng, length - len(question)), question])
            for text, question in zip(texts, asked, strict=True)
        ]
        return np.stack(rows), np.array([story.answer for story in self.stories])

    def state(self, initial: State) -> State:
        """What the streams carry, the initial state where one has just begun."""
        if self.carried is None:
            return initial
        fresh = torch.from_numpy(self.age == 0)
        device = initial.device if isinstance(initial, Tensor) else None
        return choose(fresh.to(device), initial, self.carried)

    def update(self, rng: Rng, state: State, right: np.ndarray) -> dict[str, float]:
        """Keep the state after the segments, retire some streams; accuracy, and how many were old and right."""
        self.carried = detach(state)
        self.age += self.segments
        old = self.age > self.life
        scores = {"stream_accuracy": right.mean(), "old": old.sum(), "old_right": right[old].sum()}
        retire = rng.random(self.size) < self.segments / self.life
        retire |= ~right & (rng.random(self.size) < self.give_up)
        for i in np.flatnonzero(retire):
            self.stories[i], self.age[i] = None, 0
        return scores

    def state_dict(self) -> dict:
        stories = [[list(s.facts), s.question, s.answer] if s else None for s in self.stories]
        return {"stories": stories, "age": self.age.tolist(), "carried": self.carried}

    def load_state_dict(self, saved: dict, device: torch.device) -> None:
        self.stories = [Story(tuple(s[0]), s[1], s[2]) if s else None for s in saved["stories"]]
        self.age = np.array(saved["age"])
        self.carried = map_state(lambda tensor: tensor.to(device), saved["carried"])
