"""An app whose runs are hostile in all that they say: tokens, classes, people and the name of their checkpoint."""

from contextlib import contextmanager
from pathlib import Path

NAME = "<img src=x onerror='window.hacked = 3'>"
WORDS = [
    " </script><svg onload='window.hacked = 4'>",
    " <script>window.hacked = 1</script>",
    " $a$ :red[b] **c** [d](javascript:alert(1))",
    " [](http://example.com)",
    " \u0000\u001b[31m",
    " \u202eright to left",
    " \u2066\u05d0",
    " &lt;b&gt;",
    " 💾",
    f" {NAME}",
]
CLASSES = ["<b>bold</b>", "**c**", "[d](javascript:alert(1))", NAME]
PEOPLE = (NAME, "**John**", ":red[b]")


@contextmanager
def hostile_app(assets: Path, shipped: Path, write_trace, serving):
    """Write the runs strange and letter, the latter of a language model, and serve them; yields the address."""
    (assets / "traces").mkdir()
    for name in ("checkpoints", "what_if", "results"):
        (assets / name).symlink_to(shipped / name, target_is_directory=True)
    same = {"tokens": WORDS, "checkpoint": NAME}
    told = {"people": PEOPLE, "classes": CLASSES}
    letter = {"classes": [], "question": False, "label": None, "fact": None}
    for control in (None, "reset", "untrained"):
        end = f"{f'.{control}' if control else ''}.trace.safetensors"
        write_trace(assets / "traces" / f"strange{end}", control=control, **same, **told)
        write_trace(
            assets / "traces" / f"letter{end}", control=control, loss=0.5 if control else True, **same, **letter
        )
    with serving(assets, assets / "log") as (address, _):
        yield address
