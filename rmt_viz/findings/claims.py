"""Claims of Mechanisms: what papers say of a mechanism, and whether it was seen here. No torch, no streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass

from rmt_viz.findings.recall import EXTRAPOLATION, FACTS, FAMILY, INTERPOLATION, QUOTATION, WINDOW
from rmt_viz.findings.verdicts import (
    HOLDS,
    NOT,
    OPEN,
    UNKNOWN,
    UNLEARNED,
    Held,
    Seen,
    as_much,
    better,
    farther,
    forgets,
    grows,
    holds_nothing,
    knows,
    loses_quotations,
    needs_none,
    needs_query,
    reaches,
    stretched,
)

__all__ = ["CLAIMS", "HOLDS", "NOT", "OPEN", "UNKNOWN", "UNLEARNED", "Claim", "Seen", "finding", "of_family", "table"]


@dataclass(frozen=True)
class Claim:
    """A sentence of the field about a mechanism, who says so, what it is held against, and what to run for that."""

    about: str
    says: str
    source: str
    held_against: Held
    command: str = "recipes/mechanisms.sh"


STRETCHED = "python -m benchmarks.stretched assets/checkpoints/lm-context --times 2 4 --steps 12 --json"
CLAIMS = (  # family by family
    Claim("rmt", "A summary of one size loses specific tokens as there are more", "Landmark (2305.16300)",
          loses_quotations("rmt")),
    Claim("rmt", "Memory tokens do not grow with the text", "RMT (2207.06881)", grows("rmt", False)),
    Claim("memory-transformer", "Memory tokens that are not carried hold nothing of earlier segments",
          "RMT (2207.06881), of the Memory Transformer", holds_nothing("memory-transformer")),
    Claim("autocompressor", "Summaries that accumulate hold more than one that is rewritten",
          "AutoCompressor (2305.14788)", better("autocompressor", "rmt", FACTS)),
    Claim("gist", "A few gist tokens stand for what was read", "Gist tokens (2304.08467)", knows("gist")),
    Claim("beacon", "Condensed activations of every layer hold more than summary vectors",
          "Activation Beacon (2401.03462)", better("beacon", "autocompressor", FACTS)),
    Claim("block-recurrent", "A gated state in one layer does as well as a cache in all",
          "Block-Recurrent (2203.07852)", as_much("block-recurrent", "transformer-xl", FACTS)),
    Claim("memformer", "Slots of one size do as well as a cache", "Memformer (2010.06891)",
          as_much("memformer", "transformer-xl", FACTS)),
    Claim("transformer-xl", "What left the cache is lost", "Compressive Transformer (1911.05507), of Transformer-XL",
          forgets("context", "transformer-xl", "ernie-doc", "feedback", "compressive")),
    Claim("compressive", "Compressed memories reach farther back than a cache", "Compressive Transformer (1911.05507)",
          farther("compressive", "transformer-xl")),
    Claim("feedback", "What all layers made of a token gives back more than what each layer was given",
          "Feedback Transformer (2002.09402)", better("feedback", "transformer-xl", FACTS)),
    Claim("ernie-doc", "Recurrence within a layer reaches farther back than from the layer below",
          "ERNIE-Doc (2012.15688)", farther("ernie-doc", "transformer-xl")),
    Claim("longformer", "Dilated windows and global tokens reach farther back than a window", "Longformer (2004.05150)",
          farther("longformer", "sliding-window")),
    Claim("bigbird", "Random blocks and global tokens give back more than a window", "BigBird (2007.14062)",
          better("bigbird", "sliding-window", FACTS)),
    Claim("longnet", "Dilated segments reach farther back than a window", "LongNet (2307.02486)",
          farther("longnet", "sliding-window")),
    Claim("sparse", "Strided attention does as well as full attention", "Sparse Transformer (1904.10509)",
          as_much("sparse", "context", FACTS)),
    Claim("reformer", "Attention within buckets does as well as full attention", "Reformer (2001.04451)",
          as_much("reformer", "context", FACTS)),
    Claim("rmt-r", "Looking back at all states gives back more than the latest alone", "RMT-R (2402.10790)",
          better("rmt-r", "rmt", FACTS)),
    Claim("landmark", "A landmark for each block gives specific tokens back", "Landmark (2305.16300)",
          better("landmark", "rmt", QUOTATION)),
    Claim("landmark", "What is stored is found however long ago", "Landmark (2305.16300)", reaches("landmark", 100)),
    Claim("memorizing", "Nearest neighbours among old keys give specific tokens back",
          "Memorizing Transformer (2203.08913)", better("memorizing", "rmt", QUOTATION)),
    Claim("memorizing", "Attention in place of a retriever needs no query in advance",
          "Memorizing Transformer (2203.08913)", needs_none("memorizing")),
    Claim("knn-lm", "A store of states gives facts back without any training of it", "kNN-LM (1911.00172)",
          knows("knn-lm")),
    Claim("bm25", "A passage that fits is found however long ago", "In-context retrieval (2302.00083)",
          reaches("bm25", 1000)),
    Claim("bm25", "A retriever needs the right query", "In-context retrieval (2302.00083)", needs_query("bm25")),
    Claim("bm25", "A store keeps growing with the text", "RMT (2207.06881), of caches", grows("bm25", True)),
    Claim("dense", "Common words find passages better than states do", "In-context retrieval (2302.00083)",
          better("bm25", "dense", FACTS)),
    Claim("armt", "A matrix in each layer holds more than memory tokens", "ARMT (2407.04841)",
          better("armt", "rmt", FACTS)),
    Claim("linear-attention", "Linear attention recalls less than softmax attention", "Zoology (2312.04927)",
          better("context", "linear-attention", FACTS)),
    Claim("performer", "Random features do as well as softmax attention", "Performer (2009.14794)",
          as_much("performer", "context", FACTS)),
    Claim("infini", "A matrix beside attention gives a fact back however long ago", "Infini-attention (2404.07143)",
          reaches("infini", 1000)),
    Claim("titans", "A net that is taught while reading holds more than sums of keys and values",
          "Titans (2501.00663)", better("titans", "linear-attention", FACTS)),
    Claim("rwkv", "A state of one size loses specific tokens as there are more", "RWKV (2305.13048)",
          loses_quotations("rwkv")),
    Claim("mamba", "A state space copies less than attention over the text", "Repeat after me (2402.01032)",
          better("context", "mamba", QUOTATION)),
    Claim("mamba", "A state that chooses what it takes in holds it however long", "Mamba (2312.00752)",
          reaches("mamba", 1000)),
    Claim("mamba2", "A larger state recalls more", "Mamba-2 (2405.21060)", better("mamba2", "mamba", FACTS)),
    Claim("recurrent-gemma", "A window beside a recurrence copies more than a recurrence alone", "Griffin (2402.19427)",
          better("recurrent-gemma", "mamba", QUOTATION)),
    Claim("interpolation", "Plain positions fail beyond the trained length", "Position Interpolation (2306.15595)",
          stretched(EXTRAPOLATION, WINDOW, tuned=False, lower=False), STRETCHED),
    Claim("interpolation", "Interpolated positions beat plain ones there", "Position Interpolation (2306.15595)",
          stretched(INTERPOLATION, EXTRAPOLATION, tuned=False, lower=True), STRETCHED),
    Claim("interpolation", "After a short tuning they still do", "Position Interpolation (2306.15595)",
          stretched(INTERPOLATION, EXTRAPOLATION, tuned=True, lower=True), STRETCHED),
    Claim("interpolation", "Then the longer text lowers the loss", "Position Interpolation (2306.15595)",
          stretched(INTERPOLATION, WINDOW, tuned=True, lower=True), STRETCHED),
)  # fmt: skip


def finding(seen: Seen) -> str:
    """A sentence on how many of the claims were seen here."""
    verdicts = [claim.held_against(seen)[0] for claim in CLAIMS]
    count = {verdict: verdicts.count(verdict) for verdict in (HOLDS, NOT, OPEN, UNLEARNED, UNKNOWN)}
    rest = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if n and verdict != HOLDS)
    return f"{count[HOLDS]} of {len(CLAIMS)} claims about mechanisms were seen here{f' ({rest})' if rest else ''}"


def of_family(kind: str) -> list[Claim]:
    """The claims about a mechanism's family, those about itself first."""
    family = [claim for claim in CLAIMS if FAMILY[claim.about] == FAMILY.get(kind)]
    return sorted(family, key=lambda claim: claim.about != kind)


def table(seen: Seen, claims: Sequence[Claim] = CLAIMS) -> dict[str, list[str]]:
    """Columns of claims: what is said and by whom, the verdict, and what was seen."""
    verdicts = [claim.held_against(seen) for claim in claims]
    return {
        "what is said": [f"{claim.says} · {claim.source}" for claim in claims],
        "here": [verdict for verdict, _ in verdicts],
        "what was seen": [told for _, told in verdicts],
    }


def commands(claims: Sequence[Claim]) -> str:
    """A sentence on what makes the results that claims are held against."""
    return f"Held against the results of {' and of '.join(dict.fromkeys(claim.command for claim in claims))}."
