"""Folders as other programs write them: tiny stock models with random weights, saved by transformers itself."""

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

V, LENGTH = 61, 16
SIZES = {
    "vocab_size": V, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
}  # fmt: skip
LLAMA = {**SIZES, "max_position_embeddings": 96, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
BERT = {**SIZES, "max_position_embeddings": 96, "pad_token_id": 0}
GPT2 = {
    "n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": V, "n_positions": 96, "bos_token_id": None,
    "eos_token_id": None,
}  # fmt: skip
IDS = torch.arange(5, 5 + LENGTH)[None]
MARKED = torch.cat([torch.tensor([[3, 4]]), IDS, torch.tensor([[4]])], dim=1)  # as an encoder reads them: see Layout


def stock(cls: str, **options):
    """A stock model, with the same weights every time."""
    kind = getattr(transformers, cls)
    family = {"GPT2": GPT2}.get(kind.config_class.__name__.removesuffix("Config"))
    sizes = family or (BERT if "is_decoder" in vars(kind.config_class()) else LLAMA)
    if "num_key_value_heads" in vars(kind.config_class()):
        sizes = {**sizes, "num_key_value_heads": 2}
    torch.manual_seed(0)
    model = kind(kind.config_class(**{**sizes, **options})).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(std=0.15)
    return model


def saved(folder: Path, model, *, words: bool = True):
    """Save the model with a tokenizer of the words w5, w6 and so on; the folder."""
    model.save_pretrained(folder)
    if words:
        tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def tokenizer() -> Tokenizer:
    marks = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]"]
    words = {mark: i for i, mark in enumerate(marks)} | {f"w{i}": i for i in range(len(marks), V)}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def change_config(folder: Path, **changes) -> None:
    """Change the folder's config.json; a value of None removes a key."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


@torch.no_grad()
def agrees(model, theirs, *, within: float = 1e-5) -> bool:
    """Whether our logits are the stock model's, relative to the largest."""
    want = theirs(IDS if model.backbone.causal else MARKED).logits
    if model.backbone.head == "mlm":
        want = want[:, 2:-1]
    gap = (model(IDS).logits - want).abs().max() / want.abs().max()
    return bool(gap <= within)
