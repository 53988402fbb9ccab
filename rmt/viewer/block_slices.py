"""Parts of an attention slice for memory that is read by blocks: which were retrieved, and which tokens in them."""

import numpy as np

from rmt.trace import SegmentRecord, Trace

Parts = tuple[list[dict], dict[str, np.ndarray]]


def retrieved(trace: Trace, record: SegmentRecord, values: np.ndarray) -> Parts:
    """The blocks that a replayed segment could read, the earliest first, and what its tokens gave them.

    values: the segment's attention map (N, N). Blocks are {"segment", "tokens"}; of a block that has partly left memory
    the last tokens. Arrays: block_weight (T, blocks), the attention of each token to each block; block_inside (T, P),
    its attention to each of their tokens as a share of the block's, one block after another.
    """
    tokens, read = (slice(*record.layout[name]) for name in ("tokens", "read"))
    on_memory = values[tokens, read]
    blocks, weights, inside = [], [], []
    for back in sorted(set(record.blocks[record.blocks > 0].tolist()), reverse=True):
        of_block = on_memory[:, record.blocks == back]  # (T, P of the block)
        weight = of_block.sum(1)
        words = trace.segments[record.index - back].tokens[-of_block.shape[1] :]
        blocks.append({"segment": record.index - back, "tokens": words})
        weights.append(weight)
        inside.append(of_block / np.maximum(weight, np.finfo(weight.dtype).tiny)[:, None])
    if not blocks:
        return [], {}
    return blocks, {"block_weight": np.stack(weights, 1), "block_inside": np.concatenate(inside, 1)}
