"""Benchmark on BABILong: qa1 to qa5 at lengths up to millions of tokens, beside scores that others report.

Tasks of ours that are told in the same way, open-words and chains, are scored alike.

python -m benchmarks.babilong assets/checkpoints/qa1 --tasks qa1 --tokens 4k 32k 128k 1M --samples 200 --json

The background is State of the Union addresses that training never saw, as they are: no sentence is left out.
Each row has its own number of samples and a 95 % interval; "never" rows ask about people or things that no
fact mentioned.
"""

import argparse
import json
import sys
from pathlib import Path

from rmt.checkpoint import load
from rmt.commands.evaluate import n_tokens
from rmt.errors import InputError
from rmt.evaluate import evaluate
from rmt.model.provenance import made_by
from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS
from rmt.tasks.distractor import documents
from rmt.tasks.official import official

# What others report, in %: by task and tokens. Read in the benchmark's repository and the authors' papers.
GEMINI = {
    "qa1": {"4k": 100, "32k": 77, "128k": 70, "512k": 61, "1M": 57},
    "qa2": {"4k": 84, "32k": 50, "128k": 31, "512k": 35, "1M": 28},
    "qa3": {"4k": 70, "32k": 30, "128k": 21, "512k": 21, "1M": 30},
    "qa4": {"4k": 97, "32k": 79, "128k": 62, "512k": 74, "1M": 71},
    "qa5": {"4k": 94, "32k": 82, "128k": 62, "512k": 67, "1M": 67},
}
OTHERS = [
    {
        "model": "Gemini 3 Flash (preview)", "parameters": None, "trained": "not on the task: prompted",
        "background": "books", "accuracy": GEMINI,
        "source": "predictions in BABILong's repository; 1,000 samples to 32k tokens, 100 beyond",
    },
    {
        "model": "RMT, GPT-2, 16 slots", "parameters": 137_000_000,
        "trained": "on the task, to 32 segments of 512 tokens", "background": "books",
        "accuracy": {"qa1": {"4k": 100, "32k": 95, "128k": 78}},
        "source": "the authors' table of results (Kuratov et al. 2024), by segments of 512",
    },
    {
        "model": "RMT, GPT-2, 32 slots", "parameters": 137_000_000,
        "trained": "on the task, to 32 segments of 512 tokens", "background": "books",
        "accuracy": {"qa1": {"4k": 100, "32k": 98, "128k": 92}},
        "source": "the authors' table of results (Kuratov et al. 2024), by segments of 512",
    },
    {
        "model": "ARMT, GPT-2", "parameters": 137_000_000, "trained": "on the task", "background": "books",
        "accuracy": {"qa1": {"50M": 79.9}}, "source": "Rodkin et al. 2024, arXiv 2407.04841, abstract",
    },
]  # fmt: skip


def words_per_token(model) -> float:
    """Words per token of held-out background: turns a length in tokens into a length in words."""
    text = " ".join(list(documents("eval").values())[:4])
    return len(text.split()) / len(model.tokenizer.encode(text, add_special_tokens=False).ids)


def main() -> None:
    """Score a checkpoint and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tasks", nargs="+", default=["qa1"], choices=[name for name in KINDS if name != "many-facts"])
    parser.add_argument("--tokens", nargs="+", default=["4k", "32k"])
    parser.add_argument("--samples", type=int, nargs="+", default=[200], help="one number, or one a length")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--controls", nargs="*", default=["reset"], help="controls scored at the first length")
    parser.add_argument("--babi", type=Path, help="a folder of official bAbI files to take the stories from")
    parser.add_argument("--split", default="test", choices=["test", "train"], help="which of these files")
    parser.add_argument(
        "--add", type=Path, help="a document printed before: its rows are kept where they have as many samples"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    try:
        _score(asked)
    except InputError as error:
        parser.error(str(error))


def _score(asked: argparse.Namespace) -> None:
    model = load(asked.checkpoint)
    stories = "ours" if not asked.babi else "official" if asked.split == "test" else "official, training file"
    samples = asked.samples * len(asked.tokens) if len(asked.samples) == 1 else asked.samples
    kept = json.loads(asked.add.read_text()) if asked.add else {"results": [], "made_by": {}}
    before = kept["made_by"].get(model.about.name, {}).get("fingerprint")
    if before not in (None, model.about.fingerprint):  # other weights under the same name
        kept["results"] = [row for row in kept["results"] if row["checkpoint"] != model.about.name]
    rows = kept["results"]
    for name in asked.tasks:
        task = official(name, asked.babi, split=asked.split) if asked.babi else TASKS[name]
        for at, (length, count) in enumerate(zip(asked.tokens, samples, strict=True)):
            segments = -(-n_tokens(length) // model.segment_length)
            kinds = [("none", False), ("none", True), *((control, False) for control in asked.controls if not at)]
            for control, never in kinds:
                if never and asked.babi:  # official questions are of what was told
                    continue
                about = {
                    "checkpoint": model.about.name, "task": name, "length": length, "never": never, "control": control,
                    "stories": stories,
                }  # fmt: skip
                same = [row for row in rows if about.items() <= row.items()]
                if any(row["samples"] >= count for row in same):
                    continue
                [row] = evaluate(
                    model, task=task, segments=[segments], samples=count, seed=asked.seed, control=control, never=never
                )
                rows[:] = [*(other for other in rows if other not in same), row | about]
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    command = "python -m benchmarks.babilong " + " ".join(sys.argv[1:])
    document = {
        "command": "; then ".join(filter(None, [kept.get("command"), command])),
        "made_by": {**kept["made_by"], model.about.name: made_by(model)},
        "background": "State of the Union addresses held out from training, as they are",
        "words_per_token": round(words_per_token(model), 3),
        "results": rows,
        "others": OTHERS,
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
