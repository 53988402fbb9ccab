"""Small backbones to train from scratch, one per family, as stock transformers configs."""

from transformers import BertConfig, GPT2Config, LlamaConfig

from rmt.errors import InputError


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
    else:
        raise InputError(f"There is no backbone family {family!r}; choose bert, gpt2 or llama.")
    return {"head": "classify" if n_classes else "lm", "config": {"model_type": family, **config.to_diff_dict()}}
