"""The candidate: all that is known of a checkpoint while it is examined."""

from dataclasses import dataclass, field
from pathlib import Path

from rmt.checkpoint.heads import Choice
from rmt.checkpoint.peft_folder import Adapter
from rmt.checkpoint.recognise import Foreign, Source
from rmt.checkpoint.weights import Weights

OURS = "checkpoint of this program"


@dataclass
class Candidate:
    """A checkpoint on disk. config: what `build` takes, None while no backbone is known."""

    path: Path
    recognised: Foreign
    weights: Weights
    config: dict | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    segment_length: int | None = None
    segment_length_from: str | None = None
    backbone_from: str | None = None
    tokenizer: Path | None = None
    special_tokens: bool = True  # whether a text gets the tokens that the tokenizer puts around one
    around: str | None = None  # what these are, as in "begins with <s>"; None where there are none
    lora_scale: float | None = None
    n_memory_known: bool = True
    adapter: Adapter | None = None  # of peft, to be merged into a stock model
    choice: Choice | None = None  # the class of a stock model, whose weights transformers' own loader reads
    inferred: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)  # arguments or options of `load` that the caller has to give
    ignored: list[str] = field(default_factory=list)

    def ask(self, name: str, sentence: str) -> None:
        """Note an argument that no file holds and the caller has to give, with the sentence that says so."""
        self.asks.append(name)
        self.missing.append(sentence)
