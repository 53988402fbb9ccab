"""Training on stories that go on: rungs from two words to whole sentences in prose, then streams; resumable.

Several questions are put to one state, each with a label of its own. What bound names to places here and what never
did is written beside the rungs.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW
from torch.utils.data import DataLoader, IterableDataset

from rmt.backbone.families import backbone_config
from rmt.checkpoint import load, save
from rmt.checkpoint.build import build
from rmt.errors import InputError
from rmt.memory import mechanism
from rmt.memory.base import State, choose, detach, map_state
from rmt.model import Model
from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.distractor import Distractor
from rmt.text.segments import IGNORE, Segment
from rmt.text.tokenizer import PAD, open_tokenizer
from rmt.train.run_folder import RunFolder
from rmt.train.stories import Chunk, Rung, StoryStreams

TRAINING = 1


@dataclass(frozen=True)
class StoryConfig:
    """Everything that decides a run's result."""

    kinds: str = "qa1"  # tasks of bAbI, separated by commas
    tokenizer: str = ""
    seed: int = 0
    init: str | None = None
    layers: int = 4
    width: int = 64
    heads: int = 4
    inner: int = 4
    cell: str = "rmt"
    n_memory: int = 8
    initial_std: float = 1.0
    segment_length: int = 64
    rows: int = 32
    lesson_rows: int = 64
    questions: int = 4
    lr: float = 2e-3
    stream_lr: float = 1e-3
    warmup: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    stream_steps: int = 4000
    stream_life: int = 1000
    stream_share: float = 0.6  # rows that are streams
    floor: float = 0.02
    first: int = 0  # the rung to begin with
    patience: int = 4000
    go_on: int = 0  # whether a rung that was not learned in `patience` steps is left all the same
    precision: str = "fp32"
    minutes: float = 0.0  # of the whole run; the last rung ends with them, in place of its steps
    log_every: int = 20
    save_every: int = 200


def rungs(config: StoryConfig) -> list[Rung]:
    """The stages of training, in order."""
    kinds = tuple(config.kinds.split(","))
    first = ("qa1",) if "qa1" in kinds else kinds[:1]
    prose = (0.15, 0.7)
    steps = [
        Rung("short, 4 facts", first, forms=(1, 0, 0), facts=4),
        Rung("short, 8 facts", first, forms=(1, 0, 0), facts=8),
        Rung("short, 2 facts, 1 segment back", first, forms=(1, 0, 0), share=(0.5, 0.9), facts=2, life=2, unroll=1),
        Rung("short, 1 segment back", first, forms=(1, 0, 0), share=(0.3, 0.9), facts=6, life=2, unroll=1),
        Rung("short, 3 segments back", first, forms=(1, 0, 0), share=(0.3, 0.9), life=4, unroll=3),
        Rung("sentences, no mark", first, forms=(0, 1, 0), facts=4, unroll=3),
        Rung("sentences, no mark, 3 segments back", first, forms=(0, 1, 0), share=(0.3, 0.9), life=4, unroll=3),
        Rung("sentences", first, facts=4, unroll=3),
        Rung("sentences in prose", first, share=prose, life=4, unroll=3),
    ]
    if kinds != first:
        steps += [
            Rung("all, dense", kinds, life=4, unroll=3, goal=0.9),
            Rung("all, in prose", kinds, share=(0.15, 1.0), life=5, unroll=4, goal=0.9),
        ]
    steps = [replace(rung, varied=rung.forms[2] > 0) for rung in steps]
    steps.append(Rung("facts cut by a boundary", kinds, share=prose, life=5, unroll=4, cut=0.6, goal=0.9, varied=True))
    stream = Rung(
        "streams",
        kinds,
        share=(0.01, 0.9),
        unroll=4,
        varied=True,
        cut=0.4,
        lures=0.2,
        streams=config.stream_share,
        steps=config.stream_steps,
    )
    return [
        *steps,
        replace(stream, name="streams to 100", life=100, steps=max(1, config.stream_steps // 6)),
        replace(stream, life=config.stream_life),
    ]


class Chunks(IterableDataset):
    """Chunks without end, from as many processes as a DataLoader starts; each has streams of its own."""

    def __init__(self, config: StoryConfig, classes: tuple[str, ...], tokenizer, rung, since: int = 0):
        self.config, self.classes, self.tokenizer, self.rung, self.since = config, classes, tokenizer, rung, since

    def __iter__(self) -> Iterator[tuple[int, Chunk]]:
        info = torch.utils.data.get_worker_info()
        group = info.id if info else 0
        config, all_rungs = self.config, rungs(self.config)
        streams = {}
        while True:
            at = int(self.rung.value)
            rows = config.rows if all_rungs[at].unroll else config.lesson_rows
            if rows not in streams:
                rng = np.random.default_rng([TRAINING, config.seed, group, self.since, rows])
                streams[rows] = StoryStreams(
                    all_rungs, self.classes, self.tokenizer, rows, config.segment_length,
                    config.questions, rng,
                )  # fmt: skip
            yield group, streams[rows].chunk(at)


class StoryTrainer:
    """One run in one folder; `steps()` yields metrics until the last rung is over."""

    def __init__(self, config: StoryConfig, folder: Path, *, device: str = "cpu", workers: int = 0):
        self.config, self.folder, self.device = config, Path(folder), torch.device(device)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kept = RunFolder(self.folder, config)
        kinds = config.kinds.split(",")
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise InputError(f"There is no bAbI task {ascii(unknown[0])[:40]}; choose from {', '.join(KINDS)}.")
        mechanism(config.cell)  # raises where there is none
        known = {name for kind in kinds for name in KINDS[kind].world.classes}
        from rmt.tasks.babi import CLASSES

        self.classes = tuple(name for name in CLASSES if name in known)
        tokenizer = open_tokenizer(Path(config.tokenizer))
        self.spec = {
            "cell": {"kind": config.cell, "options": {"n_memory": config.n_memory, "initial_std": config.initial_std}},
            "segment_length": config.segment_length,
            "alignment": "left",
            "backbone": backbone_config(
                "llama", layers=config.layers, width=config.width, heads=config.heads,
                vocabulary=tokenizer.get_vocab_size(), positions=config.segment_length + 2 * config.n_memory,
                n_classes=len(self.classes), pad_id=tokenizer.token_to_id(PAD), inner=config.inner,
            ),
            "task": kinds[0] if len(kinds) == 1 else "babi",
            "classes": list(self.classes),
            "training": asdict(config),
        }  # fmt: skip
        self.rungs = rungs(config)
        self.step, self.since, self.at, self.seconds = 0, 0, config.first, 0.0
        saved = self.kept.saved()
        if saved:
            self.step, self.since, self.at, self.seconds = (saved[k] for k in ("step", "since", "at", "seconds"))
        self.rung = torch.multiprocessing.Value("i", self.at)
        if workers:  # they start as copies of this process, which has the background text by then and no GPU yet
            Distractor.load(tokenizer, "train")
        self.chunks = iter(DataLoader(
            Chunks(config, self.classes, tokenizer, self.rung, self.step), batch_size=None, num_workers=workers,
            prefetch_factor=2 if workers else None, multiprocessing_context="fork" if workers else None,
        ))  # fmt: skip
        torch.manual_seed(config.seed)
        self.model: Model = build(self.spec, tokenizer).train().to(self.device)
        if config.init:
            self._start_from(load(config.init, device="cpu"))
        cuda = self.device.type == "cuda"
        self.lr = torch.zeros((), device=self.device)
        decay = [p for p in self.model.parameters() if p.dim() > 1]
        plain = [p for p in self.model.parameters() if p.dim() <= 1]
        self.optimizer = AdamW(
            [{"params": decay, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.lr if cuda else 0.0, fused=True, capturable=cuda, betas=(0.9, 0.98),
        )  # fmt: skip
        self.carried: dict[int, State] = {}
        self.graphs: dict = {}
        if saved:
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.kept.trim(self.step)

    def steps(self) -> Iterator[dict]:
        """Train; yield a line of metrics per interval."""
        config, window, before = self.config, [], time.monotonic()
        for group, chunk in self.chunks:
            if chunk.rung != self.at:  # made ahead for a rung that is over
                continue
            if self.since == 0:
                self.carried.clear()
            scores = self._step(group, chunk)
            window.append(scores)
            self.step, self.since = self.step + 1, self.since + 1
            now = time.monotonic()
            self.seconds, before = self.seconds + min(now - before, 2.0), now  # a run that was stopped goes on
            done, moved = False, False
            if self.step % config.log_every == 0 or self.since == self.rungs[self.at].steps:
                line = self._line(window)
                window = []
                done, moved = self._advance(line["own"])
                self.kept.write(line)
                if moved or self.step % config.save_every < config.log_every:
                    self._save()
                yield line
            if done:
                return

    def _step(self, group: int, chunk: Chunk) -> dict:
        for g in self.optimizer.param_groups:
            if self.device.type == "cuda":
                g["lr"].fill_(self._lr())
            else:
                g["lr"] = self._lr()
        begins = torch.from_numpy(chunk.begins)
        tensors = [torch.from_numpy(x) for x in (chunk.ids, chunk.begins, chunk.ask, chunk.ends, chunk.labels)]
        tensors = [x.to(self.device, non_blocking=True) for x in tensors]
        state = self.carried.get(group)
        if state is None:
            state = map_state(lambda t: t.clone(), detach(self.model.cell.initial(len(begins))))
        run = self._captured if self.device.type == "cuda" else self._run
        loss, right, state = run(*tensors, state)
        if self.rungs[self.at].streams:
            self.carried[group] = state
        asked = chunk.labels >= 0
        on = asked & (chunk.old > 0)[:, None]
        kinds = [on & (chunk.kind == i)[:, None] for i in range(len(KINDS))]
        old = asked & (chunk.old > 60)[:, None]
        own = asked & chunk.own[:, None]
        never = asked & (chunk.labels == self.classes.index(NEVER))
        return {"loss": loss, "right": right, "masks": (own, old, never, asked, *kinds)}

    def _forward(self, ids, begins, ask, ends, labels, state):
        """Loss, (B, Q) which were right, the state after the segments."""
        model, U = self.model, ids.shape[1]  # noqa: N806
        amp = self.config.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=amp, cache_enabled=False):
            initial = model.cell.initial(len(ask))
            for u in range(U):
                state = choose(begins[:, u], initial, state)
                _, state = model.cell.step(model.backbone, Segment(ids[:, u]), state)
                state = map_state(lambda t: t.float(), state)
            asked = choose(begins[:, U], initial, state)
            step, _ = model.cell.step(model.backbone, Segment(ask), asked)
            hidden = step.output.hidden
            places = (ends + step.layout.tokens.start)[..., None].expand(-1, -1, hidden.shape[-1])
            logits = model.backbone.model.score(hidden.gather(1, places)).float()  # (B, Q, C)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
        return loss, logits.argmax(-1) == labels, map_state(Tensor.detach, state)

    def _run(self, *tensors):
        loss, right, state = self._forward(*tensors)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=self.device.type != "cuda")
        return loss.detach(), right, state

    def _captured(self, *tensors):
        """The whole step as one CUDA graph, captured once for tensors of these shapes."""
        key = tuple(tuple(t.shape) for t in tensors)
        if key not in self.graphs:
            torch.cuda.synchronize()
            places = [t.clone() for t in tensors]
            for p in self.model.parameters():  # once: earlier graphs go on writing to these places
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad.zero_()
            saved = [p.detach().clone() for p in self.model.parameters()]
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            lr = self.lr.clone()
            self.lr.zero_()
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._run(*places)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                results = self._run(*places)
            with torch.no_grad():
                for p, q in zip(self.model.parameters(), saved, strict=True):
                    p.copy_(q)
            self.lr.copy_(lr)
            self.graphs[key] = graph, places, results
        graph, places, (loss, right, state) = self.graphs[key]
        for place, tensor in zip(places, tensors, strict=True):
            place.copy_(tensor)
        graph.replay()
        return loss.clone(), right.clone(), state.clone()

    def _lr(self) -> float:
        config, rung = self.config, self.rungs[self.at]
        if rung.streams and self.at == len(self.rungs) - 1:
            return config.stream_lr * max(config.floor, 1 - self._done())
        base = config.stream_lr if rung.streams else config.lr
        return base * min(1.0, (self.step + 1) / config.warmup)

    def _done(self) -> float:
        """How much of the last rung is over: of its steps, or of its time where `minutes` are given."""
        if not self.config.minutes:
            return self.since / self.rungs[self.at].steps
        if self.since <= 1 or not hasattr(self, "began"):
            self.began = self.seconds
        return (self.seconds - self.began) / max(1e-9, 60 * self.config.minutes - self.began)

    def _advance(self, own: float | None) -> tuple[bool, bool]:
        rung, config = self.rungs[self.at], self.config
        last = self.at + 1 == len(self.rungs)
        if last:
            return self._done() >= 1, self._done() >= 1
        if rung.steps is not None:
            over = self.since >= rung.steps
        else:
            over = own is not None and own >= rung.goal
            if config.go_on and self.since >= config.patience:
                over = True
            if self.since >= config.patience and not over:
                raise InputError(f"The rung {rung.name!r} was not learned in {self.since} steps (accuracy {own}).")
        if over:
            self.at, self.since = self.at + 1, 0
            self.rung.value = self.at
        return False, over

    def _line(self, window: list[dict]) -> dict:
        right = [w["right"].cpu().numpy() for w in window]

        def share(i):
            count = sum(w["masks"][i].sum() for w in window)
            return (
                None
                if not count
                else round(float(sum((r & w["masks"][i]).sum() for r, w in zip(right, window, strict=True)) / count), 4)
            )

        loss = float(np.mean([w["loss"].item() for w in window]))
        names = ("own", "old", "never", "accuracy", *KINDS)
        return {
            "step": self.step, "rung": self.rungs[self.at].name, "since": self.since, "seconds": round(self.seconds, 1),
            "lr": self._lr(), "loss": round(loss, 4), **{n: share(i) for i, n in enumerate(names)},
        }  # fmt: skip

    def _start_from(self, other: Model) -> None:
        """The weights of a run of the same shape; classes it does not have keep their fresh rows."""
        weights = dict(other.state_dict())
        name = next(n for n in weights if n.endswith("score.weight"))
        fresh = self.model.state_dict()[name].clone().cpu()
        for i, c in enumerate(self.classes):
            if c in other.about.classes:
                fresh[i] = weights[name][other.about.classes.index(c)]
        self.model.load_state_dict({**weights, name: fresh})

    def _save(self) -> None:
        save(self.model, self.spec, self.folder, dtype=torch.float16)
        self.kept.save({
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step,
            "since": self.since, "at": self.at, "seconds": self.seconds,
        })  # fmt: skip
