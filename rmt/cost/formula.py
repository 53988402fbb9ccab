"""The cost of reading: floating-point operations of RMT and of full attention, by formula. No torch.

The formula is that of Hoffmann et al. 2022 (arXiv 2203.15556), appendix F, for one forward pass: a multiplication and
an addition are two operations. What is counted beside the layers is a matter of convention, and the ratio between full
attention and RMT depends on it, so every number here has its `Convention`. `rmt.cost.counted` counts the same with
torch's FlopCounterMode.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

SEGMENT = 512
LENGTH = 2_048_000  # tokens, "two million"
PAPER_LENGTH = 4096 * 512  # the length that gives the paper's numbers


@dataclass(frozen=True)
class Sizes:
    """The sizes of a decoder: layers, width, heads, width of the feed-forward part (default 4 widths), vocabulary."""

    name: str
    layers: int
    width: int
    heads: int
    inner: int = 0
    vocabulary: int = 50_272

    @property
    def feed_forward(self) -> int:
        return self.inner or 4 * self.width


OPT = {  # Zhang et al. 2022 (arXiv 2205.01068), table 1; the vocabulary as published on the hub
    "OPT-125M": Sizes("OPT-125M", 12, 768, 12),
    "OPT-350M": Sizes("OPT-350M", 24, 1024, 16),
    "OPT-1.3B": Sizes("OPT-1.3B", 24, 2048, 32),
    "OPT-2.7B": Sizes("OPT-2.7B", 32, 2560, 32),
    "OPT-6.7B": Sizes("OPT-6.7B", 32, 4096, 32),
    "OPT-13B": Sizes("OPT-13B", 40, 5120, 40),
    "OPT-30B": Sizes("OPT-30B", 48, 7168, 56),
    "OPT-66B": Sizes("OPT-66B", 64, 9216, 72),
    "OPT-175B": Sizes("OPT-175B", 96, 12288, 96),
}


@dataclass(frozen=True)
class Convention:
    """A convention of counting: which operations are counted.

    embedding: the lookup, as a product with one-hot rows. head: the product with the vocabulary at the end. softmax:
    three operations for every score. causal: only the scores at or below the diagonal, as in flash attention.
    n_read, n_write: memory tokens before and after each segment's tokens.
    """

    name: str = "appendix F"
    embedding: bool = True
    head: bool = True
    softmax: bool = True
    causal: bool = False
    n_read: int = 0
    n_write: int = 0


EXACT = Convention()
SHOWN = [OPT[name] for name in ("OPT-125M", "OPT-1.3B", "OPT-30B", "OPT-175B")]
CONVENTIONS = {
    c.name: c
    for c in (
        EXACT,
        Convention("embedding lookup not counted", embedding=False),
        Convention("FlopCounterMode", embedding=False, softmax=False),
        Convention("10 memory tokens", n_read=10),
        Convention("10 read and 10 write memory tokens", n_read=10, n_write=10),
        Convention("causal half", causal=True),
    )
}
PAPER = CONVENTIONS["embedding lookup not counted"]  # with PAPER_LENGTH it gives the paper's x295 and x29


def forward(sizes: Sizes, tokens: int, convention: Convention = EXACT) -> float:
    """The operations of one forward pass over so many tokens at once, each of them attending to all."""
    s, d, h, f, v = tokens, sizes.width, sizes.heads, sizes.feed_forward, sizes.vocabulary
    pairs = (s * s + s) / 2 if convention.causal else s * s
    scores = 2 * pairs * d + (3 * h * pairs if convention.softmax else 0) + 2 * pairs * d
    layer = 6 * s * d * d + scores + 2 * s * d * d + 4 * s * d * f
    return sizes.layers * layer + 2 * s * v * d * (convention.embedding + convention.head)


def recurrent(sizes: Sizes, tokens: int, convention: Convention = EXACT, segment: int = SEGMENT) -> float:
    """The operations of RMT over so many tokens in segments with memory; a part of a segment counts as that part."""
    return tokens / segment * forward(sizes, segment + convention.n_read + convention.n_write, convention)


def ratio(sizes: Sizes, tokens: int, convention: Convention = EXACT, segment: int = SEGMENT) -> float:
    """The operations of full attention over those of RMT for the same tokens; memory tokens are RMT's alone."""
    full = forward(sizes, tokens, replace(convention, n_read=0, n_write=0))
    return full / recurrent(sizes, tokens, convention, segment)


def table(models: Iterable[Sizes], tokens: int = LENGTH, segment: int = SEGMENT) -> list[dict]:
    """Make one row per convention and model: the operations of both and their ratio; also for the paper's length."""
    lengths = [(convention, tokens) for convention in CONVENTIONS.values()]
    lengths += [(PAPER, PAPER_LENGTH)] if tokens == LENGTH else []
    return [
        {
            "convention": convention.name,
            "model": sizes.name,
            "tokens": length,
            "segment": segment,
            "full": forward(sizes, length, convention),
            "rmt": recurrent(sizes, length, convention, segment),
            "ratio": ratio(sizes, length, convention, segment),
        }
        for convention, length in lengths
        for sizes in models
    ]


def document(models: Iterable[Sizes], tokens: int = LENGTH, segment: int = SEGMENT) -> dict:
    """Make the table with its formula, its conventions and the paper's numbers."""
    return {
        "formula": "Hoffmann et al. 2022 (arXiv 2203.15556), appendix F: one forward pass, 2 operations a product",
        "conventions": [asdict(convention) for convention in CONVENTIONS.values()],
        "paper": {"convention": PAPER.name, "tokens": PAPER_LENGTH, "ratios": {"OPT-125M": 295, "OPT-175B": 29}},
        "table": table(models, tokens, segment),
    }
