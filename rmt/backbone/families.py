"""Small backbones to train from scratch, one per family, as stock transformers configs."""

from transformers import (
    BertConfig,
    GPT2Config,
    LlamaConfig,
    Mamba2Config,
    MambaConfig,
    RecurrentGemmaConfig,
    RwkvConfig,
)

from rmt.errors import InputError

RECURRENT_NETS = ("rwkv", "mamba", "mamba2", "recurrent_gemma")  # whose layers are not all softmax attention
STATE = 16  # numbers that a fresh Mamba's or Mamba-2's channel keeps
WINDOW = 64  # positions that a fresh RecurrentGemma's attention layers see


def backbone_config(
    family: str, *, layers, width, heads, vocabulary, positions, n_classes=None, pad_id=0, inner=4, tied=None
) -> dict:
    """Make {"head", "config"} of a fresh model: a classifier where n_classes is given, else a language model.

    positions: the longest augmented segment. inner: width of the feed-forward part over that of the model.
    tied: whether the head shares the embedding table, by default as in the family. Dropout is off: these models see
    no sentence twice.
    """
    labels = {"num_labels": n_classes} if n_classes else {}
    sizes = {"vocab_size": vocabulary, "pad_token_id": pad_id, **labels}
    if tied is not None:
        sizes["tie_word_embeddings"] = tied
    if family == "bert":
        config = BertConfig(
            hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner * width,
            max_position_embeddings=positions, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **sizes,
        )  # fmt: skip
    elif family == "gpt2":
        config = GPT2Config(
            n_embd=width, n_layer=layers, n_head=heads, n_positions=positions, n_inner=inner * width,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None, **sizes,
        )  # fmt: skip
    elif family == "llama":
        config = LlamaConfig(
            hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner * width,
            max_position_embeddings=positions, bos_token_id=None, eos_token_id=None, **sizes,
        )  # fmt: skip
    elif family in RECURRENT_NETS and not n_classes and layers > (family == "rwkv"):
        sizes |= {"hidden_size": width, "num_hidden_layers": layers, "bos_token_id": None, "eos_token_id": None}
        config = _recurrent(family, width, heads, inner, sizes)
    else:
        raise InputError(
            f"There is no such backbone {family!r}; choose bert, gpt2 or llama, or for a language model one of "
            f"{', '.join(RECURRENT_NETS)}; a fresh rwkv has two layers or more."
        )
    return {"head": "classify" if n_classes else "lm", "config": {"model_type": family, **config.to_diff_dict()}}


def _recurrent(family: str, width: int, heads: int, inner: int, sizes: dict):
    """A small recurrent net's configuration."""
    if family == "rwkv":
        return RwkvConfig(attention_hidden_size=width, intermediate_size=inner * width, rescale_every=0, **sizes)
    if family == "mamba":
        return MambaConfig(state_size=STATE, time_step_rank=max(1, width // 16), residual_in_fp32=False, **sizes)
    if family == "mamba2":
        return Mamba2Config(
            state_size=STATE, num_heads=2 * heads, head_dim=width // heads, n_groups=1, expand=2,
            residual_in_fp32=False, **sizes,
        )  # fmt: skip
    return RecurrentGemmaConfig(
        num_attention_heads=heads, num_key_value_heads=1, head_dim=width // heads, lru_width=width,
        intermediate_size=2 * inner * width, attention_window_size=WINDOW, sliding_window=WINDOW,
        attention_bias=False, **sizes,
    )  # fmt: skip
