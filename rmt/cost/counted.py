"""The operations of `rmt.cost` counted by torch's FlopCounterMode, with models on the meta device.

Nothing is computed and nothing of the model's size is allocated, so a model of any size at any length takes a second.
The counter counts matrix products and attention, with all scores; not lookups, softmax and norms.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import OPTConfig

from rmt.backbone.internals import encoder_family
from rmt.checkpoint.build import FORMAT, build
from rmt.cost.formula import SEGMENT, Sizes
from rmt.errors import InputError
from rmt.text.segments import Segment


def opt_config(sizes: Sizes) -> dict:
    """Make the stock configuration of an OPT of these sizes, for `rmt.checkpoint.build`."""
    config = OPTConfig(
        vocab_size=sizes.vocabulary, hidden_size=sizes.width, word_embed_proj_dim=sizes.width,
        num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads, ffn_dim=sizes.feed_forward,
    )  # fmt: skip
    return {"model_type": "opt", **config.to_diff_dict()}


def counted(config: dict, tokens: int) -> int:
    """Count the operations of one pass of full attention over so many tokens, with a decoder's head at each.

    config: of a stock transformers model, as a dict with its model_type.
    """
    return _count(_model(config, "none", tokens, {}), tokens)


def counted_recurrent(config: dict, tokens: int, *, segment: int = SEGMENT, n_memory: int = 10) -> float:
    """Count the operations of RMT over so many tokens; a part of a segment counts as that part."""
    options = {"n_memory": n_memory} if n_memory else {}
    return tokens / segment * _count(_model(config, "rmt" if n_memory else "none", segment, options), segment)


def _model(config: dict, kind: str, length: int, options: dict):
    """Build a decoder with its head, or an encoder, on the meta device, with a position table that is long enough."""
    longest = "max_position_embeddings"
    config = {**config, longest: max(config[longest], length + 64)} if longest in config else config
    encoder = encoder_family(config.get("model_type")) and not config.get("is_decoder")
    spec = {
        "format": FORMAT, "cell": {"kind": kind, "options": options}, "segment_length": length,
        "backbone": {"head": "none" if encoder else "lm", "config": config, "cls_id": 1, "sep_id": 2},
    }  # fmt: skip
    try:
        with torch.device("meta"):
            return build(spec)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"This configuration makes no language model ({ascii(error)[:120]}).") from None


def _count(model, length: int) -> int:
    """Count the operations of one segment of so many tokens."""
    ids = torch.zeros(1, length, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        state = model.cell.initial(1)
        step, _ = model.cell.step(model.backbone, Segment(ids), state)
        if model.backbone.head == "lm":
            step.logits  # noqa: B018  the head runs when its logits are used
    return counter.get_total_flops()
