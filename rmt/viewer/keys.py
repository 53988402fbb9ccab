"""The keys of the app: one table, from which the handlers and the help are made."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Key:
    """One key: its name in browsers, its label, the surface's action, and the help text."""

    key: str
    shown: str
    action: str
    help: str


KEYS = (
    Key("ArrowLeft", "←", "previous", "one segment back"),
    Key("ArrowRight", "→", "next", "one segment on"),
    Key("Home", "Home", "first", "the first segment"),
    Key("End", "End", "last", "the last segment"),
    Key(" ", "Space", "play", "play, or stop"),
    Key("1", "1", "beat1", "the first beat, such as the write of a fact"),
    Key("2", "2", "beat2", "the second beat"),
    Key("3", "3", "beat3", "the third beat"),
    Key("4", "4", "beat4", "the fourth beat"),
    Key("w", "W", "who", "ask about the next person, where several can be asked for"),
    Key("Escape", "Esc", "unpin", "let go of what is pinned"),
    Key("?", "?", "help", "this list"),
)


def table() -> list[dict]:
    """The table as a list of dicts, for the surface."""
    return [asdict(key) for key in KEYS]
