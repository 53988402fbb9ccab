"""Parts of the Tour: its steps as records, and a step as data for the browser, made from what is bundled."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from rmt.errors import InputError
from rmt.trace import Trace
from rmt.viewer import slices
from rmt.viewer.slices import Run
from rmt_viz.findings.evidence import Table
from rmt_viz.findings.tour_charts import Chart
from rmt_viz.shelf import bundled_causes, experiment, menu
from rmt_viz.shelf.results import Results

SYMBOLS = {  # a symbol of the equations: how it is written, what stands below it, its block, and what it is in words
    "m-": ("m", "s−1", "memory", "the memory before segment s: M vectors of D numbers"),
    "x": ("x", "s", "tokens", "the tokens of segment s"),
    "x~": ("x̃", "s", "input", "what the model reads: memory and tokens side by side"),
    "T": ("Transformer", "", "model", "the same layers with the same weights for every segment"),
    "m": ("m", "s", "next", "the memory after segment s, which the next segment gets"),
    "h": ("h", "s", "output", "what the layers make of the tokens"),
    "head": ("answer", "", "answer", "read from the last segment only"),
    "m0": ("m", "0", "memory", "the initial memory, learned in training and the same for every text"),
}


@dataclass(frozen=True)
class Sources:
    """Where the numbers of the Tour come from. open: id -> run, result: name -> table; both raise InputError."""

    open: Callable[[str], Run]
    result: Callable[[str], Results]

    def run(self, id: str) -> Run | None:
        """The run of an id, None where there is none."""
        with suppress(InputError):
            return self.open(id)

    def changed(self, id: str) -> Run | None:
        """The run of an id with a fact of its text changed, None where none is bundled."""
        path = bundled_causes.EXAMPLES / f"{id}.trace.safetensors"
        return _changed(id, path, path.stat().st_mtime_ns) if path.is_file() else None

    def facts(self, name: str) -> dict:
        """What was counted of facts over many runs of a checkpoint. Raises InputError where nothing was."""
        found = bundled_causes.bundled("facts", name)
        if not found:
            raise InputError(f"There is no assets/results/facts.{name}.json yet; python -m rmt facts makes it.")
        return found


@lru_cache(maxsize=8)
def _changed(id: str, path: Path, stamp: int) -> Run:
    return Run(f"{id}-changed", Trace.open(path), "recorded")


@dataclass(frozen=True)
class Question:
    """A question for the visitor to guess. right: index of the right choice; told: what the run shows."""

    text: str
    choices: Sequence[str]
    right: int
    told: str


@dataclass(frozen=True)
class Surface:
    """A figure: a run on the stepping surface. beat: the kind of beat whose segment is shown, or "last".

    cards: of the surface; the first one stays in a presentation. claim and evidence get the sources, the run and its
    segment.
    """

    trace: str
    beat: str
    cards: Sequence[str]
    look: str
    claim: Callable[[Sources, Run, int], str]
    evidence: Callable[[Sources, Run, int], Table] | None = None
    ask: Callable[[Run, int], Question] | None = None
    colour: str = "write"


@dataclass(frozen=True)
class Passage:
    """A figure: the slots of the front page's text on their way to the answer, with its three switches."""

    look: str


@dataclass(frozen=True)
class Charts:
    """A figure: lines drawn from tables of results. draw gives the sentence that they show, and the charts."""

    draw: Callable[[Sources], tuple[str, Sequence[Chart]]]
    look: str


@dataclass(frozen=True)
class Step:
    """A step of the Tour. slug: its name in the address; links: pages where more is to be seen.

    text: paragraphs, each a string or a function of the sources.
    """

    slug: str
    title: str
    text: Sequence[str | Callable[[Sources], str]]
    figure: Surface | Passage | Charts
    equations: Sequence[Sequence[str]] = ()
    links: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A part of the Tour: a name in the table of contents, and its steps."""

    title: str
    steps: Sequence[Step] = field(default_factory=tuple)


def at(figure: Surface, run: Run) -> int:
    """The segment of a figure, counted from 0."""
    return next((beat.segment for beat in run.measures.beats if beat.kind == figure.beat), run.trace.done - 1)


def laid_out(section: str, step: Step, sources: Sources) -> dict:
    """A step as data for the browser; where what its figure shows is missing, a sentence stands in its place."""
    data = {
        "slug": step.slug,
        "section": section,
        "title": step.title,
        "text": [_told(part, sources) for part in step.text],
        "equations": [symbols(line) for line in step.equations],
        "links": [[path, menu.ALL[path].question, menu.ALL[path].name] for path in step.links],
        "look": step.figure.look,
    }
    try:
        return {**data, **FIGURES[type(step.figure)](step.figure, sources)}
    except InputError as error:
        return {**data, "kind": "missing", "claim": f"{error} So there is no picture here."}


def _told(part: str | Callable[[Sources], str], sources: Sources) -> str:
    if isinstance(part, str):
        return part
    try:
        return part(sources)
    except InputError as error:
        return str(error)


def _surface(figure: Surface, sources: Sources) -> dict:
    try:
        run = sources.open(figure.trace)
    except InputError:
        raise InputError(f"The run {figure.trace} is not among the recorded ones.") from None
    s, colours = at(figure, run), slices.colours(run, None)
    name, _, control = figure.trace.partition(".")
    evidence = figure.evidence(sources, run, s) if figure.evidence else None
    return {
        "kind": "run",
        "claim": figure.claim(sources, run, s),
        "evidence": asdict(evidence) if evidence else None,
        "question": asdict(figure.ask(run, s)) if figure.ask else None,
        "run": run.id,
        "cards": figure.cards,
        "view": {"segment": s + 1, "colour": figure.colour if figure.colour in colours else None},
        "colours": colours,
        "watch": {"trace": name, "control": control or None, "segment": s + 1, "colour": figure.colour},
    }


def _passage(figure: Passage, sources: Sources) -> dict:
    read = (experiment.bundled() or {}).get("trained")
    if not read:
        raise InputError("What the first page’s text gives is not bundled; python -m rmt_viz.work.experiment makes it.")
    claim = read["says"]["memory"][0]
    return {"kind": "passage", "claim": claim, "result": {k: v for k, v in read.items() if k != "moments"}}


def _charts(figure: Charts, sources: Sources) -> dict:
    claim, charts = figure.draw(sources)
    return {"kind": "charts", "claim": f"{claim}.", "charts": [asdict(chart) for chart in charts]}


FIGURES = {Surface: _surface, Passage: _passage, Charts: _charts}


def symbols(line: Sequence[str]) -> list[dict]:
    """The parts of an equation: plain text, or a symbol with its subscript, its block in the drawing, its meaning."""
    parts = []
    for name in line:
        text, below, block, meaning = SYMBOLS.get(name, (name, "", "", ""))
        parts.append({"text": text, "below": below, "block": block, "meaning": meaning})
    return parts
