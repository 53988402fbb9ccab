"""The accuracy of a model on texts that another benchmark has mixed, each read to its end in constant memory."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from rmt.backbone.last_layer import lean
from rmt.errors import InputError
from rmt.evaluate.accuracy import doubt
from rmt.model import Model
from rmt.model.cuda_graph import fast_unroll
from rmt.tasks.interval import wilson
from rmt.tasks.mixed_texts import MixedText
from rmt.text.tokenizer import encode


@torch.inference_mode()
def evaluate_texts(
    model: Model,
    texts: Sequence[MixedText],
    *,
    reset: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Score a classifier on texts of any lengths: a row as of `evaluate`, with the mean number of tokens and of words.

    A text is followed by its question, and the answer is the class named so. reset: the control, in which the initial
    memory is put back before every segment. progress(done, total) counts texts. Raises InputError where an answer is no
    class of the model.
    """
    if model.backbone.head != "classify" or model.about.answers == "score" or model.tokenizer is None:
        raise InputError(f"{model.about.name} does not answer with classes, so there is nothing to score.")
    if not texts:
        raise InputError("There is no text to score.")
    classes = list(model.about.classes)
    if unknown := sorted({text.answer for text in texts} - set(classes)):
        raise InputError(f"{model.about.name} cannot answer {unknown[0]!r}; its classes are {', '.join(classes)}.")
    right, sure, tokens = {}, {}, []
    initial = model.cell.initial(1)
    before = (lambda i, state: initial) if reset else None
    for i, text in enumerate(texts):
        ids = encode(model.tokenizer, f"{text.text.rstrip()} {text.question.strip()}")
        segments = model.split(torch.tensor([ids], device=model.device))
        for _, step, _ in fast_unroll(model.cell, lean(model.backbone), segments, state=initial, before=before):
            logits = step.logits[0]
        answer = int(logits.argmax())
        right[i], sure[i] = classes[answer] == text.answer, float(model.shares(logits)[answer])
        tokens.append(len(ids))
        if progress:
            progress(i + 1, len(texts))
    accuracy = sum(right.values()) / len(texts)
    low, high = wilson(accuracy, len(texts))
    return {
        "segments": round(float(np.mean([-(-n // model.segment_length) for n in tokens]))),
        "tokens": round(float(np.mean(tokens))),
        "words": round(float(np.mean([len(text.text.split()) for text in texts]))),
        "samples": len(texts),
        "accuracy": accuracy,
        "stderr": float(np.sqrt(accuracy * (1 - accuracy) / len(texts))),
        "low": low,
        "high": high,
        **doubt(right, sure),
        "control": "reset" if reset else "none",
        "background": "as mixed there",
    }
