"""Every model class of the installed transformers that can be made tiny: does it load and agree, or is it refused?

A tiny model with random weights is saved as transformers saves it and opened as a stranger's folder. What loads must
give the stock model's logits (1e-5, relative to the greatest) and, with a fresh memory around it, the attention of
transformers' own eager layers (5e-4, in the float16 that traces keep). What does not load must be refused with a
sentence before it is called ready. Classes are tried in processes of their own, as some end their process; --keep is
the file of what is done, and a sweep goes on where it stopped.

More than 300 lines: the trial of one class, the sweep over all and the table are one command.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from benchmarks.common import arguments, report
from benchmarks.tiny_configs import LENGTH, no_cache, tiny_config

SLOTS = 3
LOGITS, MAPS = 1e-5, 5e-4
SECONDS = 120  # of a processor for one class: on a busy machine they may take an hour
LOOK = 5.0  # seconds between two looks at what it used
NO_MODEL = "no model"
REASONS = (  # of refusal, which hundreds of classes have in common: the summary counts these
    "an encoder and a decoder in two halves", "a model of several parts", "a part of a larger model or of another kind",
    "it reads pixel_values", "it reads input_features", "it reads input_values", "have no softmax attention",
    "no class that is run here",
)  # fmt: skip


def names() -> list[str]:
    """The model classes of the installed transformers, but for the bases that no checkpoint is of."""
    import transformers

    known = transformers._class_to_module
    ends = ("PreTrainedModel", "PretrainedModel", "Output")
    known = {n: m for n, m in known.items() if ".auto." not in m}
    return sorted(
        {n for n, m in known.items() if ".modeling_" in m and m.startswith("models.") and not n.endswith(ends)}
    )


def tokenizer(folder: Path, size: int) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    marks = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]"]
    words = {mark: i for i, mark in enumerate(marks)} | {f"w{i}": i for i in range(len(marks), size)}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.save(str(folder / "tokenizer.json"))


def try_class(name: str) -> dict:
    """What becomes of a class: {"name", "outcome", and why or how near}."""
    import transformers

    from rmt.errors import InputError

    try:
        cls = getattr(transformers, name)
    except Exception as error:  # a package of its own is not installed
        return {"name": name, "outcome": "not made tiny", "why": f"{type(error).__name__}: {str(error)[:160]}"}
    if not issubclass(cls, transformers.PreTrainedModel) or cls.config_class is None:
        return {"name": name, "outcome": NO_MODEL, "why": "a layer or a part without a configuration of its own"}
    try:
        config = tiny_config(cls)
        torch.manual_seed(0)
        stock = cls(config).eval()
        for parameter in stock.parameters():
            if parameter.dim() > 1 and parameter.is_floating_point():
                parameter.data.normal_(std=0.1)
    except Exception as error:
        return {"name": name, "outcome": "not made tiny", "why": f"{type(error).__name__}: {str(error)[:160]}"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        try:
            stock.save_pretrained(folder)
            stock = cls.from_pretrained(folder).eval()
        except Exception as error:
            return {
                "name": name,
                "outcome": "not saved and opened by transformers",
                "why": f"{type(error).__name__}: {error}"[:160],
            }
        tokenizer(folder, 60)
        family = config.model_type
        try:
            found = opened(folder, stock)
        except InputError as error:
            found = {"outcome": "refused", "why": str(error).replace(str(folder), "It").replace(place, "")}
        except Exception as error:
            import traceback

            at = traceback.extract_tb(error.__traceback__)
            ours = next((f for f in reversed(at) if "/rmt/" in f.filename), at[-1])
            where = f"{Path(ours.filename).name}:{ours.lineno}"
            found = {"outcome": "traceback", "why": f"{type(error).__name__}: {str(error)[:200]} ({where})"}
        return {"name": name, "family": family, **found}


@torch.no_grad()
def opened(folder: Path, stock) -> dict:
    """A folder opened by our program and held against the stock model it was saved from."""
    from rmt.backbone.families import RECURRENT_NETS
    from rmt.checkpoint import inspect, load
    from rmt.checkpoint.adapter import wrap
    from rmt.recorder import record

    net = getattr(stock.config, "model_type", None) in RECURRENT_NETS
    how = {"segment_length": LENGTH, "options": {"own_state": True} if net else None}
    told = inspect(folder, **how)
    if not told.details:
        return {"outcome": "refused", "why": " ".join([*told.missing, told.next])}
    model = load(folder, **how, device="cpu")
    ids = torch.arange(LENGTH)[None] * 3 % 52 + 6
    gap = logits_gap(model, stock, ids)
    if not gap <= LOGITS:
        return {"outcome": "disagrees", "why": f"off by {gap:.1e}", "logits": gap}
    found = {"logits": gap, "head": told.head, "details": told.details[-1]}
    document = ids[0].repeat(2)
    record(model, document, detail=told.details[-1])
    if not told.ready:
        outcome = f"agrees, {told.details[-1]} only" if told.wraps else "agrees, no memory fits"
        return {"outcome": outcome, "why": told.next, **found}
    if told.details[-1] == "memory":  # a recurrent net: it has a memory of its own, and no attention
        return {
            "outcome": "agrees, memory only",
            "why": "It is a recurrent net; with own_state=yes it is recorded at 'memory'.",
            **found,
        }
    wrapped = wrap(folder, n_memory=SLOTS, segment_length=LENGTH, device="cpu")
    trace = record(wrapped, document, detail="thin")
    gap = maps_gap(wrapped, trace, ids)
    if gap is None:
        return {"outcome": "agrees, eager gives no maps to compare", **found}
    if not gap <= MAPS:
        return {"outcome": "disagrees", "why": f"maps off by {gap:.1e}", **found, "maps": gap}
    return {"outcome": "agrees", **found, "maps": gap}


def logits_gap(model, stock, ids) -> float:
    """The greatest difference of our logits, or hidden states without a head, to the stock model's, to their
    greatest."""
    from rmt.text.segments import Segment

    backbone = model.backbone
    step, _ = model.cell.step(backbone, Segment(ids), model.cell.initial(1))
    if not backbone.causal:
        mark = [torch.full((1, 1), i) for i in (backbone.cls_id, backbone.sep_id)]
        ids = torch.cat([mark[0], mark[1], ids, mark[1]], dim=1)
    if backbone.head == "none":
        trunk = getattr(stock, stock.base_model_prefix, stock)
        ours, theirs = step.output.hidden, trunk(input_ids=ids, **no_cache(type(trunk))).last_hidden_state
    else:
        ours, output = step.logits, stock(input_ids=ids, **no_cache(type(stock)))
        theirs = getattr(output, "logits", None) if hasattr(output, "logits") else output.prediction_logits
        if backbone.head == "mlm":
            theirs = theirs[:, 2:-1]
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-9))


def maps_gap(model, trace, ids) -> float | None:
    """The greatest difference of the thin maps of the first segment to those of eager attention."""
    from rmt.memory.recurrent import decoder_input, encoder_input
    from rmt.text.segments import Segment

    backbone, state = model.backbone, model.cell.initial(1)
    if backbone.causal:
        x, layout, _ = decoder_input(backbone, Segment(ids), state, state)
    else:
        x, layout, _ = encoder_input(backbone, Segment(ids), state)
    trunk = backbone.trunk
    backbone.run_eagerly()
    options = {"use_cache": False} if backbone.causal else {}
    if backbone.takes_positions:
        options["position_ids"] = torch.arange(x.shape[1])[None] if backbone.causal else None
    layers = trunk(inputs_embeds=x, output_attentions=True, **options).attentions
    if not layers or any(a is None or a.dim() != 4 for a in layers):
        return None
    whole = torch.stack([a[0] for a in layers]).float()  # (L, H, N, N)
    read, write = torch.from_numpy(trace.arrays["read"][0]).float(), torch.from_numpy(trace.arrays["write"][0]).float()
    their_read = whole[:, :, layout.tokens, layout.read]
    their_write = whole[:, :, layout.write, layout.tokens]
    return float(max((read - their_read).abs().max(), (write - their_write).abs().max()))


def worker() -> None:
    """One class a line on standard input, what becomes of it a line on standard output."""
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        print(json.dumps(try_class(line.strip())), file=answers, flush=True)


def _answer(process: subprocess.Popen, answers) -> str:
    """The next line of a worker. Raises TimeoutError where it has ended or had its share of a processor."""
    from queue import Empty

    begun = _used(process)
    while True:
        try:
            return answers.get(timeout=LOOK)
        except Empty:
            if process.poll() is not None or _used(process) - begun > SECONDS:
                raise TimeoutError from None


def _used(process: subprocess.Popen) -> float:
    """Seconds of a processor that a process has had; of the clock where the system does not say."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def sweep(wanted: list[str], keep: Path) -> list[dict]:
    """What becomes of each, from the file of those done or anew; a class that ends its process is told so."""
    from queue import Queue
    from threading import Thread

    keep.parent.mkdir(parents=True, exist_ok=True)
    done = {row["name"]: row for row in map(json.loads, keep.read_text().splitlines())} if keep.is_file() else {}
    process, answers = None, Queue()

    def start():
        command = [sys.executable, "-m", "benchmarks.families", "--worker"]
        made = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        lines = Queue()
        Thread(target=lambda: [lines.put(line) for line in made.stdout], daemon=True).start()
        return made, lines

    with open(keep, "a") as file:
        for i, name in enumerate(n for n in wanted if n not in done):
            if process is None or i % 100 == 0:
                if process is not None:
                    process.kill()
                process, answers = start()
            try:
                process.stdin.write(name + "\n")
                process.stdin.flush()
                row = json.loads(_answer(process, answers))
            except (TimeoutError, BrokenPipeError, ValueError):
                process.kill()
                process, row = None, {"name": name, "outcome": "no answer", "why": "its process ended or took too long"}
            done[name] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
    if process is not None:
        process.kill()
    return [done[name] for name in wanted if name in done]


def markdown(rows: list[dict]) -> str:
    """The summary as tables: how many classes came to what, and what is said of those that are not recorded in full."""
    ends = ("ForCausalLM", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
    ends = (*ends, "ForPreTraining", "LMHeadModel")
    groups = {end: [row for row in rows if row["name"].endswith(end)] for end in ends}
    rows = [row for row in rows if row["outcome"] != NO_MODEL]
    groups["others"] = [row for row in rows if not row["name"].endswith(ends)]
    outcomes = [outcome for outcome, _ in Counter(row["outcome"] for row in rows).most_common()]
    lines = [f"| class | {' | '.join(outcomes)} |", f"|---|{'---:|' * len(outcomes)}"]
    for name, members in {**groups, "all": rows}.items():
        counts = Counter(row["outcome"] for row in members)
        lines.append(f"| {name} | {' | '.join(str(counts[outcome]) for outcome in outcomes)} |")
    near = [row for row in rows if row["outcome"].startswith("agrees")]
    logits, maps = (max((row.get(key, 0.0) for row in near), default=0.0) for key in ("logits", "maps"))
    lines += ["", f"Greatest gap of logits {logits:.1e}, of thin maps {maps:.1e}.", ""]
    reasons = {row["name"]: reason for row in rows for reason in REASONS if reason in row.get("why", "")}
    lines += ["| refused, as it is | classes |", "|---|---:|"]
    lines += [f"| {reason} | {count} |" for reason, count in Counter(reasons.values()).most_common()]
    lines += ["", "| class | what is said |", "|---|---|"]
    for row in rows:
        if row["outcome"] not in ("agrees", "not made tiny") and row["name"] not in reasons:
            said = row.get("why", "").replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {row['name']} | {row['outcome']}: {said} |")
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:] == ["--worker"]:
        worker()
        return
    options = arguments(__doc__, keep="runs/families.jsonl", only="", markdown=0)
    found = sweep([name for name in names() if options.only in name], Path(options.keep))
    summary = dict(Counter(row["outcome"] for row in found).most_common())
    if options.markdown:
        print(markdown(found))
        return
    if not options.json:
        for row in found:
            print(f"{row['outcome']:24} {row['name']:48} {row.get('why', '')}")
        print(summary)
        return
    report(found, True, summary=summary, tolerance={"logits": LOGITS, "maps": MAPS})


if __name__ == "__main__":
    main()
