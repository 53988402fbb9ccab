"""Choose the head of a stock model from its configuration and its tensors."""

import re
from dataclasses import dataclass, field

from transformers import PretrainedConfig

from rmt.backbone.internals import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from rmt.checkpoint.recognise import spare
from rmt.checkpoint.stock import HEADS, Fit, fit, model_class, stock_class, stock_config, unreadable
from rmt.checkpoint.weights import Weights
from rmt.errors import InputError

CLASSIFIER = re.compile(r"(^|\.)(classifier|score|classification_head)(\.out_proj)?\.weight$")
MASKED = re.compile(r"(^|\.)(cls\.predictions|lm_head|decoder|vocab_projector|generator_lm_head|predictions)\.")
# Heads that this program leaves out, by the end of their class's name, and what they do.
OTHERS = {
    "ForTokenClassification": "gives a class to every token",
    "ForQuestionAnswering": "marks where the answer to a question stands",
    "ForQuestionAnsweringSimple": "marks where the answer to a question stands",
    "ForMultipleChoice": "chooses one of several texts",
    "ForNextSentencePrediction": "tells whether one sentence follows another",
    "ForPreTraining": "was trained with more heads than one",
    "DoubleHeadsModel": "predicts tokens and chooses one of several texts",
}
ANSWERS = {
    "several": "Its head says yes or no to each of its classes on its own (multi-label, a sigmoid each): their "
    "probabilities need not add up to one.",
    "score": "Its head gives a number (a reward or a regression) and no classes: model(ids).logits holds it, and a "
    "recorded run shows no answer.",
}


@dataclass
class Choice:
    """A stock class chosen for a file: its head, its configuration as JSON and as transformers', and notes on it."""

    head: str
    config: dict
    stock: PretrainedConfig
    cls: type
    fit: Fit
    weights: Weights  # under the names that fit the class
    said: list[str] = field(default_factory=list)  # sentences for the report
    left_out: list[str] = field(default_factory=list)


def choose(config: dict, weights: Weights, head: str | None = None) -> Choice:
    """Choose the class of transformers whose head the file has. Raises InputError, without a path, where none fits.

    head: the head that an adapter was trained with, whatever the configuration names.
    """
    stock = stock_config(config)
    reason = unreadable(stock)
    if reason:
        raise InputError(reason)
    wanted, notes = (head, []) if head else named(config, stock)
    order = list(dict.fromkeys([*([wanted] if wanted else []), by_tensors(config, weights), "none"]))
    best = None
    for names in (weights, *_unprefixed(weights)):
        for head in order:
            cls = model_class(stock, head)
            if cls is None:
                continue
            fitted = _fitting(cls, stock, names)
            choice = Choice(head, config, stock, cls, fitted, names, list(notes))
            missing, extra = lacking(choice), surplus(choice)
            if not missing and not fitted.wrong and not extra:
                return _told(choice, wanted)
            if best is None or len(missing) + len(extra) < len(lacking(best)) + len(surplus(best)):
                best = choice
        if lacking(best) == [] or (best.head == "none" and len(lacking(best)) < 3):
            break
    if best is None:
        raise InputError(f"transformers has no class for a {stock.model_type} that this program could run.")
    return best


def _fitting(cls: type, stock: PretrainedConfig, weights: Weights) -> Fit:
    try:
        return fit(cls, stock, weights)
    except InputError:
        raise
    except Exception as error:  # a wrong configuration can make a constructor raise anything
        raise InputError(
            f"transformers makes no {cls.__name__} of its configuration ({ascii(str(error))[:160]}); look at its "
            "config.json."
        ) from None


def named(config: dict, stock: PretrainedConfig) -> tuple[str | None, list[str]]:
    """The head that the configuration's `architectures` names, None for an unknown one, and sentences about it."""
    architectures = config.get("architectures")
    name = (
        architectures[0]
        if isinstance(architectures, list) and architectures and isinstance(architectures[0], str)
        else None
    )
    if name is None:
        return None, []
    for head in HEADS:
        cls = model_class(stock, head)
        if cls is not None and cls.__name__ == name and (head != "lm" or not _encoder(stock)):
            return head, []
    end = next((end for end in OTHERS if name.endswith(end)), None)
    if name.endswith(("ForPreTraining", "DoubleHeadsModel")):
        masked = model_class(stock, "mlm" if _encoder(stock) else "lm")
        return ("mlm" if _encoder(stock) else "lm") if masked else "none", []
    if end:
        return "none", [f"It is a {ascii(name)[1:-1][:60]}, which {OTHERS[end]}: that head is left out here."]
    return None, []


def _encoder(stock: PretrainedConfig) -> bool:
    return stock.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(stock, "is_decoder", False)


def by_tensors(config: dict, weights: Weights) -> str:
    """The head that a file's tensors show: an encoder may have none, a decoder's may be its word embeddings."""
    if any(CLASSIFIER.search(name) for name in weights.shapes):
        return "classify"
    if config["model_type"] not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or config.get("is_decoder"):
        return "lm"
    return "mlm" if any(MASKED.search(name) for name in weights.shapes) else "none"


def _unprefixed(weights: Weights) -> list[Weights]:
    """The same tensors without a prefix that (almost) all names have: Lightning puts "model." before them."""
    candidates, names, prefix = [], {name: name for name in weights.shapes}, ""
    for _ in range(2):
        firsts = [name.partition(".")[0] for name in names if "." in name]
        first = max(set(firsts), key=firsts.count, default=None)
        if first is None or firsts.count(first) < 0.8 * len(names):
            break
        names = {n.removeprefix(f"{first}."): old for n, old in names.items() if n.startswith(f"{first}.")}
        prefix += f"{first}."
        removed = ", ".join(filter(None, [weights.left_off, prefix]))
        candidates.append(weights.renamed(dict(names), removed))
    return candidates


def lacking(choice: Choice) -> list[str]:
    """Tensors that the class needs and the file lacks; only classifiers need a pooler."""
    unread = choice.head in ("none", "mlm")
    return [name for name in choice.fit.missing if not (unread and "pooler" in name.split("."))]


def surplus(choice: Choice) -> list[str]:
    """Tensors of the trunk that the class does not have: of another configuration. Heads are not counted."""
    base = choice.cls.base_model_prefix
    trunk = getattr(choice.fit.empty, base, choice.fit.empty)
    parts = {name for name, _ in trunk.named_children()}

    def inside(name: str) -> bool:
        first = name.removeprefix(f"{base}.").partition(".")[0]
        return first in parts and first != "pooler" and not (choice.head == "none" and first == "classifier")

    return [name for name in choice.fit.extra if inside(name) and not spare(name)]


def not_run(choice: Choice) -> str | None:
    """Why a file that does not fit the class chosen for it is sound all the same: it is of a class that is not run
    here. None where the class that its configuration names does not have these tensors either."""
    cls = stock_class((choice.config.get("architectures") or [None])[0])
    if cls is None or cls is choice.cls or getattr(cls, "config_class", None) is not type(choice.stock):
        return None
    try:
        found = fit(cls, choice.stock, choice.weights)
    except Exception:  # whatever a class trips over that nobody tried
        return None
    if found.missing or found.wrong or any(not spare(name) for name in found.extra):
        return None
    return (
        f"This is a {cls.__name__}, and no class that is run here: those are what transformers' automatic classes open "
        "as a causal or masked language model, a sequence classifier or a plain trunk."
    )


def _told(choice: Choice, wanted: str | None) -> Choice:
    """Add sentences to a choice: what was left out of the file, and where it differs from its configuration."""
    name = (choice.config.get("architectures") or [None])[0]
    choice.left_out = [n for n in choice.fit.extra if not spare(n)]
    if wanted is not None and choice.head != wanted:
        choice.said.append(
            f"Its configuration names a {ascii(name)[1:-1][:60]}, and the file has not all of that head's numbers: it "
            f"is read as a {choice.cls.__name__}."
        )
    elif isinstance(name, str) and name != choice.cls.__name__ and not choice.said:
        choice.said.append(
            f"Its configuration names a {ascii(name)[1:-1][:60]}; it is read as a {choice.cls.__name__}."
        )
    return choice


def answers_of(stock: PretrainedConfig) -> tuple[list[str], str]:
    """A classifier's class names by index (none for a score), and what its head gives: "one", "several" or "score"."""
    names = getattr(stock, "id2label", None) or {}
    names = [str(names[key]) for key in sorted(names, key=int)]
    problem = getattr(stock, "problem_type", None)
    if problem == "regression" or len(names) == 1:
        return [], "score"
    return names, "several" if problem == "multi_label_classification" else "one"


def labels(config: dict, weights: Weights) -> tuple[dict, list[str], list[str], str]:
    """Name the rows of a classifier: (config with the names, names, sentences, what the head gives).

    The names are the configuration's own by index, LABEL_0 and so on where it has none. The head gives "one" of them,
    "several", or a "score".
    """
    rows = next((s[0] for n, s in weights.shapes.items() if CLASSIFIER.search(n) and len(s) == 2), None)
    id2label, sentences = config.get("id2label"), []
    try:
        names = [str(id2label[key]) for key in sorted(id2label, key=int)] if isinstance(id2label, dict) else []
        indices = sorted(map(int, id2label)) if isinstance(id2label, dict) else []
    except (TypeError, ValueError):
        names, indices = [], []
    rows = rows or len(names) or config.get("num_labels") or 2
    if indices != list(range(rows)) or len(set(names)) < rows or not all(map(str.isprintable, names)):
        if names:
            sentences.append(
                f"The head has {rows} classes and the configuration's names do not fit them; they are called LABEL_0 "
                "and so on."
            )
        names = [f"LABEL_{i}" for i in range(rows)]
    config = {**config, "num_labels": rows, "id2label": dict(enumerate(names)), "label2id": {}}
    config["label2id"] = {name: i for i, name in enumerate(names)}
    problem = config.get("problem_type")
    answers = "one"
    if problem == "regression" or rows == 1:
        answers, names = "score", []
    elif problem == "multi_label_classification":
        answers = "several"
    return config, names, [*sentences, *([ANSWERS[answers]] if answers in ANSWERS else [])], answers
