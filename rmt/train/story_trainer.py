"""Training on endless stories: rungs from two words to whole sentences in prose, then streams; resumable.

Several questions are asked with one state, each with its own label. `rmt.train.rungs` has the rungs and the reasons
for them. A resumed run continues with its weights, optimizer and rung; its streams are new ones.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.optim import AdamW
from torch.utils.data import DataLoader

from rmt.backbone.families import backbone_config
from rmt.checkpoint import load, save
from rmt.checkpoint.build import TOKENIZER, build
from rmt.errors import InputError
from rmt.files import written_whole
from rmt.memory import blocks, mechanism
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.tasks.babi import CLASSES, KINDS, NEVER
from rmt.tasks.distractor import Distractor
from rmt.text.tokenizer import PAD, open_tokenizer, train_tokenizer
from rmt.train.captured_step import CapturedStep
from rmt.train.config import StoryConfig
from rmt.train.loop import TRAINING, Progress, TrainingRun, parameter_groups
from rmt.train.muon import Muon, muon_groups
from rmt.train.run_folder import RunFolder
from rmt.train.rungs import Rung, rungs, tasks_of
from rmt.train.start_from import start_from
from rmt.train.stories import ASKED, Chunk, vocabulary_texts
from rmt.train.story_chunks import Chunks
from rmt.train.story_step import check, score

COMPILERS = ("g++", "clang++")  # either of which torch compiles with for a CPU
OLD = 60  # segments after which a stream's answers have an accuracy of their own


@dataclass
class StoryProgress(Progress):
    """The progress of a run. since: steps on this rung; began: the run's seconds when this rung began."""

    rung: int = 0
    since: int = 0
    began: float = 0.0
    done: bool = False


class StoryTrainer(TrainingRun):
    """A run on stories in a folder; `steps()` yields metrics until the last rung is over.

    workers: processes that make the texts while the model trains; none on a machine with few cores.
    """

    longest_step = 30.0  # so that a pause of the process does not count towards --minutes

    def __init__(self, config: StoryConfig, folder: Path, *, device: str = "cpu", workers: int = 0):
        self.config, self.folder, self.device = config, Path(folder), torch.device(device)
        self.rungs = rungs(config)
        self._check()
        known = dict.fromkeys(name for kind in tasks_of(config) for name in KINDS[kind].world.classes)
        self.classes = tuple(dict.fromkeys(name for name in (*CLASSES[:-1], *known, NEVER) if name in known))
        self.run_folder = RunFolder(self.folder, config)
        saved = self.run_folder.saved()
        self.at = StoryProgress(**saved["at"]) if saved else StoryProgress(rung=config.first)
        tokenizer = self._tokenizer()
        self.spec = self._spec(tokenizer)
        self.chunks = self._chunks(tokenizer, workers)
        torch.manual_seed(config.seed)
        self.model: Model = build(self.spec, tokenizer).train()
        check(self.model)
        torch.nn.init.normal_(self.model.backbone.model.get_input_embeddings().weight, std=config.word_std)
        if config.init:
            start_from(load(config.init, device="cpu"), self.model, self.classes, config.init)
        self.model.to(self.device)
        if config.compile and not self.cuda:  # on a GPU the whole step is captured
            for layer in self.model.backbone.layers:
                layer.compile(dynamic=False)
        self.optimizer = self._optimizer()
        self.step = CapturedStep(self._train, self.model, self.optimizer) if self.cuda else self._train
        self.carried: dict[int, State] = {}  # process that made the texts -> state of its rows
        self._resume()

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def rung(self) -> Rung:
        return self.rungs[self.at.rung]

    @property
    def over(self) -> bool:
        return self.at.done

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    # -- one step

    def _step(self) -> dict:
        group, chunk = next(self.chunks)
        while chunk.rung != self.at.rung:  # a chunk that was made ahead for the rung before
            group, chunk = next(self.chunks)
        if self.at.since == 0:
            self.carried.clear()
        self._set_lr(self._lr())
        arrays = (chunk.source, chunk.ids, chunk.begins, chunk.ask, chunk.ends, chunk.quiet, chunk.labels)
        source, *tensors = [torch.from_numpy(array).to(self.device, non_blocking=True) for array in arrays]
        state = self.carried.get(group)
        if state is None:
            state = map_state(lambda tensor: tensor.detach().clone(), self.model.cell.initial(len(chunk.ids)))
        loss, right, state = self.step(*tensors, map_state(lambda tensor: tensor[source], state))
        if self.rung.streams:
            self.carried[group] = state
            asked = tensors[-1] >= 0
            self.lost[group] = (asked.any(1) & ((right & asked).sum(1) <= asked.sum(1) / 2)).cpu()
        self.at.step, self.at.since = self.at.step + 1, self.at.since + 1
        return {"loss": loss, "right": right, "asked": self._asked(chunk)}

    def _train(self, *tensors) -> tuple[Tensor, Tensor, State]:
        """Train on a chunk: the loss, which answers were right, the state after the segments."""
        config, half = self.config, self.config.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            loss, right, state = score(self.model, *tensors, gate_cost=config.gate_cost, quiet_cost=config.quiet_cost)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=not self.cuda)
        return loss.detach(), right, state

    def _asked(self, chunk: Chunk) -> dict[str, np.ndarray]:
        """The questions that each accuracy is counted over: name in a line of metrics -> mask (B, Q)."""
        asked = chunk.labels >= 0
        of_streams = asked & (chunk.old > 0)[:, None]
        return {
            "own": asked & chunk.own[:, None],
            "old": asked & (chunk.old > OLD)[:, None],
            "told": asked & (chunk.labels != self.classes.index(NEVER)),
            "never": asked & (chunk.labels == self.classes.index(NEVER)),
            "accuracy": asked,
            **{kind: of_streams & (chunk.kind == i)[:, None] for i, kind in enumerate(KINDS)},
        }

    def _lr(self) -> float:
        config, rung = self.config, self.rung
        if rung.streams and rung is self.rungs[-1]:
            return config.stream_lr * max(config.floor, 1 - self._gone())
        warm = min(1.0, (self.at.step + 1) / config.warmup)
        if rung.streams:
            return config.stream_lr * warm
        fallen = min(1.0, self.at.since / config.patience)
        return config.lr * warm * (1 - (1 - config.rung_floor) * fallen)

    def _set_lr(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            if self.cuda:
                group["lr"].fill_(lr)  # the tensor that captured steps read
            else:
                group["lr"] = lr

    # -- once an interval

    def _line_due(self) -> bool:
        return super()._line_due() or self.at.since == self.rung.steps

    def _line(self, window: list[dict]) -> dict:
        right = [step["right"].cpu().numpy() for step in window]

        def share(name: str) -> float | None:
            count = sum(step["asked"][name].sum() for step in window)
            hits = sum((hit & step["asked"][name]).sum() for hit, step in zip(right, window, strict=True))
            return round(float(hits / count), 4) if count else None

        return {
            "step": self.at.step, "rung": self.rung.name, "since": self.at.since, "seconds": round(self.at.seconds, 1),
            "lr": self._lr(), "loss": round(float(np.mean([step["loss"].item() for step in window])), 4),
            **{name: share(name) for name in window[0]["asked"]},
        }  # fmt: skip

    def _after_line(self, line: dict) -> None:
        """Go on to the next rung where this one is learned or its steps are over."""
        config, rung, own = self.config, self.rung, line["own"]
        if rung is self.rungs[-1]:
            self.at.done = self._gone() >= 1
            return
        learned = self.at.since >= rung.steps if rung.steps else own is not None and own >= rung.goal
        late = not rung.steps and self.at.since >= config.patience
        if late and not learned and not config.go_on:
            raise InputError(
                f"The rung {rung.name!r} was not learned in {self.at.since} steps (accuracy {own}); "
                "try another seed, another --lr or more --patience, or leave it with --go-on."
            )
        if learned or late:
            self.at.rung, self.at.since, self.at.began = self.at.rung + 1, 0, self.at.seconds
            self.shared_rung.value = self.at.rung

    def _gone(self) -> float:
        """The share of the last rung that is over: of its steps, or of its time where `minutes` are given."""
        if not self.config.minutes:
            return self.at.since / self.rung.steps
        return (self.at.seconds - self.at.began) / max(1e-9, 60 * self.config.minutes - self.at.began)

    # -- the start of a run

    def _check(self) -> None:
        config = self.config
        mechanism(config.cell)  # raises where there is none of that name
        if config.precision not in ("fp32", "bf16"):
            raise InputError(f"The precision is fp32 or bf16, not {config.precision!r}.")
        if config.optimizer not in ("adamw", "muon"):
            raise InputError(f"The optimizer is adamw or muon, not {config.optimizer!r}.")
        if config.cell != "rmt" and config.gated:
            raise InputError(f"Only the memory of --cell rmt is written through gates, not that of {config.cell}.")
        if (config.gate_cost or config.quiet_cost) and not config.gated:
            raise InputError("Open gates have a cost where there are gates; add --gated or leave out their cost.")
        if config.compile and not self.cuda and not any(map(shutil.which, COMPILERS)):
            raise InputError("--compile needs a C++ compiler, g++ or clang++, and none is here; leave it out.")
        if config.first >= len(self.rungs):
            raise InputError(f"There are {len(self.rungs)} rungs, numbered from 0; --first {config.first} is none.")
        if config.segment_length < ASKED * config.questions:
            raise InputError(
                f"{config.questions} questions need a segment of {ASKED * config.questions} tokens, not of "
                f"{config.segment_length}; use longer segments or fewer --questions."
            )

    def _tokenizer(self) -> Tokenizer:
        """Open the given tokenizer, that of `init` or the folder's own, or train one; keep it in the folder."""
        config, file = self.config, self.folder / TOKENIZER
        given = Path(config.tokenizer) if config.tokenizer else Path(config.init) / TOKENIZER if config.init else None
        if given is not None:
            tokenizer = open_tokenizer(given)
            if given.resolve() != file.resolve():
                with written_whole(file) as part:
                    shutil.copyfile(given, part)
            return tokenizer

        def make(file: Path) -> None:
            texts = vocabulary_texts(np.random.default_rng([TRAINING, config.seed]), tasks_of(config))
            train_tokenizer(texts, size=config.vocabulary).save(str(file), pretty=False)

        return open_tokenizer(self.run_folder.make_tokenizer(make))

    def _spec(self, tokenizer: Tokenizer) -> dict:
        """The content of the checkpoint's config.json."""
        config, kinds = self.config, tasks_of(self.config)
        return {
            "cell": {"kind": config.cell, "options": config.cell_options},
            "segment_length": config.segment_length,
            "alignment": "left",
            "backbone": backbone_config(
                config.backbone, layers=config.layers, width=config.width, heads=config.heads, inner=config.inner,
                vocabulary=tokenizer.get_vocab_size(), pad_id=tokenizer.token_to_id(PAD),
                positions=config.segment_length + blocks(config.cell) * config.n_memory, n_classes=len(self.classes),
            ),
            "task": kinds[0] if len(kinds) == 1 else "babi",
            "classes": list(self.classes),
            "training": asdict(config),
        }  # fmt: skip

    def _chunks(self, tokenizer: Tokenizer, workers: int) -> Iterator[tuple[int, Chunk]]:
        """Start making chunks. Workers are forks of this process, so the background text is loaded before them."""
        self.shared_rung = torch.multiprocessing.Value("i", self.at.rung)
        self.lost = torch.zeros(max(1, workers), self.config.rows, dtype=torch.bool).share_memory_()
        chunks = Chunks(self.config, self.classes, tokenizer, self.shared_rung, self.lost, self.at.step)
        if not workers:
            return iter(chunks)
        Distractor.load(tokenizer, "train")
        return iter(
            DataLoader(chunks, batch_size=None, num_workers=workers, prefetch_factor=2, multiprocessing_context="fork")
        )

    def _optimizer(self) -> AdamW:
        model, decay = self.model, self.config.weight_decay
        lr = torch.zeros((), device=self.device) if self.cuda else 0.0
        make, parts = AdamW, parameter_groups(model.parameters(), decay)
        if self.config.optimizer == "muon":
            make, parts = Muon, muon_groups(model.backbone, model.parameters(), decay)
        return make(parts, lr=lr, fused=True, capturable=self.cuda, betas=(0.9, 0.98))

    # -- what is on disk

    def _save_due(self) -> bool:
        return super()._save_due() or self.at.since == 0

    def _save_checkpoint(self) -> None:
        save(self.model, self.spec, self.folder, dtype=torch.float16)

    def _state(self) -> dict:
        return {"model": self.model.state_dict()}

    def _restore(self, saved: dict) -> None:
        self.model.load_state_dict(saved["model"])
