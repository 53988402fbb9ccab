"""Tiny random models of many families from stock configurations; large weights make their attention uneven."""

import torch
from transformers import (
    AlbertConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BloomConfig,
    DebertaConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    FalconConfig,
    Gemma2Config,
    GPT2Config,
    GPTJConfig,
    GPTNeoConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    ModernBertConfig,
    OPTConfig,
    RobertaConfig,
)

torch.set_num_threads(1)  # models this small are slower on more

VOCABULARY, POSITIONS, CLASSES = 61, 96, 5
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": VOCABULARY}
WIDE = {**SIZES, "intermediate_size": 48}
MARKS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": VOCABULARY, "n_positions": POSITIONS, **MARKS}
BERT = {**WIDE, "max_position_embeddings": POSITIONS, "num_labels": CLASSES, "pad_token_id": 0}
LLAMA = {**WIDE, "max_position_embeddings": POSITIONS, **MARKS}
NEO = [[["global", "local", "global"], 1]]

DECODERS = {
    "gpt2": GPT2Config(**GPT2),
    "gpt2_inverse_layer": GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True),
    "llama_gqa": LlamaConfig(**LLAMA, num_key_value_heads=2),
    "opt": OPTConfig(**SIZES, ffn_dim=48, word_embed_proj_dim=32, max_position_embeddings=POSITIONS, **MARKS),
    "gpt_neox": GPTNeoXConfig(**LLAMA),
    "mistral_window": MistralConfig(**LLAMA, num_key_value_heads=2, sliding_window=7),
}
ENCODERS = {
    "bert": BertConfig(**BERT),
    "roberta": RobertaConfig(**BERT),
    "modernbert": ModernBertConfig(**LLAMA, num_labels=CLASSES, local_attention=8, global_attn_every_n_layers=3),
}
EAGER_DECODERS = {  # not in the attention registry, or with something in their softmax that no kernel has
    "gpt_neo": GPTNeoConfig(
        hidden_size=32, num_layers=3, num_heads=4, attention_types=NEO, window_size=7,
        vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **MARKS,
    ),
    "gptj": GPTJConfig(**{**GPT2, "n_positions": POSITIONS}, rotary_dim=4),
    "bloom": BloomConfig(hidden_size=32, n_layer=3, n_head=4, vocab_size=VOCABULARY, **MARKS),
    "falcon": FalconConfig(**SIZES, **MARKS),
    "gemma2": Gemma2Config(**LLAMA, num_key_value_heads=2, head_dim=8),
}  # fmt: skip
EAGER_ENCODERS = {
    "deberta": DebertaConfig(**BERT, relative_attention=True, pos_att_type=["c2p", "p2c"]),
    "deberta_v2": DebertaV2Config(**BERT, relative_attention=True, pos_att_type=["c2p", "p2c"]),
}
OTHER_ENCODERS = {
    "albert": AlbertConfig(**BERT, embedding_size=32),
    "electra": ElectraConfig(**BERT, embedding_size=32),
    "distilbert": DistilBertConfig(
        dim=32, n_layers=3, n_heads=4, hidden_dim=48, vocab_size=VOCABULARY, max_position_embeddings=POSITIONS,
        num_labels=CLASSES, pad_token_id=0,
    ),
}  # fmt: skip
FUSED = DECODERS | ENCODERS
EAGER = EAGER_DECODERS | EAGER_ENCODERS
ALL = FUSED | EAGER | OTHER_ENCODERS
AUTO = {"lm": AutoModelForCausalLM, "mlm": AutoModelForMaskedLM, "classify": AutoModelForSequenceClassification}


def make(name: str, *, head: str | None = None, attention: str = "sdpa", dtype=torch.float32, **options):
    """A stock model; the same name and head always have the same weights, whatever the attention.

    head: lm, mlm or classify; by default the lm of a decoder and the classifier of an encoder.
    """
    config = type(ALL[name]).from_dict({**ALL[name].to_dict(), **options})
    head = head or ("lm" if name in DECODERS | EAGER_DECODERS else "classify")
    if name in EAGER:
        attention = "eager"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AUTO[head].from_config(config, attn_implementation=attention)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.data.normal_(std=0.15)
    return model.to(dtype).eval()
