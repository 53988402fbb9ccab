"""Streaming truncated BPTT: it teaches memory to keep what the curriculum taught it to write and to read.

A batch of long-lived streams carries its memory from step to step. Each tells one story; every step reads a few more
segments of distractor text, with gradient, from the carried memory, then a question. A step costs the same however old
the streams are, so the model gets memories hundreds of segments old within minutes.

Two options (`stream_noise`, `stream_keep`): noise on the carried memory, and a penalty on memory that changes over a
segment without a fact, measured from the carried memory before the noise.
"""

from dataclasses import astuple, replace

import numpy as np
import torch
from torch import Tensor

from rmt.memory.base import State, choose, detach, map_state
from rmt.tasks.base import Rng, Sampler, Story
from rmt.text.segments import IGNORE


class Streams:
    """`size` streams; each reads distractor text alone for a while, then a story, and then questions.

    Where a story knows what its facts answer, a question may be about any fact told so far: so the first fact has to be
    kept while the others are still to come, and later each of them.

    segments: segments read a step. wait: mean segments before the story, and apart: between its facts, where the task
    has facts anywhere. life: mean segments between a story and the stream's replacement by a new one; a stream with a
    wrong answer is replaced with probability `give_up`.
    """

    def __init__(
        self, sampler: Sampler, size: int, segment_length: int, *, segments=3, wait=0, apart=0, life=60, give_up=0.1
    ):
        self.sampler, self.size, self.segment_length = sampler, size, segment_length
        self.segments, self.life, self.give_up = segments, life, give_up
        self.wait, self.apart = (0, 0) if sampler.task.facts_first else (wait, apart)
        self.stories: list[Story | None] = [None] * size
        self.until: list[list[int]] = [[0]] * size  # steps until each fact; below 0 after it
        self.fresh = np.ones(size, bool)  # streams that begin with this step, from the initial memory
        self.age = np.zeros(size, int)  # segments read since the end of the story
        self.labels = np.full(size, IGNORE)  # of this step
        self.quiet = np.ones((size, segments), bool)  # segments of this step after its last fact
        self.carried: State = None

    def next(self, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
        """Make the next step: ids (size, n) that end in the question, labels (size,), -100 before a story."""
        self.fresh = np.array([story is None for story in self.stories])
        for i in np.flatnonzero(self.fresh):
            self.stories[i], self.age[i] = self.sampler.task.story(rng), 0
            means = [self.wait] + [self.apart] * (len(self.stories[i].facts) - 1)
            gaps = [rng.geometric(self.segments / (self.segments + mean)) - 1 if mean else 0 for mean in means]
            self.until[i] = np.cumsum(gaps).tolist()
        if all(min(until) > 0 for until in self.until):  # a step without a question would teach nothing
            self.until[0] = [min(until, 0) for until in self.until[0]]
        n_tokens = self.segments * self.segment_length
        texts, ends = zip(
            *(self._text(rng, *pair, n_tokens) for pair in zip(self.stories, self.until, strict=True)), strict=True
        )
        self.quiet = np.arange(self.segments) * self.segment_length >= np.array(ends)[:, None]
        asked_stories = [self._ask(rng, story, until) for story, until in zip(self.stories, self.until, strict=True)]
        questions = [self.sampler.question(story) for story in asked_stories]
        self.labels = np.array([story.answer for story in asked_stories])
        length = int(rng.integers(max(map(len, questions)), self.segment_length + 1))  # of the asking segment
        rows = [
            np.concatenate([text, self.sampler.filler(rng, length - len(question)), question])
            for text, question in zip(texts, questions, strict=True)
        ]
        return np.stack(rows), self.labels

    def _ask(self, rng: Rng, story: Story, until: list[int]) -> Story:
        """Choose a question of the story that can be answered by now; its answer is -100 where there is none."""
        facts_so_far = [i for i, steps in enumerate(until) if steps <= 0]
        pairs = [story.about(i) for i in facts_so_far] if len(story.facts) > 1 else []
        if any(pairs):
            question, _ = pairs[rng.choice([i for i in facts_so_far if pairs[i]])]
            return replace(story, question=question, answer=story.questions(len(facts_so_far))[question])
        return story if len(facts_so_far) == len(until) else replace(story, answer=IGNORE)

    def _text(self, rng: Rng, story: Story, until: list[int], n_tokens: int) -> tuple[np.ndarray, int]:
        """Make the text of a step: ids (n_tokens,), and the end of the last fact in them, 0 without one."""
        facts = tuple(fact for fact, steps in zip(story.facts, until, strict=True) if steps == 0)
        if not facts:
            return self.sampler.filler(rng, n_tokens), 0
        text, spans = self.sampler.tell(rng, replace(story, facts=facts), n_tokens)
        return text, max(span.end for span in spans)

    def state(self, initial: State) -> State:
        """The carried state of the streams, the initial state where one has just begun."""
        if self.carried is None:
            return initial
        device = initial.device if isinstance(initial, Tensor) else None
        return choose(torch.from_numpy(self.fresh).to(device), initial, self.carried)

    def begin(self, rng: Rng, initial: State, size: int) -> State:
        """The state that ordinary documents begin with: for half of them that of a stream before its story.

        So the model also learns to write a fact after a long text without facts.
        """
        waiting = np.flatnonzero([min(until) >= 0 for until in self.until])
        if self.carried is None or not len(waiting):
            return initial
        device = initial.device if isinstance(initial, Tensor) else None
        rows = torch.from_numpy(rng.choice(waiting, size)).to(device)
        late = torch.from_numpy(rng.random(size) < 0.5).to(device)
        return choose(late, map_state(lambda tensor: tensor[rows], self.carried), initial)

    def update(self, rng: Rng, state: State, right: np.ndarray) -> dict[str, float]:
        """Carry the state after the segments and retire some streams; return accuracy and counts of old streams."""
        self.carried = detach(state)
        asked, complete = self.labels != IGNORE, np.array([max(until) <= 0 for until in self.until])
        self.until = [[steps - 1 for steps in until] for until in self.until]
        self.age[complete] += self.segments
        old = self.age > self.life
        scores = {"stream_accuracy": right[asked].mean(), "old": old.sum(), "old_right": right[old].sum()}
        retire = rng.random(self.size) < self.segments / self.life
        retire |= asked & ~right & (rng.random(self.size) < self.give_up)
        for i in np.flatnonzero(retire & complete):
            self.stories[i] = None
        return scores

    def state_dict(self) -> dict:
        stories = [astuple(story) if story else None for story in self.stories]
        return {"stories": stories, "until": self.until, "age": self.age.tolist(), "carried": self.carried}

    def load_state_dict(self, saved: dict, device: torch.device) -> None:
        self.stories = [Story(*story) if story else None for story in saved["stories"]]
        self.until, self.age = saved["until"], np.array(saved["age"])
        self.carried = map_state(lambda tensor: tensor.to(device), saved["carried"])
