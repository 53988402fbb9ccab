"""The report on a checkpoint, what it is and what is missing to run it: sentences for people, a dict for programs."""

from dataclasses import asdict, dataclass, field
from math import prod

from rmt.checkpoint.candidate import Candidate
from rmt.checkpoint.trial import Trial
from rmt.memory.recurrent import RecurrentMemory
from rmt.memory.words import WORDS
from rmt.model import Model

CELL_NAMES = {words.kind: words.says for words in WORDS}
HEAD_NAMES = {
    "lm": "which predicts the next token",
    "mlm": "which predicts masked tokens",
    "classify": "which classifies documents",
    "none": "without a head",
}


@dataclass(frozen=True)
class Report:
    """The result of `inspect`. Sizes are None where the backbone, which decides them, is unknown."""

    path: str
    kind: str
    ready: bool  # whether a trial ran and was recorded; without memory, whether an untrained one ran, too
    files: list[str]
    precision: str  # the numbers in the files; a model runs in float32
    parameters: int  # numbers in the files; tied tensors count once where the backbone is known
    cell: str
    n_memory: int | None
    layout: str | None
    segment_length: int | None
    segment_length_from: str | None
    backbone: str | None
    backbone_from: str | None
    head: str | None
    layers: int | None
    heads: int | None
    width: int | None
    vocabulary: int | None
    classes: list[str]
    tokenizer: bool
    inferred: list[str]
    missing: list[str]
    asks: list[str]  # arguments or options of `load` that the caller has to give
    ignored: list[str]
    next: str
    details: list[str] = field(default_factory=list)  # levels of detail that it can be recorded at, as the trial found
    wraps: bool = True  # whether an untrained memory can be put around it, where it has none
    answers: str = "one"  # how its classes are answered, see `rmt.model.model.ANSWERS`
    around: str | None = None  # special tokens of its texts, as in "begins with <s>": the option special_tokens
    gated: bool = False  # whether RMT's memory is written through gates

    def as_dict(self) -> dict:
        return asdict(self)

    def sentences(self) -> list[str]:
        """The report as a list of sentences."""
        gates = ", written through gates" if self.gated else ""
        kind = self.kind if self.kind == "model without memory" else f"{self.kind}, {CELL_NAMES[self.cell]}{gates}"
        sentences = [f"{self.path} holds: {kind}, {self.parameters:,} numbers in {self.precision}."]
        if self.backbone:
            heads = f", {self.heads} heads" if self.heads else ""
            sentences.append(
                f"Its backbone is a {self.backbone} of {self.layers} layers{heads}, width {self.width}, "
                f"{self.vocabulary:,} tokens, {HEAD_NAMES[self.head]}; this is from {self.backbone_from}."
            )
        if self.layout:
            sentences.append(f"A segment is read as {self.layout}.")
        if self.segment_length:
            sentences.append(f"A segment holds {self.segment_length} tokens, says {self.segment_length_from}.")
        if not self.tokenizer:
            sentences.append("There is no tokenizer.json, so it reads token ids and no text.")
        if self.ignored:
            sentences.append(
                f"Left out, as not needed: {', '.join(self.ignored[:3])}{' and more' if len(self.ignored) > 3 else ''}."
            )
        return [*sentences, *self.inferred, *self.missing, self.next]


def report(
    candidate: Candidate, empty: Model | None, trial: Trial | None = None, *, untried: str | None = None
) -> Report:
    """Make the report of a candidate. empty: its model on the meta device, None where no backbone is known.

    trial: the result of its trial. untried: why there was no trial although nothing is missing.
    """
    recognised, weights = candidate.recognised, candidate.weights
    cell = empty and empty.cell
    backbone = empty and empty.backbone
    known = candidate.n_memory_known
    n_memory = (cell.n_memory if cell else recognised.options.get("n_memory")) if known else None
    inferred = list(candidate.inferred)
    if weights.left_off:
        inferred.append(f"Its tensors are named with {weights.left_off} in the file, which is left off.")
    if recognised.lora:
        inferred.append(f"LoRA adapters of rank {recognised.lora} are added into the weights they adapt.")
    return Report(
        path=str(candidate.path),
        kind=recognised.kind,
        ready=trial is not None and trial.not_recorded is None and trial.no_memory is None,
        files=[file.name for file in weights.files],
        precision=weights.precision,
        parameters=sum(p.numel() for p in empty.parameters()) if empty else sum(map(prod, weights.shapes.values())),
        cell=recognised.cell,
        n_memory=n_memory,
        layout=_layout(empty, candidate.segment_length) if empty and known else None,
        segment_length=candidate.segment_length,
        segment_length_from=candidate.segment_length_from,
        backbone=type(backbone.model).__name__ if empty else None,
        backbone_from=candidate.backbone_from,
        head=backbone.head if empty else None,
        layers=backbone.n_layers if empty else None,
        heads=backbone.n_heads if empty else None,
        width=backbone.dim if empty else None,
        vocabulary=backbone.model.get_input_embeddings().num_embeddings if empty else None,
        classes=candidate.config["classes"] if empty and candidate.config.get("classes") else [],
        tokenizer=candidate.tokenizer is not None,
        inferred=inferred,
        missing=[*candidate.missing, *([untried] if untried else [])],
        asks=candidate.asks,
        ignored=candidate.ignored,
        next=_next(candidate, trial, untried),
        details=trial.details if trial else [],
        wraps=trial is None or trial.no_memory is None,
        answers=candidate.config.get("answers", "one") if empty else "one",
        around=candidate.around,
        gated=isinstance(cell, RecurrentMemory) and cell.gate is not None,
    )


def _next(candidate: Candidate, trial: Trial | None, untried: str | None) -> str:
    """The sentence about what to do next."""
    if candidate.missing:
        return how_to_tell(candidate.asks)
    if untried or trial is None:
        return "With more memory it can be tried."
    if trial.not_recorded:
        return (
            f"It runs, and its attention cannot be recorded: {trial.not_recorded} Record a text at detail 'memory', "
            "which keeps memory, loss and answer."
        )
    if trial.no_memory:
        return f"It runs and is recorded as it is, without memory. {trial.no_memory}"
    return "It is ready, one segment was read and recorded to try it: record a text with it."


def how_to_tell(asks: list[str]) -> str:
    """The sentence that says how to give `load` these arguments, which no file of the checkpoint holds."""
    if not asks:
        return "With what is missing it can be run."
    options = [name for name in asks if name not in ("segment_length", "backbone")]
    code = [f"{name}=…" for name in asks if name not in options]
    code += [f"options={{{', '.join(f'{name!r}: …' for name in options)}}}"] if options else []
    flags = [f"--option {name}=…" if name in options else f"--{name.replace('_', '-')} …" for name in asks]
    return f"To run it, pass {', '.join(code)} to load() in Python, or {' '.join(flags)} on the command line."


def _layout(empty: Model, segment_length: int | None) -> str:
    """Describe the augmented input, as in [4 read memory | 10 tokens | 4 write memory]."""
    cell, tokens = empty.cell, f"{segment_length or 'some'} tokens"
    if not empty.backbone.causal:
        slots = max(cell.n_read, cell.n_write)
        memory = f"{slots} memory " if slots else ""
        return f"[CLS] {memory}[SEP] {tokens} [SEP]"
    parts = [f"{cell.n_read} read memory"] if cell.n_read else []
    return f"[{' | '.join([*parts, tokens, *([f'{cell.n_write} write memory'] if cell.n_write else [])])}]"
