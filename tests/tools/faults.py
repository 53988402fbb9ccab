"""The faults that `mutate.py` puts into the engine: file -> (what stands there once, what it becomes, why it matters)."""
# ruff: noqa: E501
# fmt: off

from dataclasses import dataclass

KNOWN = "tests/test_known_memory.py"


@dataclass(frozen=True)
class Fault:
    """One fault: `old`, which stands once in the file, becomes `new`; why: what a person would read that is not true."""

    file: str
    old: str
    new: str
    why: str


TESTS = {  # the tests that watch a file
    "rmt/evaluate/accuracy.py": (KNOWN, "tests/test_evaluate.py"),
    "rmt/causes/facts.py": (KNOWN, "tests/test_facts.py"),
    "rmt/tasks/questions.py": ("tests/test_facts.py",),
    "rmt/causes/survival.py": (KNOWN, "tests/test_facts.py"),
    "rmt/causes/probe.py": (KNOWN, "tests/test_probe.py"),
    "rmt/causes/samples.py": (KNOWN, "tests/test_facts.py"),
    "rmt/causes/slot_effects.py": (KNOWN, "tests/test_effects.py"),
    "rmt/causes/attribute.py": ("tests/test_attribute.py",),
    "rmt/evaluate/loss_by_position.py": ("tests/test_per_position.py",),
    "rmt/intervene/block.py": ("tests/test_paths.py",),
    "rmt/measure.py": ("tests/test_measure.py", "tests/test_memory_measures.py"),
}

TABLE = {
    "rmt/evaluate/accuracy.py": (
        ('reset=control == "reset"', "reset=False", "the reset control does nothing"),
        ("before = (lambda i, state: initial) if reset else None", "before = None", "the reset control does nothing"),
        ('model.tokenizer, "eval")\n    if', 'model.tokenizer, "train")\n    if', "evaluation draws training's documents"),
        ("EVALUATION = 2", "EVALUATION = 1", "evaluation draws training's seeds"),
        ("[EVALUATION, seed, n_segments, i]", "[EVALUATION, 0, n_segments, i]", "the seed changes nothing"),
        ("[EVALUATION, seed, n_segments, i]", "[EVALUATION, seed, n_segments, 0]", "all samples are one"),
        ("[EVALUATION, seed, n_segments, i]", "[EVALUATION, seed, 0, i]", "all lengths have the same stories"),
        ("z: float = 1.96", "z: float = 1.0", "an interval at one sigma"),
        ("z**2 / (2 * samples)\n", "z**2 / samples\n", "the middle of an interval"),
        ("z**2 / (4 * samples**2)", "z**2 / (2 * samples**2)", "the width of an interval"),
        ("scale = 1 + z**2 / samples", "scale = 1", "the scale of an interval"),
        ("np.sqrt(accuracy * (1 - accuracy) / samples)", "accuracy * (1 - accuracy) / samples", "no standard error"),
        ("int(answer) == example.label", "int(answer) >= example.label", "wrong answers count as right"),
        ("accuracy = sum(results.values()) / samples", "accuracy = max(results.values())", "no mean over samples"),
        ('"tokens": n_segments * model.segment_length', '"tokens": n_segments', "tokens are segments"),
        ("i * self.length, (i + 1) * self.length", "0, self.length", "every segment is the first"),
        ("return step.logits.argmax(-1)", "return step.logits.argmin(-1)", "the least likely class is the answer"),
    ),
    "rmt/causes/facts.py": (
        ("standing=(RESET,) if reset else ()", "standing=()", "the reset control of facts does nothing"),
        ("s = (fact.end - 1) // model.segment_length", "s = fact.end // model.segment_length + 1", "a segment late"),
        ("mine[s : s + segments + 2]", "mine[s + 1 : s + segments + 3]", "capture a segment late"),
        ("kept.append(mine[s + 1 + moment])", "kept.append(mine[s + moment])", "slots of another moment"),
        ("answers.argmax(-1) == fact.answer", "answers.argmax(-1) >= fact.answer", "wrong answers count as right"),
        ("return np.arange(self.p.shape[1]) - 1", "return np.arange(self.p.shape[1])", "distances shifted by one"),
        ("[INTERVENTION, seed])", "[INTERVENTION, 0])", "the seed changes nothing"),
        ("(answers[0] - answers[1:])", "(answers[1:] - answers[0])", "falls with the wrong sign"),
        ("mean, n = slots.mean(0)", "mean, n = slots[0]", "slots become one run's, not the mean"),
        ('"best": [right(order[:k], ~half)', '"best": [right(order[n - k :], ~half)', "best and others exchanged"),
        ("right(order[n - k :] if k else [], ~half)", "right(order[:k], ~half)", "others are the best"),
        ('"best": [right(order[:k], ~half)', '"best": [right(order[:k], half)', "ranked on the half it is scored on"),
        ("falls[slot][half].mean()", "falls[slot][~half].mean()", "ranked on the half it is scored on"),
        ("-float(falls[slot][half].mean())", "float(falls[slot][half].mean())", "the worst slot is called best"),
        ('"fall": [float(fall.mean())', '"fall": [float(fall.max())', "no mean over facts"),
        ("if other != slot], half | ~half)", "if other == slot], half | ~half)", "one slot alone is all but one"),
        ('"whole": float((usual - asked(range(n))', '"whole": float((usual - asked([0])', "whole is one slot"),
        ('"order": [slot + 1 for slot in order]', '"order": [slot for slot in order]', "slots are counted from 0"),
    ),
    "rmt/tasks/questions.py": (
        ("min(found)[2:]", "max(found)[2:]", "a relation is asked for from the other side"),
    ),
    "rmt/causes/survival.py": (
        ("BAND = (0.1, 0.9)", "BAND = (0.25, 0.75)", "another band than the page says"),
        ("KEPT = (1, 10, 50)", "KEPT = (1, 10, 20)", "retention after another distance"),
        ("samples=samples, segments=segments, seed=seed, reset=reset, progress", "samples=samples, segments=segments, seed=seed, progress", "the reset control of facts does nothing"),
        ("min(samples, 100), seed=seed, reset=reset)", "min(samples, 100), seed=seed)", "interference is not reset"),
        ("standing=(RESET,) if reset else ()", "standing=()", "interference is not reset"),
        ('"capture": share(found.right[:, 1])', '"capture": share(found.right[:, 2])', "capture a segment late"),
        ("found.right[found.right[:, 1]]", "found.right[found.right[:, 0]]", "retention of what was known before"),
        ("share(captured[:, d + 1])", "share(captured[:, d])", "retention a segment early"),
        ('"right": found.right.mean(0)', '"right": found.p.mean(0)', "shares are probabilities"),
        ('"mean": found.p.mean(0), "low"', '"mean": np.median(found.p, 0), "low"', "the mean is a median"),
        ("z, p = 1.96", "z, p = 1.0", "an interval at one sigma"),
        ("(p + z**2 / (2 * n) +", "(p +", "an interval around the wrong middle"),
        (".states[2 + gap :]", ".states[1 + gap :]", "a second fact a segment early"),
        ('(("first", 0), ("second", 1))', '(("first", 1), ("second", 0))', "first and second exchanged"),
        ("seed, SECOND.index(kind)]", "seed, 0]", "both kinds draw the same stories"),
        ('same == (kind == "same")', 'same == (kind != "same")', "the kinds are exchanged"),
        ('"control": "reset" if reset else', '"control": "none" if reset else', "the control is not named"),
    ),
    "rmt/causes/probe.py": (
        ("right = score(fit(flat[0], y, c), flat[1], truth)", "right = score(fit(flat[0], y, c), flat[0], y)", "scored on the training runs"),
        ("whole = score(fit(together[0], y, c), together[1], truth)", "whole = score(fit(together[0], y, c), together[0], y)", "scored on the training runs"),
        ("seed, 7 + side]", "seed, 7]", "training runs are scored again"),
        ("fit(flat[0], y[order], c)", "fit(flat[0], y, c)", "shuffled answers are not shuffled"),
        ("RIDGE = 1e-2", "RIDGE = 1e2", "another ridge than is said"),
        ("RIDGE * gram.diagonal(dim1=-2, dim2=-1).mean(-1)", "RIDGE * gram.diagonal(dim1=-2, dim2=-1).sum(-1)", "another ridge than is said"),
        ("states[2 + d]", "states[1 + d]", "moments a segment early"),
        ("standing=(RESET,) if reset else ()", "standing=()", "the reset control of probes does nothing"),
        ('"chance": 1 / c', '"chance": 1 / (c - 1)', "another chance"),
        ("centred.mT @ (target - bias)", "centred.mT @ target", "a probe without its mean"),
        ("for order in orders) / SHUFFLES", "for order in orders)", "no mean over shuffles"),
    ),
    "rmt/causes/samples.py": (
        ("INTERVENTION = 3", "INTERVENTION = 1", "interventions draw training's seeds"),
        ("INTERVENTION = 3", "INTERVENTION = 2", "interventions draw evaluation's seeds"),
        ('model.tokenizer, "eval")', 'model.tokenizer, "train")', "interventions draw training's documents"),
        ("model.cell.slots(state).mean(0)", "model.cell.slots(state)[0]", "the usual memory is one run's"),
        ("[INTERVENTION, seed, n_segments]", "[INTERVENTION, 0, n_segments]", "the seed changes nothing"),
        ("span.start + len(lead), span.end + len(lead)", "span.start, span.end", "facts stand elsewhere"),
    ),
    "rmt/causes/slot_effects.py": (
        ("fall = usual[:, None] - found", "fall = found - usual[:, None]", "falls with the wrong sign"),
        ("fall = found - usual[:, None]", "fall = usual[:, None] - found", "a loss that rises seems to fall"),
        ("float(reading.probabilities[0, answer])", "float(reading.probabilities.max())", "compared with another class"),
        ("if other != slot) for slot in range(n_slots)]", "if other == slot) for slot in range(n_slots)]", "alone is without"),
        ("cell.initial(1) if reset else reading.states[i]", "reading.states[i]", "the control's memory is kept"),
        ("rows = cell.initial(_size(rows))", "pass", "the control's rows carry on"),
        ("Ablate(i, to=to)", "Ablate(i)", "always the mean"),
        ("fall[:, :-1], fall[:, -1]", "fall[:, 1:], fall[:, 0]", "whole and slots exchanged"),
        ("reading.loss[0, starts[s] :]", "reading.loss[0]", "the loss of the whole run, not from there on"),
        ("losses[s - at[0] :]", "losses[:]", "losses of other segments"),
        ("MOST_SEGMENTS = 24", "MOST_SEGMENTS = 23", "a map of other moments"),
        ('answer = trace.meta["label"] if trace.meta["label"] is not None else None', "answer = 0", "another class"),
        ("for half in (False, True)", "for half in (True, False)", "without and alone exchanged"),
        ("(told == answers[0])", "(told == answers[1])", "donor and receiver exchanged"),
        ('donors={"other": donor}', 'donors={"other": receiver}', "nothing is exchanged"),
        ("Transplant(1, donor=", "Transplant(0, donor=", "memory of another moment is given"),
        ("and other.answer != story.answer", "", "both runs may have one answer"),
    ),
    "rmt/causes/attribute.py": (
        ("base = cell.slots(cell.initial(1)) if to is None", "base = torch.zeros_like(slots) if to is None", "slots fall to zeros, not to the initial memory"),
        ("else to[None].to(slots)", "else cell.slots(cell.initial(1))", "`to` changes nothing"),
        ("return model.cell.initial(1) if _resets(reading) else reading.states[-2]", "return reading.states[-2]", "the control owes its answer to memory"),
        ("reading.states[-2]", "reading.states[-1]", "slots of a moment later"),
        ("without.float().cpu().numpy(), (with_ - without)", "with_.float().cpu().numpy(), (with_ - without)", "local text has memory's part"),
        ("choose(switches[:, i] > 0.5, after, state)", "choose(switches[:, i] > 0.5, state, after)", "rows exchanged"),
        ("alone = model.cell.step(model.backbone, last, model.cell.initial(1))[0]", "alone = model.cell.step(model.backbone, last, reading.states[-2])[0]", "the last segment has memory's part"),
        ("device=model.device)).mean(0)", "device=model.device)).sum(0)", "another baseline than the mean word"),
        ("GAP = 0.01", "GAP = 0.5", "half of the output may be missed"),
        ("float(missed.sum()) / max", "float(missed.mean()) / max", "the gap is told too small"),
        ("allowed = gap * max(abs(top - low), 1e-12)", "allowed = 1e9", "steps are never added"),
        ("Tokens(values.sum(0).numpy(), top, low", "Tokens(values.sum(0).numpy(), low, top", "output and baseline exchanged"),
        ("before = (lambda i, state: initial) if _resets(self.reading) else None", "before = None", "the control's tokens reach the answer"),
    ),
    "rmt/evaluate/loss_by_position.py": (
        ("BEGINNING = 16", "BEGINNING = 8", "first16 are others"),
        ("np.sqrt((D - 1) / D *", "np.sqrt(", "the jackknife has no factor"),
        ("(gain.sum() - gain) / (whole.sum() - whole)", "gain / whole", "no jackknife"),
        ("values.std(0, ddof=1)", "values.std(0)", "standard errors without the sample's correction"),
        ("/ np.sqrt(len(values))", "/ len(values)", "standard errors of nothing"),
        ("gains = others[name] - losses", "gains = losses - others[name]", "a gain is a loss"),
        ("round(float(gains.mean()) / error, 2)", "round(float(gains.mean()) * error, 2)", "another ratio"),
        ("losses[owners == one].mean(0)", "losses[owners == one][0]", "one target a document"),
        ("before = (lambda i, state: initial) if reset else None", "before = None", "the reset control does nothing"),
        ('length, control == "reset")', "length, False)", "the reset control does nothing"),
        ("np.roll(np.arange(len(targets)), -counts[0])", "np.arange(len(targets))", "the other document is the same"),
        ("ids[:, :before] = ids[_elsewhere(targets), :before]", "pass", "the other document is the same"),
        ("labels[:, :-length] = IGNORE", "pass", "history is scored, too"),
        ("before = history * length", "before = length", "all histories are one segment"),
        ("self.by_document[:, -self.tail :]", "self.by_document[:, : self.tail]", "last is first"),
        ('found.get(("none", "none", history))', 'found.get(("none", "none", 0))', "compared with less history"),
        ('difference(found[mech, "none", history], one)', 'difference(one, found[mech, "none", history])', "signs"),
        ('found.get((main, "none", more)), found.get((main, "none", less))', 'found.get((main, "none", less)), found.get((main, "none", more))', "signs"),
        ("float(gain.sum() / whole.sum())", "float((gain / whole).mean())", "another fraction"),
    ),
    "rmt/intervene/block.py": (
        ("others = positions[~torch.isin(positions, torch.cat([read, write]))]", "others = positions[layout.tokens]", "[CLS] still reads memory"),
        ('"read": (others, read[some])', '"read": (read[some], others)', "memory does not see the tokens instead"),
        ("cut = torch.isin(positions, queries)[:, None] &", "cut =", "everybody is cut off"),
        ("heads[slice(None) if block.head is None else block.head] = True", "heads[:] = True", "all heads are cut"),
        ("if block.layer in (None, layer)", "if True", "all layers are cut"),
        ("block.covers(self.segment)", "True", "all segments are cut"),
    ),
}

FAULTS = tuple(Fault(file, *rest) for file, faults in TABLE.items() for rest in faults)
