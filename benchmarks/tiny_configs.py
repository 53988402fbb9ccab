"""Tiny configurations of transformers' model classes, found by trying sizes under the names they have for them."""

from inspect import signature

import torch

MOST = 20_000_000  # numbers of a model that is still tiny; of one that does not read text five times as many
LENGTH = 16  # tokens that a model is tried with
# Sizes by the names that configurations have for them; a class takes those it knows.
SIZES = {
    "vocab_size": 64, "hidden_size": 32, "d_model": 32, "n_embd": 32, "dim": 32, "embed_dim": 32, "embedding_size": 32,
    "emb_dim": 32, "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2,
    "decoder_layers": 2, "num_encoder_layers": 2, "num_decoder_layers": 2, "num_attention_heads": 4, "n_head": 4,
    "n_heads": 4, "num_heads": 4, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8, "d_kv": 8, "intermediate_size": 48, "d_ff": 48, "n_inner": 48, "ffn_dim": 48, "hidden_dim": 48,
    "d_inner": 48, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 96, "n_positions": 96,
    "max_seq_len": 96, "max_sequence_length": 96, "num_local_experts": 4, "num_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "moe_intermediate_size": 16, "moe_k": 2, "moe_num_experts": 4, "n_group": 1,
    "topk_group": 1,
    "shared_expert_intermediate_size": 16, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8, "v_head_dim": 8, "qk_head_dim": 12, "first_k_dense_replace": 1, "sliding_window": 8,
    "attention_window": 8, "rotary_dim": 4, "state_size": 8, "mamba_d_state": 8, "mamba_n_heads": 4, "mamba_d_head": 16,
    "mamba_expand": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "image_size": 32, "patch_size": 8,
    "vocab_size_per_layer_input": 64, "hidden_size_per_layer_input": 8, "rescale_every": 0, "attention_hidden_size": 32,
    "text_config": None, "projection_dim": 16, "decoder_hidden_size": 32, "decoder_vocab_size": 64, "n_mels": 8,
    "num_mel_bins": 8, "shared_intermediate_size": 48, "ff_dim": 48, "index_head_dim": 8, "index_n_heads": 4,
    "index_topk": 64, "o_lora_rank": 8, "entity_vocab_size": 16, "entity_emb_size": 32, "conv_l_cache": 3,
    "depth": 2, "mlp_dim": 48, "out_hidden_size": 32, "hidden_sizes": 32, "depths": 1, "layer_depths": 1,
    "conv_dim": 32, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 32,
    "tdnn_dim": 32, "xvector_output_dim": 32, "codevector_dim": 32, "num_codevectors_per_group": 8,
    "output_hidden_size": 32, "max_source_positions": 64, "max_target_positions": 96, "vision_embed_dim": 32,
}  # fmt: skip
SPECIAL = {  # what some families need beside
    "GPTNeoConfig": {"attention_types": [[["global", "local"], 1]]},
    "Dots1Config": {"n_shared_experts": 1},
    "Lfm2MoeConfig": {"layer_types": ["conv", "full_attention"]},
    "DbrxConfig": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0}},
    "Mamba2Config": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 8},
    "LiltConfig": {"hidden_size": 48},
    "XmodConfig": {"default_language": "en_XX"},
    "LayoutLMv3Config": {"coordinate_size": 6, "shape_size": 4, "input_size": 32},
}  # fmt: skip
SMALLER = ("num_key_value_heads", "head_dim", "sliding_window")  # what a family may want to be left as it is


def tiny_config(cls: type):
    """A small configuration for a class. Raises ValueError where none of a few ways makes one."""
    kind, wrong = cls.config_class, None
    for config in _configs(kind):
        if isinstance(config, Exception):  # a family with sizes that depend on others
            wrong = wrong or f"{type(config).__name__}: {str(config)[:100]}"
            continue
        try:
            with torch.device("meta"):
                numbers = sum(p.numel() for p in cls(config).parameters())
            if numbers > (MOST if _reads_text_alone(cls, config) else 5 * MOST):
                wrong = f"its smallest has {numbers:,} numbers"
            elif not _reads_text_alone(cls, config) or _runs(cls, config):
                return config
        except Exception as error:
            wrong = f"{type(error).__name__}: {str(error)[:100]}"
    raise ValueError(wrong)


def _configs(kind: type, depth: int = 0):
    """Small configurations of a kind, the likeliest first; in the place of one that cannot be, what it raises."""
    default = kind()
    known = {*vars(default), *getattr(kind, "attribute_map", {})}
    sizes = {k: v for k, v in SIZES.items() if k in known and v is not None and _settable(kind, k)}
    lists = {k: getattr(default, k) for k in sizes if isinstance(getattr(default, k, None), list | tuple)}
    plain = {k: v for k, v in sizes.items() if k not in lists}
    special = SPECIAL.get(kind.__name__, {})
    parts = {k: part for k in getattr(kind, "sub_configs", {}) if (part := _part(default, k, depth)) is not None}
    as_long = {k: type(v)([sizes[k]] * len(v)) for k, v in lists.items()}  # one number a stage
    alike = {"num_key_value_heads": 4} if "num_key_value_heads" in plain else {}
    for without, instead in (
        ((), {}), ((), alike), (SMALLER[2:], alike), (SMALLER[1:], alike), (SMALLER, {}), ((), as_long),
        (SMALLER, {k: v for k, v in as_long.items() if k in ("depths", "hidden_sizes", "conv_dim", "tdnn_dim")}),
    ):  # fmt: skip
        given = {k: v for k, v in (plain | instead).items() if k not in without} | parts | special
        try:
            yield kind(**given)
        except Exception as error:
            yield error


def _part(default, name: str, depth: int):
    """A small configuration of a part of a model of several, None where it has none or none is made."""
    part = getattr(default, name, None)
    if part is None or depth > 3 or not hasattr(part, "model_type"):
        return None
    try:
        return next((c for c in _configs(type(part), depth + 1) if not isinstance(c, Exception)), None)
    except Exception:
        return None


def _reads_text_alone(cls: type, config) -> bool:
    from rmt.checkpoint.stock import PARTS

    parts = (name for name in getattr(config, "sub_configs", {}) if PARTS.search(name))
    several = any(getattr(config, name, None) is not None for name in parts)
    return cls.main_input_name == "input_ids" and not config.is_encoder_decoder and not several


@torch.no_grad()
def _runs(cls: type, config) -> bool:
    """Whether the stock model itself reads ids with these sizes. Raises what it raises where not."""
    if "input_ids" not in signature(cls.forward).parameters:
        return True
    ids = torch.arange(LENGTH)[None] + 5
    ids = ids[None].expand(1, 2, -1) if cls.__name__.endswith("ForMultipleChoice") else ids
    cls(config).eval()(input_ids=ids, **no_cache(cls))
    return True


def no_cache(cls: type) -> dict:
    return {"use_cache": False} if "use_cache" in signature(cls.forward).parameters else {}


def _settable(kind: type, name: str) -> bool:
    return not isinstance(getattr(kind, name, None), property)
