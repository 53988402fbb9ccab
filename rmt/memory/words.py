"""The names and phrases for the memory mechanisms, without torch. A mechanism's record is in its own file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words and the line style for a mechanism.

    kind: its name in configs and commands. file: its module in this folder, which ends with its `Mechanism`. name: in a
    legend. says: a phrase that follows "It holds". crosses: what crosses a boundary; {read} and {write} stand for its
    memory positions, other names for its options. hue, dash: of its line, as `figures/theme.py` and Plotly name them.
    family: the group in `FAMILIES` that it stands in, as the papers group mechanisms.
    """

    kind: str
    file: str
    name: str
    says: str
    crosses: str
    hue: str = "loss"
    dash: str = "dot"
    family: str = "memory tokens"


FAMILIES = {  # family -> what its mechanisms have in common; in the order of the Mechanisms page
    "memory tokens": "A few vectors of the model’s own stand for all that was read.",
    "cache": "What layers computed for earlier tokens is stored and read again.",
    "sparse attention": "The text is read again, and each token sees a part of it.",
    "retrieval": "All of the past is stored, and what fits the present is looked up.",
    "associative memory": "Each layer has a matrix or a small net that the text is written into.",
    "recurrent net": "Layers have a state of one size in place of attention.",
    "stretched positions": "The text is read again at positions that were never trained.",
    "controls": "What memory is measured against.",
}
WORDS = (  # in the order of a legend
    Words(
        "rmt", "recurrent", "RMT", "recurrent memory (RMT)",
        "The last hidden states of {write} memory tokens", "write", "solid",
    ),
    Words(
        "context", "context", "exact context", "the text before a segment, read again with it",
        "The last {read} tokens of the text, which every segment reads again", "knows", "solid", "controls",
    ),
    Words(
        "transformer-xl", "transformer_xl", "Transformer-XL", "a cache of every layer's inputs (Transformer-XL)",
        "What every layer was given for the last {read} tokens", "read", "solid", "cache",
    ),
    Words(
        "compressive", "compressive", "Compressive",
        "a cache with a compressed one behind it (Compressive Transformer)",
        "What every layer was given for the last {n_cache} tokens, and {n_memory} averages of {rate} before those",
        "change", "solid", "cache",
    ),
    Words(
        "sliding-window", "sliding_window", "sliding window", "a sliding window of attention",
        "What every layer was given for the last {read} tokens; no token looks farther back", "read", "dash",
        "sparse attention",
    ),
    Words(
        "memory-transformer", "memory_transformer", "Memory Transformer",
        "memory tokens that are not carried (Memory Transformer)",
        "Nothing; {read} memory tokens begin anew in each segment", "change", "dash",
    ),
    Words(
        "rmt-r", "retrieval", "RMT-R", "recurrent memory with retrieval of past states (RMT-R)",
        "Such states of {write} memory tokens after every segment so far", "write", "dash", "retrieval",
    ),
    Words(
        "armt", "associative", "ARMT", "associative memory in every layer (ARMT)",
        "In every layer a matrix of associations, written by {write} memory tokens", "write", "dashdot",
        "associative memory",
    ),
    Words(
        "autocompressor", "autocompressor", "AutoCompressor", "summaries that accumulate (AutoCompressor)",
        "The last hidden states of {write} summary tokens for each segment, {read} at most", "write", "dot",
    ),
    Words(
        "gist", "gist", "Gist tokens", "every layer's view of a few gist tokens",
        "What every layer was given for {write} gist tokens at the end of the segment", "write", "longdash",
    ),
    Words(
        "beacon", "beacon", "Activation Beacon", "every layer's view of beacon tokens, condensed (Activation Beacon)",
        "What every layer was given for {write} beacon tokens a segment, {read} at most", "write", "longdashdot",
    ),
    Words(
        "landmark", "landmark", "Landmark", "a cache of blocks that are found by their landmarks",
        "What every layer was given for the last {read} tokens and for a landmark after each segment", "read", "dot",
        "retrieval",
    ),
    Words(
        "memorizing", "memorizing", "Memorizing Transformer", "a cache in one layer, searched for nearest neighbours",
        "What one layer was given for the last {read} tokens, of which each query reads the {top} best", "read",
        "dashdot",
        "retrieval",
    ),
    Words(
        "knn-lm", "knn_lm", "kNN-LM", "a store of earlier states and the words after them (kNN-LM)",
        "The last hidden states of {n_memory} tokens, each with the word that followed", "change", "longdash",
        "retrieval",
    ),
    Words(
        "longformer", "longformer", "Longformer", "windows, plain and dilated, and global tokens (Longformer)",
        "What every layer was given for the first {n_global} tokens of the text and the last others, {read} in all",
        "read", "longdash",
        "sparse attention",
    ),
    Words(
        "bigbird", "bigbird", "BigBird", "a window, random blocks and global tokens (BigBird)",
        "What every layer was given for the last {read} tokens, of which each block reads a few", "read", "longdashdot",
        "sparse attention",
    ),
    Words(
        "longnet", "longnet", "LongNet", "dilated segments (LongNet)",
        "What every layer was given for the last {read} tokens, the farther the fewer", "knows", "dash",
        "sparse attention",
    ),
    Words(
        "sparse", "sparse_transformer", "Sparse Transformer", "strided attention (Sparse Transformer)",
        "What every layer was given for the last {read} tokens, of which half of the heads see every {stride}th",
        "knows", "dot",
        "sparse attention",
    ),
    Words(
        "interpolation", "interpolation", "Position Interpolation", "the text before a segment at squeezed positions",
        "The last {read} tokens of the text, read again at positions divided by {factor}", "knows", "dashdot",
        "stretched positions",
    ),
    Words(
        "bm25", "bm25", "BM25", "the text so far, of which the passages with the query's words are read (BM25)",
        "The last {n_memory} tokens of the text, of which {read} are read again", "change", "dashdot",
        "retrieval",
    ),
    Words(
        "dense", "dense", "dense retrieval", "the text so far, of which the passages most like the query are read",
        "The last {n_memory} tokens and their hidden states; {read} of the tokens are read again", "change", "dot",
        "retrieval",
    ),
    Words(
        "rwkv", "rwkv", "RWKV", "a recurrent net (RWKV)",
        "In every layer a fading mean of all values and its weight, and the inputs at the last token",
        "knows", "dash", "recurrent net",
    ),
    Words(
        "mamba", "mamba", "Mamba", "a state space (Mamba)",
        "In every layer a state of each channel, and the inputs at the last few tokens", "knows", "dot",
        "recurrent net",
    ),
    Words(
        "mamba2", "mamba2", "Mamba-2", "a state space of matrices (Mamba-2)",
        "In every layer a matrix of each head, and the inputs at the last few tokens", "knows", "dashdot",
        "recurrent net",
    ),
    Words(
        "recurrent-gemma", "recurrent_gemma", "RecurrentGemma",
        "a gated recurrence beside a short window (RecurrentGemma)",
        "In two layers of three a gated state, and in the third the keys and values of a short window",
        "read", "dashdot", "recurrent net",
    ),
    Words(
        "linear-attention", "linear_attention", "linear attention", "sums of all keys and values (linear attention)",
        "In every layer and head a matrix, the sum of all keys times their values", "write", "dot",
        "associative memory",
    ),
    Words(
        "performer", "performer", "Performer", "sums of all keys and values, near to softmax attention (Performer)",
        "In every layer and head a matrix of random features of all keys times their values", "change", "dot",
        "associative memory",
    ),
    Words(
        "infini", "infini", "Infini-attention", "a matrix beside each layer's attention (Infini-attention)",
        "In every layer and head a matrix that all earlier segments were written into", "read", "dot",
        "associative memory",
    ),
    Words(
        "block-recurrent", "block_recurrent", "Block-Recurrent",
        "a gated recurrent state in one layer (Block-Recurrent)",
        "A state of {write} vectors in one layer, written through gates", "change", "dashdot",
    ),
    Words(
        "memformer", "memformer", "Memformer", "slots of one length (Memformer)",
        "{read} slots of length 1, each written by its own attention to the segment", "change", "longdash",
    ),
    Words(
        "feedback", "feedback", "Feedback", "one memory for all layers (Feedback Transformer)",
        "For the last {read} tokens a mean over all layers, which every layer reads", "read", "longdash", "cache",
    ),
    Words(
        "ernie-doc", "ernie_doc", "ERNIE-Doc", "a cache of every layer's outputs (ERNIE-Doc)",
        "What every layer made of the last {read} tokens, for the same layer", "change", "longdash", "cache",
    ),
    Words(
        "titans", "titans", "Titans", "a net that is taught while the text is read (Titans)",
        "The weights of a small net that learned the text, and the direction of its last step", "knows", "longdash",
        "associative memory",
    ),
    Words(
        "reformer", "reformer", "Reformer", "the text before a segment, read in buckets of like tokens (Reformer)",
        "The last {read} tokens of the text, of which a token sees those in its bucket", "change", "longdashdot",
        "sparse attention",
    ),
    Words("none", "none", "no memory", "no memory", "Nothing", "loss", "dash", "controls"),
)  # fmt: skip
