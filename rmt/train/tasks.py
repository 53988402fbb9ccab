"""Training on a task: curriculum over segments, then streams; resumable at any step, over any number of processes."""

import shutil
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW

from rmt import checkpoint
from rmt.backbone.families import backbone_config
from rmt.backbone.last_layer import lean
from rmt.checkpoint.build import SHARED_TOKENIZER, build
from rmt.errors import InputError
from rmt.files import written_whole
from rmt.memory import blocks
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler
from rmt.tasks.distractor import documents
from rmt.text.tokenizer import PAD, open_tokenizer, train_tokenizer
from rmt.train.config import TrainConfig
from rmt.train.curriculum import Gate, Stage, stages
from rmt.train.loop import TRAINING, Progress, TrainingRun, mean_of_processes, means, parameter_groups
from rmt.train.penalties import slot_alikeness, slot_change
from rmt.train.run_folder import RunFolder
from rmt.train.streams import Streams


@dataclass
class TaskProgress(Progress):
    """The progress of a run. since: steps in this stage; tokens: read so far, over all processes."""

    stage: int = 0
    since: int = 0
    tokens: int = 0
    done: bool = False


class Trainer(TrainingRun):
    """A run on a task in a folder; `steps()` yields a dict of metrics per interval until the last stage is over."""

    def __init__(self, config: TrainConfig, folder: Path, *, precision: str | None = None, cpu: bool = False):
        if config.task not in TASKS:
            raise InputError(f"There is no task {config.task!r}; choose from {', '.join(TASKS)}.")
        if precision is None:
            precision = "bf16" if torch.cuda.is_available() and not cpu else "no"
        self.config, self.folder = config, folder
        self.accelerator = Accelerator(mixed_precision=precision, cpu=cpu)
        if config.batch % self.accelerator.num_processes or config.streams % self.accelerator.num_processes:
            raise InputError(f"{self.accelerator.num_processes} processes cannot share a batch of {config.batch}.")
        if config.stream_keep and not config.n_memory:
            raise InputError("A memory that has no slots has no change to penalise; leave --stream-keep out.")
        self.task = TASKS[config.task]
        self.stages = stages(self.task, config.segments, streaming=config.stream_steps > 0, more=config.more_steps > 0)
        if config.streams_only:
            if not (config.init and config.stream_steps):
                raise InputError("Streams alone need a checkpoint to start from and a number of steps; give both.")
            self.stages = self.stages[-1:]
        self.run_folder = RunFolder(folder, config, main=self.accelerator.is_main_process)
        tokenizer = self._tokenizer()
        self.spec = {
            "cell": {"kind": config.cell, "options": {"n_memory": config.n_memory, "initial_std": config.initial_std}},
            "segment_length": config.segment_length,
            "alignment": "left",
            "backbone": backbone_config(
                config.backbone,
                layers=config.layers,
                width=config.width,
                heads=config.heads,
                vocabulary=tokenizer.get_vocab_size(),
                positions=config.positions or config.segment_length + blocks(config.cell) * config.n_memory + 3,
                n_classes=len(self.task.classes),
                pad_id=tokenizer.token_to_id(PAD),
            ),
            "task": config.task,
            "classes": list(self.task.classes),
            "training": asdict(config),
        }
        torch.manual_seed(config.seed)
        self.model = build(self.spec, tokenizer).train()
        if config.init:
            self._start_from(checkpoint.load(config.init, device="cpu"))
        self.n_parameters = sum(p.numel() for p in self.model.parameters())
        self.sampler = Sampler(self.task, tokenizer, "train")
        groups = parameter_groups(self.model.parameters(), config.weight_decay)
        self.wrapped, self.optimizer = self.accelerator.prepare(self.model, AdamW(groups, lr=config.lr))
        self.reader = lean(self.model.backbone)
        share = config.streams // self.accelerator.num_processes
        self.streams = Streams(
            self.sampler, share, config.segment_length,
            segments=config.stream_segments, wait=config.stream_wait, apart=config.stream_apart,
            life=config.stream_life, give_up=config.stream_give_up,
        )  # fmt: skip
        self.gate = Gate(config.threshold, config.window)
        self.at = TaskProgress()
        self._resume()
        self.accelerator.wait_for_everyone()

    @property
    def stage(self) -> Stage:
        return self.stages[self.at.stage]

    @property
    def over(self) -> bool:
        return self.at.done

    def _kernels(self):
        """Context for a step: without fused attention on a CPU in bfloat16, where its backward pass is slow."""
        slow = self.accelerator.device.type == "cpu" and self.accelerator.mixed_precision == "bf16"
        return sdpa_kernel(SDPBackend.MATH) if slow else nullcontext()

    def _step(self) -> dict:
        rng = np.random.default_rng([TRAINING, self.config.seed, self.at.step, self.accelerator.process_index])
        name = self.stage.name
        with self._kernels():
            return {"stage": name, **self._train(rng)}

    def _train(self, rng) -> dict:
        config, at, stage = self.config, self.at, self.stage
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr()
        scores = self._stream_step(rng) if stage.streaming else {}
        # Lengths must be equal in all processes, contents must not: this generator is shared, `rng` is not.
        n_segments, n_tokens = self._length(np.random.default_rng([TRAINING, config.seed, at.step]), stage)
        ids, labels = self.sampler.batch(rng, config.batch // self.accelerator.num_processes, n_tokens, **stage.options)
        initial = self.model.cell.initial(len(ids))
        state = self.streams.begin(rng, initial, len(ids)) if stage.streaming else initial
        loss, right, *_ = self._loss(ids, labels, state=state)
        self.accelerator.backward(loss * (0.5 if stage.streaming else 1.0))
        self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        scores |= {"loss": self._mean(loss.item()), "accuracy": self._mean(right.mean())}
        at.step, at.since = at.step + 1, at.since + 1
        self._advance(scores["accuracy"] if n_segments == stage.n_segments else None)
        return scores

    def _stream_step(self, rng) -> dict:
        config = self.config
        ids, labels = self.streams.next(rng)
        clean = self.streams.state(self.model.cell.initial(len(ids)))
        add = lambda tensor: tensor + config.stream_noise * torch.randn_like(tensor)  # noqa: E731
        state = map_state(add, clean) if config.stream_noise else clean
        loss, right, states, memory = self._loss(ids, labels, state=state)
        scores = {}
        if config.stream_keep:
            # From what was carried, not from what noise made of it: so a memory is drawn back to where it was.
            memory = torch.cat([self.model.cell.slots(clean)[:, None], memory[:, 1 : config.stream_segments + 1]], 1)
            change = slot_change(memory, torch.from_numpy(self.streams.quiet).to(memory.device))
            loss = loss + config.stream_keep * change
            scores["stream_change"] = change.item()
        self.accelerator.backward(loss)
        scores |= self.streams.update(rng, states, right)
        return {"stream_loss": self._mean(loss.item()), **{k: self._mean(v) for k, v in scores.items()}}

    def _loss(self, ids, labels, state: State | None = None):
        """The loss, which rows are right, the state before the asking segment, which streams carry, and all memory."""
        device, carry = self.accelerator.device, []
        n_read = (ids.shape[1] - 1) // self.config.segment_length
        before = lambda i, s: carry.append(s) or s if i == n_read else s  # noqa: E731
        output = self.wrapped(
            torch.from_numpy(ids).to(device),
            torch.from_numpy(labels).to(device),
            state=state,
            before=before,
            backbone=self.reader,
        )
        self.at.tokens += ids.size * self.accelerator.num_processes
        right = output.logits.argmax(-1).cpu().numpy() == labels
        loss = output.loss + self.config.slot_spread * slot_alikeness(output.memory)
        return loss, right, carry[0] if carry else None, output.memory

    def _length(self, rng, stage: Stage) -> tuple[int, int]:
        """Draw the number of segments and tokens of this step's documents."""
        if stage.options:  # a lesson is short
            return 1, self.config.segment_length
        n = stage.n_segments
        if n > 1 and (stage.streaming or rng.random() < self.config.shorter):
            n = int(rng.integers(1, n + 1))
        n_tokens = n * self.config.segment_length
        if n > 1 and rng.random() < self.config.ragged:
            n_tokens -= int(rng.integers(self.config.segment_length - 1))
        return n, n_tokens

    def _lr(self) -> float:
        config, at = self.config, self.at
        if self.stage.streaming:
            return config.stream_lr * max(config.stream_floor, 1 - at.since / config.stream_steps)
        if self.stage.more:
            return config.lr * max(0.02, 1 - at.since / config.more_steps)
        return config.lr * min(1.0, (at.step + 1) / config.warmup)

    def _advance(self, accuracy: float | None) -> None:
        config, at = self.config, self.at
        if self.stage.streaming or self.stage.more:
            if at.since >= (config.stream_steps if self.stage.streaming else config.more_steps):
                self._keep_stage()
                self._next_stage()
        elif accuracy is not None and self.gate.add(accuracy):
            self._keep_stage()
            self._next_stage()
        elif at.since >= config.patience:
            raise InputError(
                f"The stage {self.stage.name!r} was not learned in {config.patience} steps (accuracy {accuracy}); "
                "try another seed, a higher --lr or shorter segments. The weights so far are in the run's folder."
            )

    def _next_stage(self) -> None:
        self.gate.scores.clear()
        self.at.since = 0
        self.at.done = self.at.stage + 1 == len(self.stages)
        self.at.stage += not self.at.done

    def _mean(self, value: float) -> float:
        return mean_of_processes(self.accelerator, value)

    def _line(self, window: list[dict]) -> dict:
        last = window[-1]
        numbers = [name for name, value in last.items() if isinstance(value, float)]
        rest = {name: value for name, value in last.items() if name not in numbers}
        lr = self.optimizer.param_groups[0]["lr"]
        at = {"step": self.at.step, "tokens": self.at.tokens, "seconds": round(self.at.seconds, 1), "lr": lr}
        return {**at, **rest, **means(window, numbers)}

    def _start_from(self, other: Model) -> None:
        """Copy the weights of a model of the same shape; a longer position table keeps its own rows at the end."""
        weights = dict(other.state_dict())
        for name, fresh in self.model.state_dict().items():
            if "position" in name and name in weights and len(weights[name]) < len(fresh):
                weights[name] = torch.cat([weights[name], fresh[len(weights[name]) :]])
        try:
            self.model.load_state_dict(weights)
        except RuntimeError:
            raise InputError(
                f"{self.config.init} is of another shape; give the backbone, layers, width, heads and memory it has."
            ) from None

    # -- what is on disk

    def _tokenizer(self):
        def make(file: Path) -> None:
            if self.config.init:
                shutil.copyfile(Path(self.config.init) / "tokenizer.json", file)
                return
            rng = np.random.default_rng([TRAINING, self.config.seed])
            tales = (self.task.story(rng) for _ in range(3000))
            texts = [*documents("train").values(), *(" ".join([*tale.facts, tale.question]) for tale in tales)]
            train_tokenizer(texts, size=self.config.vocabulary).save(str(file), pretty=False)

        file = self.run_folder.make_tokenizer(make, again=bool(self.config.init))
        self.accelerator.wait_for_everyone()
        return open_tokenizer(file)

    def _save_checkpoint(self) -> None:
        checkpoint.save(self.model, self.spec, self.folder, dtype=torch.float16)

    def _state(self) -> dict:
        streams = gather_object([self.streams.state_dict()])
        return {"model": self.model.state_dict(), "gate": list(self.gate.scores), "streams": streams}

    def _keep_stage(self) -> None:
        """Save the checkpoint of a learned stage, in half precision; all stages share one tokenizer."""
        if not self.config.keep_stages or self.stage.options or not self.accelerator.is_main_process:
            return
        stage, folder = self.stage, self.folder / "stages"
        name = "streams" if stage.streaming else "more" if stage.more else str(stage.n_segments)
        spec = {**self.spec, "tokenizer": SHARED_TOKENIZER, "ended": {"segments": stage.n_segments, **asdict(self.at)}}
        checkpoint.save(self.model, spec, folder / name, dtype=torch.float16)
        with written_whole(folder / "tokenizer.json") as part:
            self.model.tokenizer.save(str(part), pretty=False)

    def _restore(self, saved: dict) -> None:
        if len(saved["streams"]) != self.accelerator.num_processes:
            raise InputError(f"{self.folder} holds a run of {len(saved['streams'])} processes; resume it with as many.")
        self.model.load_state_dict(saved["model"])
        self.gate.scores.extend(saved["gate"])
        self.streams.load_state_dict(saved["streams"][self.accelerator.process_index], self.accelerator.device)
