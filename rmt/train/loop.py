"""The training loop that all kinds of training share: steps, lines of metrics, checkpoints and resuming."""

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
from rmt.train.tracking import numbers

TRAINING = 1  # first word of every training seed; evaluation uses another, so the two never meet


@dataclass
class Progress:
    """The progress of a run, saved with the weights, so that a killed run resumes there."""

    step: int = 0
    seconds: float = 0.0


class TrainingRun:
    """The base of training runs, each in a folder; `steps()` yields a line of metrics per interval until the end.

    A subclass defines a step, the content of a line, when the run is over, and what is saved besides optimizer and
    progress. The order of steps, lines, saving and resuming is here.
    """

    longest_step = math.inf  # seconds; a longer step was a pause of the process, whose rest is not counted
    config: object  # with log_every and save_every
    run_folder: RunFolder
    accelerator: Accelerator | None = None  # its trackers get each line, where a run has one
    optimizer: Optimizer
    at: Progress

    # -- defined by each kind of training

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        raise NotImplementedError

    def _step(self) -> dict:
        """Train one step and count it in `at`; return the values that a line is made from."""
        raise NotImplementedError

    def _line(self, window: list[dict]) -> dict:
        """Make a line of metrics from the steps since the last line."""
        raise NotImplementedError

    def _line_due(self) -> bool:
        return self.at.step % self.config.log_every == 0

    def _after_line(self, line: dict) -> None:
        """Decide what is decided once an interval, such as going on to the next stage."""

    def _save_due(self) -> bool:
        return self.at.step % self.config.save_every < self.config.log_every

    def _save_checkpoint(self) -> None:
        """Write the checkpoint for users, in half precision."""
        raise NotImplementedError

    def _state(self) -> dict:
        """The values that a resumed run needs besides, in full precision."""
        raise NotImplementedError

    def _restore(self, saved: dict) -> None:
        """Restore the values of `_state`."""
        raise NotImplementedError

    # -- common to all

    def steps(self) -> Iterator[dict]:
        """Train; yield one line of metrics per interval. Checkpoints are on disk before their line is yielded."""
        window, before = [], time.monotonic()
        while not self.over:
            window.append(self._step())
            now = time.monotonic()
            self.at.seconds, before = self.at.seconds + min(now - before, self.longest_step), now
            if self._line_due() or self.over:
                line, window = self._line(window), []
                self.run_folder.write(line)
                if self.accelerator:
                    self.accelerator.log(numbers(line), step=self.at.step)
                self._after_line(line)
                if self._save_due() or self.over:
                    self._save()
                yield line

    def end(self) -> None:
        """End the run's trackers and its process group, where it has some."""
        if self.accelerator:
            self.accelerator.end_training()

    def _save(self) -> None:
        """Save the checkpoint for users, and the state that a resumed run needs; each appears whole or not at all."""
        state = self._state()  # gathered from all processes, so all of them call it
        if self.run_folder.main:
            self._save_checkpoint()
            self.run_folder.save({"optimizer": self.optimizer.state_dict(), "at": asdict(self.at), **state})

    def _resume(self) -> None:
        """Resume from the folder's saved state, where there is one."""
        saved = self.run_folder.saved()
        if saved:
            self._restore(saved)
            rates = [group["lr"] for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(saved["optimizer"])
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate  # the same object as before: on a GPU it is a tensor that captured steps read
            self.at = type(self.at)(**saved["at"])
        self.run_folder.trim(self.at.step)


def parameter_groups(parameters: Iterable[Tensor], weight_decay: float) -> list[dict]:
    """Make the optimizer's parameter groups: matrices have weight decay, vectors and single numbers have none."""
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
    """The mean of each name over the steps that have it, rounded to five digits; names without values are left out."""
    rows = {name: [row[name] for row in window if name in row] for name in names}
    return {name: round(float(np.mean(values)), 5) for name, values in rows.items() if values}
