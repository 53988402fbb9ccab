"""A callback for the Trainer of transformers: it records the same text again and again while a memory is trained."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from transformers import TrainerCallback

from rmt.errors import InputError
from rmt.model import Model
from rmt.recorder import record

NAME = "step-{step:08d}{control}.trace.safetensors"


class TraceCallback(TrainerCallback):
    """Records a text at the start, every so many steps, and at the end of training.

    traces: [(step, path)] of what was recorded so far; `rmt-viz --runs FOLDER` shows them, on its page Train, too.
    """

    def __init__(
        self,
        every: int = 500,
        *,
        text: str | Sequence[int] | torch.Tensor,
        folder: str | Path = "traces",
        detail: str = "thin",
        control: bool = True,
        reader: Callable[[nn.Module], Model] | None = None,
        **known,
    ):
        """every: steps between two traces. text, detail and known: as `rmt.record` has them (spans, label, asking).

        control: record the text with memory reset, too. reader: makes an `rmt` model of what is trained, where that is
        none itself, such as a transformers model: `lambda model: rmt.load(model, tokenizer=...)`.
        """
        if type(every) is not int or every < 1:
            raise InputError(f"every is a number of steps, 1 or more, not {every!a}.")
        self.every, self.text, self.folder, self.detail = every, text, Path(folder), detail
        self.control, self.reader, self.known = control, reader, known
        self.traces: list[tuple[int, Path]] = []

    def on_train_begin(self, args, state, control, model=None, **others) -> None:
        self._record(model, state)

    def on_step_end(self, args, state, control, model=None, **others) -> None:
        if state.global_step % self.every == 0:
            self._record(model, state)

    def on_train_end(self, args, state, control, model=None, **others) -> None:
        self._record(model, state)

    def _record(self, model: nn.Module, state) -> None:
        """Record the text with the weights of this step; the training goes on as if nothing had been."""
        step = state.global_step
        if not state.is_world_process_zero or (self.traces and self.traces[-1][0] == step):
            return
        read = self.reader(model) if self.reader else model
        if not isinstance(read, Model):
            raise InputError(
                f"A {type(model).__name__} is no rmt model; give reader=, which makes one, or train what rmt.wrap made."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        modes, about = {module: module.training for module in read.modules()}, read.about
        try:
            read.eval()
            # Weights change from step to step, so each trace has a hash of its own for replays to check.
            read.about = replace(about, name=f"{about.name}, step {step}", fingerprint="")
            with torch.random.fork_rng():
                for kind in (None, "reset") if self.control else (None,):
                    path = self.folder / NAME.format(step=step, control=f".{kind}" if kind else "")
                    path.unlink(missing_ok=True)  # of an earlier training
                    record(read, self.text, detail=self.detail, out=path, control=kind, **self.known)
        finally:
            read.about = about
            for module, training in modes.items():
                module.training = training
        self.traces.append((step, self.folder / NAME.format(step=step, control="")))
