"""The settings of every kind of training run, with the help texts of their options.

A setting with a help text is an option of the command (`rmt.commands.options` makes it); the others are the same in
all runs. No torch here: the command line reads this file to print its help.
"""

from dataclasses import dataclass, field


def setting(default, text: str, **bounds):
    """Make a field of a config with the help text of its option, and the bounds `least` and `most` of its value."""
    return field(default=default, metadata={"help": text, **bounds})


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run on a task; the same config gives the same weights."""

    task: str
    segments: int = setting(7, "The curriculum ends at documents of this many segments.", least=1)
    seed: int = setting(0, "Decides the first weights and what is read.")
    init: str | None = setting(None, "Start from this checkpoint's weights, of the same shape.")
    backbone: str = setting("bert", "Trained from scratch: bert, gpt2 or llama.")
    layers: int = setting(4, "Layers of the backbone.", least=1)
    width: int = setting(128, "Width of the backbone.", least=1)
    heads: int = setting(4, "Attention heads a layer.", least=1)
    vocabulary: int = setting(4096, "Tokens the tokenizer learns.", least=300)
    cell: str = setting("rmt", "rmt, or none for the control without memory.")
    n_memory: int = setting(8, "Memory slots.", least=0)
    initial_std: float = 1.0  # of the initial memory; states have about this spread
    slot_spread: float = setting(0.0, "Weight of the penalty on slots that are alike.", least=0)
    segment_length: int = setting(64, "Tokens a segment.", least=8)
    positions: int | None = setting(None, "Rows of the position table, if not just enough for a segment.", least=8)
    batch: int = setting(64, "Documents a step, over all processes.", least=1)
    lr: float = setting(5e-4, "Learning rate.", least=0)
    warmup: int = setting(200, "Steps over which the learning rate rises.", least=1)
    weight_decay: float = 0.01
    clip: float = 1.0
    threshold: float = setting(0.985, "Accuracy over 20 batches that ends a stage.", least=0, most=1)
    window: int = 20  # batches it is measured over
    shorter: float = 0.3  # share of batches with fewer segments than the stage
    ragged: float = 0.3  # share of batches whose last segment is cut short
    patience: int = setting(6000, "Steps in one stage before the run gives up.", least=1)
    more_steps: int = setting(0, "Steps of the last stage after it is learned, at a falling rate.", least=0)
    stream_steps: int = setting(0, "Steps of streaming truncated BPTT at the end.", least=0)
    streams: int = setting(48, "Streams read at a time, over all processes.", least=1)
    streams_only: bool = setting(False, "No curriculum before the streams; --init has had it.")
    stream_lr: float = setting(2e-4, "Learning rate of the streams, which falls.", least=0)
    stream_floor: float = setting(0.02, "Share of that rate left at the end.", least=0, most=1)
    stream_wait: int = setting(0, "Mean segments before a stream is told its story.", least=0)
    stream_apart: int = setting(0, "Mean segments between the facts of its story.", least=0)
    stream_life: int = setting(60, "Mean segments a stream has to keep its story.", least=1)
    stream_segments: int = setting(3, "Segments a stream reads a step, with gradient.", least=1)
    stream_give_up: float = setting(0.1, "Share of the streams that answered wrong that begin anew.", least=0, most=1)
    stream_keep: float = setting(
        0.0, "Weight of the penalty on memory that changes while a stream is told nothing.", least=0
    )
    stream_noise: float = setting(0.0, "Standard deviation of noise on the memory that streams carry.", least=0)
    keep_stages: bool = setting(False, "Keep a checkpoint of each stage in OUT/stages.")
    log_every: int = 10
    save_every: int = 50


@dataclass(frozen=True)
class LMConfig:
    """The settings of a language model's run; the same config gives the same weights."""

    corpus: str = setting("sotu", "sotu, metamath:FILE, hf:NAME, or a folder of .txt files.")
    steps: int = setting(1000, "Steps of the whole run.", least=1)
    segments: int = 5  # history grows until documents have this many
    growth: float = setting(0.3, "Share of the steps over which history grows to --segments.", least=0, most=1)
    shorter: float = setting(0.5, "Share of the steps with less history than that.", least=0, most=1)
    ends: bool = setting(False, "Read documents to their end, where a proof stands.")
    batch: int = 32  # segments a step, over all documents and processes
    seed: int = 0
    init: str | None = None  # a checkpoint whose backbone to start from, its memory too where the cell is the same
    pretrained: str | None = setting(None, "A backbone to put memory around: smollm2, a folder or a hub name.")
    lora: int = setting(0, "Rank of adapters on the pretrained backbone; 0 trains all of it.", least=0)
    lora_targets: str | None = setting(
        None, "What the adapters adapt, names with commas between; by default as peft does it."
    )
    backbone: str = "llama"
    layers: int = 4
    width: int = 128
    heads: int = 4
    inner: int = setting(3, "Width of the feed-forward part over that of the model.", least=1)
    vocabulary: int = 2048
    cell: str = "rmt"
    options: dict = field(  # of the cell, beside n_memory and initial_std where it has them
        default_factory=dict,
        metadata={"help": "An option of the cell, name=value; may be repeated.", "flag": "cell_option"},
    )
    n_memory: int = 16
    initial_std: float | None = setting(None, "Spread of the initial memory; by default the cell's own.", least=0)
    segment_length: int = 128
    at_once: int = setting(1, "Segments read as one, without memory: the baseline of exact context.", least=1)
    bptt_unroll: int | None = setting(None, "Segments that a gradient crosses; all of them by default.", least=1)
    checkpointing: bool = setting(False, "Compute activations twice to save memory.")
    recite: float = setting(
        0.0, "Weight of a second loss that falls to nothing: slots recite a segment's last tokens.", least=0
    )
    lr: float = 1e-3
    schedule: str = setting("cosine", "Of the learning rate: cosine or linear.")
    floor: float = setting(0.05, "Share of the rate that is left at the end.", least=0, most=1)
    warmup: int = 30
    weight_decay: float = 0.01
    clip: float = 1.0
    log_every: int = 20
    save_every: int = 100


@dataclass(frozen=True)
class StoryConfig:
    """The settings of a run on endless stories."""

    kinds: str = setting("qa1", "Tasks: qa1 to qa5 and many-facts, with commas between.")
    tokenizer: str = setting("", "A tokenizer.json; by default --init's, or one is trained.")
    seed: int = setting(0, "Decides the first weights and what is read.")
    init: str | None = setting(None, "Start from this checkpoint's weights; slots, classes and more layers may differ.")
    backbone: str = setting("llama", "A decoder, trained from scratch: gpt2 or llama.")
    layers: int = setting(4, "Layers of the backbone.", least=1)
    width: int = setting(64, "Width of the backbone.", least=1)
    heads: int = setting(4, "Attention heads a layer.", least=1)
    inner: int = setting(4, "Width of the feed-forward part over that of the model.", least=1)
    vocabulary: int = setting(4096, "Tokens the tokenizer learns, where one is trained.", least=300)
    cell: str = setting("rmt", "The memory mechanism; see rmt/memory.")
    n_memory: int = setting(8, "Memory slots.", least=0)
    initial_std: float = setting(1.0, "Spread of the initial memory.", least=0)
    gated: bool = setting(False, "Write rmt's memory through gates, which can shut and so keep it exactly.")
    gate_cost: float = setting(0.0, "Weight of the penalty on open gates: their mean.", least=0)
    quiet_cost: float = setting(
        0.0, "Weight of the penalty on gates that are open in segments without a fact.", least=0
    )
    word_std: float = setting(0.02, "Spread of the first word embeddings.", least=0)
    segment_length: int = setting(64, "Tokens a segment.", least=16)
    shortest: int = setting(0, "Tokens of the shortest segments, where each step draws a length of its own.", least=0)
    rows: int = setting(32, "Texts read side by side.", least=1)
    lesson_rows: int = setting(64, "Texts side by side in lessons of one segment.", least=1)
    questions: int = setting(4, "The most questions put to one state.", least=1)
    optimizer: str = setting("adamw", "adamw, or muon for the matrices of the layers.")
    lr: float = setting(2e-3, "Learning rate before the streams.", least=0)
    stream_lr: float = setting(1e-3, "Learning rate of the streams; it falls on the last rung.", least=0)
    warmup: int = setting(50, "Steps over which the learning rate rises.", least=1)
    weight_decay: float = setting(0.01, "Weight decay of matrices.", least=0)
    clip: float = setting(1.0, "The longest gradient; longer ones are shortened.", least=0)
    stream_steps: int = setting(4000, "Steps of the last rung.", least=1)
    stream_life: int = setting(1000, "The most segments of a stream.", least=1)
    stream_share: float = setting(0.6, "Share of the rows that are streams; the others are documents.", least=0, most=1)
    floor: float = setting(0.02, "Share of the rate that is left at the end.", least=0, most=1)
    rung_floor: float = setting(
        1.0,
        "Share of the rate that is left where a rung's patience is over; a rung begins with all of it.",
        least=0,
        most=1,
    )
    first: int = setting(0, "The rung to begin with, from 0; --init has had those before.", least=0)
    patience: int = setting(4000, "Steps on one rung before the run gives up.", least=1)
    go_on: bool = setting(False, "Leave a rung that was not learned in so many steps all the same.")
    precision: str = setting("fp32", "fp32, or bf16 matrix products.")
    compile: bool = setting(False, "On a CPU, compile the layers: minutes, then faster steps.")
    minutes: float = setting(
        0.0, "Minutes of the whole run; the last rung ends with them, in place of its steps.", least=0
    )
    log_every: int = setting(20, "Steps a line of metrics.", least=1)
    save_every: int = setting(200, "Steps between checkpoints.", least=1)

    @property
    def cell_options(self) -> dict:
        """The options of the cell, as a checkpoint's config.json has them."""
        gates = {"gated": True} if self.gated else {}
        return {"n_memory": self.n_memory, "initial_std": self.initial_std, **gates}
