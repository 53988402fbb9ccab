"""Training of language models: windows of documents with growing history; every mechanism reads the same tokens.

A step's documents are a function of the seed and the step alone, so a memory and its baseline, trained with the same
settings, see the same tokens in the same order.
"""

import shutil
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW

from rmt import checkpoint
from rmt.backbone import wide
from rmt.backbone.families import backbone_config
from rmt.checkpoint.adapter import add_lora, save_adapter, wrap
from rmt.checkpoint.build import build
from rmt.errors import InputError
from rmt.memory import CELLS, blocks, mechanism
from rmt.model import Model
from rmt.tasks import language_model
from rmt.tasks.corpora import open_corpus
from rmt.tasks.language_model import Documents
from rmt.text.tokenizer import PAD, open_tokenizer, train_tokenizer
from rmt.train.config import LMConfig
from rmt.train.lm_config import check, draw, longest, rate
from rmt.train.loop import Progress, TrainingRun, mean_of_processes, means, parameter_groups
from rmt.train.run_folder import RunFolder

BEGINNING = 16  # first positions of a segment, where history helps most; their loss is logged on its own


@dataclass
class LMProgress(Progress):
    """The progress of a run. tokens: read so far, over all processes."""

    tokens: int = 0


class LMTrainer(TrainingRun):
    """A run of a language model in a folder; `steps()` yields a dict of metrics per interval until the last step.

    until: an earlier step to end at; the same config resumes from there.
    """

    def __init__(
        self,
        config: LMConfig,
        folder: Path,
        *,
        precision: str | None = None,
        cpu: bool = False,
        until: int | None = None,
    ):
        check(config)
        if precision is None:
            precision = "bf16" if torch.cuda.is_available() and not cpu else "no"
        self.config, self.folder = config, folder
        self.until = min(until or config.steps, config.steps)
        self.accelerator = Accelerator(mixed_precision=precision, cpu=cpu)
        self.corpus = open_corpus(config.corpus)
        self.run_folder = RunFolder(folder, config, main=self.accelerator.is_main_process)
        torch.manual_seed(config.seed)
        self.model = (self._wrapped() if config.pretrained else self._fresh()).train()
        if config.checkpointing:
            self.model.backbone.model.activation_checkpointing_enable({"use_reentrant": False})
        self.documents = Documents(self.model.tokenizer, self.corpus.train)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        groups = parameter_groups(self.parameters, config.weight_decay)
        self.wrapped, self.optimizer = self.accelerator.prepare(
            self.model, AdamW(groups, lr=config.lr, betas=(0.9, 0.95))
        )
        self.at = LMProgress()
        self._resume()
        self.accelerator.wait_for_everyone()

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def over(self) -> bool:
        return self.at.step >= self.until

    def _step(self) -> dict:
        config, accelerator = self.config, self.accelerator
        for group in self.optimizer.param_groups:
            group["lr"] = rate(config, self.at.step)
        ids = draw(config, self.documents, self.at.step, accelerator.num_processes)
        self.at.tokens += ids.size
        ids = torch.from_numpy(ids[accelerator.process_index :: accelerator.num_processes]).to(accelerator.device)
        losses, memory = self._losses(ids)
        loss, scores = losses.mean(), self._beginnings(losses.detach())
        if config.recite:
            recited = self._recited(ids, memory)
            loss = loss + config.recite * (1 - self.at.step / config.steps) * recited
            scores["recited"] = self._mean(recited.detach())
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.parameters, config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.at.step += 1
        return {"segments": ids.shape[1] // config.segment_length, **scores}

    def _losses(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy (B, T - 1) of each token of ids (B, T) but the first, and memory (B, S + 1, M, D)."""
        if self.config.bptt_unroll:
            output = self.wrapped(ids, bptt_unroll=self.config.bptt_unroll)
        else:
            output = self.wrapped(ids)
        logits = wide(output.logits[:, :-1])
        losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        return losses.view(len(ids), -1), output.memory

    def _recited(self, ids: Tensor, memory: Tensor) -> Tensor:
        """Cross-entropy of the last tokens of every segment, one a slot, predicted by the head from the slots.

        Without it writing is learned slowly, as only later segments reward it: at first a model learns to ignore the
        memory that it reads.
        """
        written = memory[:, 1:]  # (B, S, M, D)
        last = ids.unflatten(1, (-1, self.config.segment_length))[:, :, -written.shape[2] :]  # (B, S, M)
        with self.accelerator.autocast():
            logits = self.model.backbone.unembed(written.flatten(0, 2))
        return F.cross_entropy(wide(logits), last.flatten())

    def _beginnings(self, losses: Tensor) -> dict:
        """The mean loss, and the loss at the first positions of first and of later segments, which memory can help."""
        rows = F.pad(losses, (0, 1), value=torch.nan).unflatten(1, (-1, self.config.segment_length))
        starts = rows[:, :, :BEGINNING].mean((0, 2))  # (S,)
        scores = {"loss": losses.mean(), "first_beginning": starts[0]}
        if len(starts) > 1:
            scores["later_beginnings"] = starts[1:].mean()
        return {key: self._mean(value) for key, value in scores.items()}

    def _mean(self, value: Tensor) -> float:
        return mean_of_processes(self.accelerator, value)

    def _line(self, window: list[dict]) -> dict:
        return {
            "step": self.at.step,
            "tokens": self.at.tokens,
            "seconds": round(self.at.seconds, 1),
            "lr": self.optimizer.param_groups[0]["lr"],
            "segments": longest(self.config, self.at.step - 1),
            **means(window, ("loss", "first_beginning", "later_beginnings", "recited")),
        }

    # -- the model

    def _cell_options(self) -> dict:
        """The cell's options in the config, as far as this cell has them."""
        config = self.config
        takes = signature(CELLS[config.cell].__init__).parameters
        common = {"n_memory": config.n_memory, "initial_std": config.initial_std}
        if mechanism(config.cell).backbone:
            common = {}
        return {k: v for k, v in common.items() if k in takes and v is not None} | config.options

    def _wrapped(self) -> Model:
        config = self.config
        model = wrap(
            config.pretrained,
            cell=config.cell,
            segment_length=config.segment_length * config.at_once,
            seed=config.seed,
            device=self.accelerator.device,
            **self._cell_options(),
        )
        model.about.config |= {"task": language_model.NAME, "training": asdict(config)}
        self.spec = model.about.config
        if config.lora:
            targets = config.lora_targets.split(",") if config.lora_targets else None
            return add_lora(model, rank=config.lora, alpha=2 * config.lora, targets=targets)
        return model.requires_grad_(True)

    def _fresh(self) -> Model:
        config, tokenizer = self.config, self._tokenizer()
        self.spec = {
            "cell": {"kind": config.cell, "options": self._cell_options()},
            "segment_length": config.segment_length * config.at_once,
            "alignment": "left",
            "backbone": backbone_config(
                mechanism(config.cell).backbone or config.backbone,
                layers=config.layers,
                width=config.width,
                heads=config.heads,
                inner=config.inner,
                vocabulary=tokenizer.get_vocab_size(),
                positions=(config.segment_length + blocks(config.cell) * config.n_memory) * config.at_once,
                pad_id=tokenizer.token_to_id(PAD),
                tied=True,
            ),
            "task": language_model.NAME,
            "training": asdict(config),
        }
        model = build(self.spec, tokenizer)
        if config.init:
            _start_from(model, checkpoint.load(config.init, device="cpu"), config)
        return model

    def _tokenizer(self):
        def make(file: Path) -> None:
            if self.config.init:
                shutil.copyfile(Path(self.config.init) / "tokenizer.json", file)
            else:
                train_tokenizer(self.corpus.train["text"], size=self.config.vocabulary).save(str(file), pretty=False)

        file = self.run_folder.make_tokenizer(make)
        self.accelerator.wait_for_everyone()
        return open_tokenizer(file)

    # -- what is on disk

    def _trained(self) -> dict[str, Tensor]:
        """The parameters that training changes, by name."""
        return {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}

    def _save_checkpoint(self) -> None:
        if self.config.lora:
            save_adapter(self.model, self.folder, dtype=torch.float16)
        else:
            checkpoint.save(*self._as_read(), self.folder, dtype=torch.float16)

    def _state(self) -> dict:
        return {"parameters": self._trained()}

    def _restore(self, saved: dict) -> None:
        with torch.no_grad():
            for name, parameter in self._trained().items():
                parameter.copy_(saved["parameters"][name])

    def _as_read(self) -> tuple[Model, dict]:
        """The model for its checkpoint, and its config.json.

        A model that was trained on several segments at once reads one at a time, with the earlier ones as its state
        (exact context). A pretrained backbone that was trained whole is saved as a whole model and not as an adapter.
        """
        config, model, spec = self.config, self.model, self.spec
        if config.pretrained:
            base = checkpoint.load(config.pretrained, device="cpu", segment_length=config.segment_length)
            spec = {**spec, "backbone": base.about.config["backbone"]}
        if config.at_once > 1:
            options = {"n_memory": config.segment_length * (config.at_once - 1)}
            spec = {**spec, "cell": {"kind": "context", "options": options}, "segment_length": config.segment_length}
            cell = CELLS["context"].fit(model.backbone, **options)
            model = Model(model.backbone, cell, segment_length=config.segment_length, tokenizer=model.tokenizer)
        return model, spec


def _start_from(model: Model, other: Model, config: LMConfig) -> None:
    """Copy a checkpoint's backbone, and its memory where the cell is the same."""
    try:
        model.backbone.load_state_dict(other.backbone.state_dict())
    except RuntimeError:
        raise InputError(
            f"{config.init} is of another shape; give the backbone, layers, width and heads it has."
        ) from None
    if type(other.cell) is type(model.cell) and other.cell.n_memory == model.cell.n_memory:
        model.cell.load_state_dict(other.cell.state_dict())
