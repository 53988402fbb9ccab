"""The loop that all training shares: steps, a line of metrics an interval, and a folder to go on from."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim import Optimizer

from rmt.train.run_folder import RunFolder

TRAINING = 1  # first word of every training seed; evaluation uses another, so the two never meet


@dataclass
class Progress:
    """Where a run stands: saved with the weights, so that a killed run goes on from there."""

    step: int = 0
    seconds: float = 0.0


class TrainingRun:
    """One run in one folder. `steps()` yields a line of metrics per interval until the run is over.

    A kind of training says what a step is, what a line holds, when the run is over, and what it saves besides its
    optimizer and its progress; steps, lines, clock and resuming are here.
    """

    longest_step = math.inf  # seconds; whatever takes longer was a pause of the process and is not counted
    config: object  # with log_every and save_every
    run_folder: RunFolder
    optimizer: Optimizer
    at: Progress

    # -- what a kind of training is

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        raise NotImplementedError

    def _step(self) -> dict:
        """Train one step and count it in `at`; what a line is made from."""
        raise NotImplementedError

    def _line(self, window: list[dict]) -> dict:
        """A line of metrics of the steps since the last."""
        raise NotImplementedError

    def _line_due(self) -> bool:
        return self.at.step % self.config.log_every == 0

    def _after_line(self, line: dict) -> None:
        """What is decided once an interval."""

    def _save_due(self) -> bool:
        return self.at.step % self.config.save_every < self.config.log_every

    def _save_checkpoint(self) -> None:
        """Write the checkpoint for users, in half precision."""
        raise NotImplementedError

    def _state(self) -> dict:
        """What a resumed run needs besides, with all digits."""
        raise NotImplementedError

    def _restore(self, saved: dict) -> None:
        """The inverse of `_state`."""
        raise NotImplementedError

    # -- what all have in common

    def steps(self) -> Iterator[dict]:
        """Train; yield one line of metrics per interval. What is saved is on disk before its line is yielded."""
        window, before = [], time.monotonic()
        while not self.over:
            window.append(self._step())
            now = time.monotonic()
            self.at.seconds, before = self.at.seconds + min(now - before, self.longest_step), now
            if self._line_due() or self.over:
                line, window = self._line(window), []
                self.run_folder.write(line)
                self._after_line(line)
                if self._save_due() or self.over:
                    self._save()
                yield line

    def end(self) -> None:
        """Leave the other processes of the run, if any."""

    def _save(self) -> None:
        """The checkpoint for users, and beside it what a resumed run needs; each appears whole or not at all."""
        state = self._state()  # of all processes, so every one of them takes part
        if self.run_folder.main:
            self._save_checkpoint()
            self.run_folder.save({"optimizer": self.optimizer.state_dict(), "at": asdict(self.at), **state})

    def _resume(self) -> None:
        """Go on from what the folder holds, if anything."""
        saved = self.run_folder.saved()
        if saved:
            self._restore(saved)
            rates = [group["lr"] for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(saved["optimizer"])
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate  # every step sets it, where it is kept: a GPU's is a tensor that stays in its place
            self.at = type(self.at)(**saved["at"])
        self.run_folder.trim(self.at.step)


def parameter_groups(parameters: Iterable[Tensor], weight_decay: float) -> list[dict]:
    """Groups for an optimizer: matrices decay, vectors and single numbers do not."""
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def mean_of_processes(accelerator: Accelerator, value: float | Tensor) -> float:
    """The mean of a number over the processes of a run."""
    if accelerator.num_processes == 1:
        return float(value)
    return float(accelerator.reduce(torch.as_tensor(value, dtype=torch.float32), "mean"))


def means(window: list[dict], names: Iterable[str]) -> dict[str, float]:
    """The mean of each name over the steps that have it, to five digits; a name that none has is left out."""
    rows = {name: [row[name] for row in window if name in row] for name in names}
    return {name: round(float(np.mean(values)), 5) for name, values in rows.items() if values}
