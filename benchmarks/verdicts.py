"""Verdicts of a check of a device: one a line, PASS, FAIL, SKIP or FIGURE, printed as soon as it is known."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

MARK = "@verdict "  # begins a line of a part's output that is a verdict; what else it prints is for the log
BROKEN = ("CUDA error", "AcceleratorError", "device-side assert")  # after one of these a process can compute no more


class SkipError(Exception):
    """Raised by a check that cannot be tried here, with the reason."""


@dataclass
class Verdicts:
    """The verdicts of one part of the checks. seconds: how long the part may take."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.began)

    def say(self, verdict: str, what: str, **figures) -> None:
        """Print a verdict."""
        line = {"verdict": verdict, "what": what, **{key: _short(value) for key, value in figures.items()}}
        print(MARK + json.dumps(line), flush=True)

    def each(self, what: str, check: Callable, *args) -> None:
        """Run a check and print its verdict. It returns (holds, figures); holds None is a figure without a bound."""
        if self.left < 0:
            self.say("SKIP", what, why="no time was left")
            return
        try:
            holds, figures = check(*args)
        except SkipError as error:
            self.say("SKIP", what, why=str(error))
            return
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.say("FAIL", what, why=f"{type(error).__name__}: {error}"[:300])
            if any(mark in f"{type(error).__name__} {error}" for mark in BROKEN):
                raise SystemExit("the device's context is lost, so the rest of this part cannot run") from None
            return
        self.say("FIGURE" if holds is None else "PASS" if holds else "FAIL", what, **figures)


def readable(number: int, line: dict) -> str:
    """A verdict as a line for people."""
    rest = {k: v for k, v in line.items() if k not in ("verdict", "what", "detail") and v not in ([], {})}
    return f"{line['verdict']:6} {number} {line['what']}" + "".join(f"  {k} {_words(v)}" for k, v in rest.items())


def _short(value):
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, (list, tuple)) else value


def _words(value) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_words(one)}" for key, one in value.items())
    return ", ".join(map(_words, value)) if isinstance(value, list) else str(value)
