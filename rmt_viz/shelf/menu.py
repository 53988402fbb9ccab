"""The menu: every page by its question, with a line on what it shows; what names or links pages reads it here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A page in the menu. path: its address; name: what sentences and titles of windows call it."""

    path: str
    name: str
    question: str
    about: str

    @property
    def line(self) -> str:
        """The line under the question: the page's name and what it shows."""
        return f"{self.name}: {self.about}"

    @property
    def label(self) -> str:
        """The page in the menu, in Streamlit's Markdown: its question, and its line in small type."""
        return f"**{self.question}** :small[{self.line}]"


FIRST = Entry("experiment", "Experiment", "What crosses from segment to segment?", "edit a text, see its memory work")
SECTIONS = {
    "See": (
        Entry("watch", "Watch", "What happens in a segment?", "a recorded run, step by step: written, kept, read"),
        Entry("tour", "Tour", "How does it work?", "an essay in live pictures, for a hall too"),
        Entry("attention", "Attention", "What does each head do?", "whole maps of a segment, layer by layer"),
        Entry("memory", "Memory", "What does memory hold?", "each slot: where it is, how it moves, its nearest words"),
        Entry(
            "gallery",
            "Gallery",
            "Where is it right, where wrong?",
            "two hundred texts, failures first, each opens live",
        ),
        Entry("compare", "Compare", "How do two runs differ?", "two runs on one cursor and on the same scales"),
    ),
    "Understand": (
        Entry("facts", "Facts", "Are the facts still there?", "every fact asked for after every segment"),
        Entry("what-if", "What if", "Does memory cause the answer?", "change memory, text or attention, and compare"),
        Entry("why", "Why", "What made this answer?", "its path from words over slots; cut an edge, see it move"),
    ),
    "Measure": (
        Entry("loss", "Loss", "What does memory bring a language model?", "loss with it, without it, and of others"),
        Entry("capacity", "Capacity", "How much fits?", "facts held against facts told, by number of slots"),
        Entry("length", "Length", "How far does it hold?", "right answers by length, to thousands of segments"),
        Entry("cost", "Cost", "What does it cost?", "operations, time and memory beside full attention"),
        Entry("mechanisms", "Mechanisms", "How do others carry the past?", "one text through every mechanism"),
    ),
    "Make": (
        Entry("models", "Models", "Can I see my own model?", "open a checkpoint or a trace, record, watch"),
        Entry("train", "Train", "How does a model learn to remember?", "stages of training, and a small one live"),
    ),
}
ALL = {entry.path: entry for entry in (FIRST, *(entry for entries in SECTIONS.values() for entry in entries))}
MOVED = {"what_if": "what-if"}  # addresses that pages had once
