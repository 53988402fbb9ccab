"""State dicts of the package recurrent-memory-transformer-pytorch: their sizes, and the options no tensor holds."""

import re

from rmt.backbone.package_decoder import FAMILY
from rmt.checkpoint.backbone_config import RunArguments
from rmt.checkpoint.recognise import Foreign, Source
from rmt.checkpoint.weights import Weights
from rmt.errors import InputError

OPTIONS = ("add_write_to_next_write_mem", "always_have_read_memories")  # they change numbers, and no tensor has them
ASKED = {
    "add_write_to_next_write_mem": "Whether it was made with add_write_to_next_write_mem (the package's default is "
    "False) is in no tensor; tell it as it was in training.",
    "always_have_read_memories": "Whether it was made with always_have_read_memories (the package's default is True) "
    "is in no tensor; tell it as it was in training.",
}
ONLY = {"causal": True, "memory_not_causal": True}  # the values that are run here
WHY_NOT = {
    "causal": "then tokens see what comes after them, and this program reads it as a decoder",
    "memory_not_causal": "then the package itself fails without flash attention, and with it shifts its causal mask by "
    "the null key",
}


def sizes(recognised: Foreign, weights: Weights) -> dict:
    """The configuration of `rmt.backbone.package_decoder`, from the shapes of the tensors."""
    shapes = {name.removeprefix(recognised.prefix): shape for name, shape in weights.shapes.items()}
    try:
        vocabulary, width = shapes["token_emb.weight"]
        _, heads, head_dim = shapes["layers.0.0.branch.null_kv"]
        inner = shapes["layers.0.1.branch.4.weight"][1]
        streams = shapes.get("layers.0.0.static_alpha", (1,))[0]
    except (KeyError, ValueError, IndexError):
        raise InputError(
            f"{weights.files[0].name} holds an RMT of the package recurrent-memory-transformer-pytorch that has not "
            "all tensors of its versions 0.6 and 0.7; earlier versions compute another function (ResiDual, token "
            "shift), which is not run here."
        ) from None
    layers = len({m[1] for m in (re.match(r"layers\.(\d+)\.", name) for name in shapes) if m})
    return {
        "model_type": FAMILY,
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "head_dim": head_dim,
        "intermediate_size": inner,
        "n_positions": shapes["pos_emb.weight"][0] if "pos_emb.weight" in shapes else None,
        "rotary": "rotary_pos_emb.inv_freq" in shapes,
        "n_streams": streams,
        "value_residual": any(".learned_value_residual_mix." in name for name in shapes),
        "n_memory": recognised.options["n_memory"],
    }


def check_told(run: RunArguments, given: dict, config: dict) -> None:
    """Raise InputError where the constructor's options, in a file or told, are others than the tensors' or than what
    is run here."""
    held = {
        "dim": config["hidden_size"],
        "num_tokens": config["vocab_size"],
        "depth": config["num_hidden_layers"],
        "num_memory_tokens": config["n_memory"],
        "heads": config["num_attention_heads"],
        "dim_head": config["head_dim"],
        "num_residual_streams": config["n_streams"],
        "rotary_pos_emb": config["rotary"],
        "abs_pos_emb": config["n_positions"] is not None,
        **({"seq_len": config["n_positions"]} if config["n_positions"] else {}),
    }
    for name, value in held.items():
        said = run.arguments.get(name)
        if said is not None and said != value:
            raise InputError(
                f"{run.file.name} says {name}={ascii(said)[:40]} and the tensors have {value}; give the options that "
                "this model was made with."
            )
    for name, value in ONLY.items():
        said = given.get(name, run.arguments.get(name, value))
        if said != value:
            raise InputError(
                f"This RMT of the package recurrent-memory-transformer-pytorch was made with {name}={said}: "
                f"{WHY_NOT[name]}. Only {name}={value} is run here."
            )


def said(run: RunArguments, given: dict) -> list[str]:
    """What is to be known of how such a model is read here."""
    unsaid = [name for name in ONLY if name not in given and name not in run.arguments]
    taken = f"It is taken to be made with {' and '.join(f'{n}={ONLY[n]}' for n in unsaid)}, the package's defaults, "
    return [
        *([f"{taken}which no tensor tells; made otherwise, its numbers here are wrong."] if unsaid else []),
        "Memory tokens alone cross a boundary here, as in the forward of the package's wrapper; the XL memories "
        "(use_xl_memories, enhanced_xl_recurrence), which its generate() and memory_replay_backprop pass on, do not.",
        "Every position may also look at a null key, which is none of the text; that share of attention is counted as "
        "local.",
    ]


def sources(recognised: Foreign, weights: Weights) -> dict[str, Source]:
    """Our tensor names -> where each comes from."""
    own = {"memory_tokens": "cell.memory", "read_memory_emb": "cell.read_embedding"}
    made = {}
    for name in weights.shapes:
        theirs = name.removeprefix(recognised.prefix)
        head = theirs.replace("to_logits.", "backbone.model.lm_head.") if theirs.startswith("to_logits.") else None
        made[own.get(theirs) or head or f"backbone.model.model.{theirs}"] = Source((name,))
    return made
