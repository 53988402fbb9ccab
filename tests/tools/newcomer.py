"""A newcomer's way, tried and timed: from an empty folder to a checkpoint's memory on the screen in five commands.

python tests/tools/newcomer.py [--log FILE] [--picture FILE.png] builds the wheel, then runs the commands in an empty
folder with an empty home and nothing of this checkout but the wheel, a checkpoint that the wheel does not hold and a
text. The picture is taken by a Chromium from outside. --debian FOLDER runs them in a Debian of its own there, as slim
as its container images are, by a user without rights; debootstrap makes it where the folder is empty (as root, Linux).
"""

import argparse
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from try_package import READY, ROOT, TORCH, build, environment

CHECKPOINT = ROOT / "assets" / "checkpoints" / "detect-long"  # stands for one's own; the wheel does not hold it
OTHER = """The committee met again in the morning, heard eleven witnesses, and adjourned without a vote; the newspapers
called it a disgrace and then spoke of other things. Ships came in, ships went out, and the harbour was quiet for the
rest of the week. It rained all night in the valley.
"""
TEXT = f"Mary went to the garden. {20 * OTHER}Where is Mary?"  # some segments of this checkpoint
SUITE, PACKAGES = "bookworm", "python3,python3-venv"  # what a newcomer's Debian is, and what is installed there by apt
USER = "newcomer"
NETWORK = ("/etc/resolv.conf", "/etc/hosts")


class Here:
    """An empty folder with an empty home on this machine."""

    def __init__(self, folder: Path):
        self.home = folder / "home"
        self.folder = self.seen = folder / "here"  # seen: where this machine has it
        self.home.mkdir()

    def command(self, line: str) -> list[str]:
        """A command line as it is started for the newcomer."""
        settings = environment() | {"HOME": str(self.home)}
        settings.pop("OMP_NUM_THREADS")
        words = [f"{name}={value}" for name, value in settings.items()]
        return ["env", "-i", *words, "bash", "-c", f"cd {shlex.quote(str(self.folder))} && {line}"]

    def about(self) -> str:
        return "an empty folder"

    def give(self) -> None:
        """What was put into the folder is the newcomer's from here on."""

    def close(self) -> None:
        """Nothing is left behind: the folder is a temporary one."""


class Debian(Here):
    """An empty home in a Debian of its own: its files are in a folder, its network is this machine's."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        if not (self.root / "usr" / "bin" / "python3").exists():
            began = time.monotonic()
            subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(self.root)], check=True
            )
            print(f"made a Debian in {time.monotonic() - began:.0f} s")
        self._chroot("userdel", "--remove", USER, check=False)
        self._chroot("useradd", "--create-home", USER)
        self.home, self.folder = Path("/home", USER), Path("/home", USER, "here")
        self.seen = self.root / "home" / USER / "here"
        self._copied([*NETWORK, *(os.environ[name] for name in ("PIP_CERT", "PIP_FIND_LINKS") if name in os.environ)])
        subprocess.run(["mount", "-t", "proc", "proc", self.root / "proc"], check=True)

    def _chroot(self, *command: str, check: bool = True) -> None:
        subprocess.run(["chroot", self.root, *command], check=check, capture_output=not check)

    def _copied(self, paths: list[str]) -> None:
        """Copy what pip is told of on this machine, and how to reach the network."""
        for path in filter(os.path.exists, paths):
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(path, place, dirs_exist_ok=True) if os.path.isdir(path) else shutil.copy(path, place)

    def give(self) -> None:
        self._chroot("chown", "-R", f"{USER}:{USER}", str(self.folder))

    def command(self, line: str) -> list[str]:
        return ["chroot", f"--userspec={USER}:{USER}", str(self.root), *super().command(line)]

    def about(self) -> str:
        version = (self.root / "etc" / "debian_version").read_text().strip()
        return f"a bare Debian {version} (debootstrap, minbase, {PACKAGES.replace(',', ' and ')})"

    def close(self) -> None:
        subprocess.run(["umount", self.root / "proc"], check=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--debian", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rmt-viz-newcomer-") as name:
        wheel = build(Path(name))
        place = Debian(arguments.debian) if arguments.debian else Here(Path(name))
        try:
            lines = tried(place, wheel, arguments.picture)
        finally:
            place.close()
    if arguments.log:
        arguments.log.write_text("\n".join(lines) + "\n")


def tried(place: Here, wheel: Path, picture: Path | None) -> list[str]:
    """Run the five commands; the log."""
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    shutil.copytree(CHECKPOINT, place.seen / "my-checkpoint")
    (place.seen / "letter.txt").write_text(TEXT)
    shutil.copy(wheel, place.seen)
    place.give()
    commands = [
        "python3 -m venv env",
        f"env/bin/pip install {TORCH} './{wheel.name}[viz]'",
        "env/bin/rmt inspect my-checkpoint",
        "env/bin/rmt record my-checkpoint --text-file letter.txt --detail thin --out letter.trace.safetensors",
    ]
    say(f"# in {place.about()}, with nothing but {wheel.name}, my-checkpoint/ and letter.txt")
    total = 0.0
    for command in commands:
        began, worked = time.monotonic(), _work()
        done = subprocess.run(place.command(command), capture_output=True, text=True)
        total += time.monotonic() - began
        spent = f"{time.monotonic() - began:.0f} s, of which {_work() - worked:.0f} at work"
        say(f"$ {command}\n{_short(done.stdout + done.stderr)}\n# {spent}")
        if done.returncode:
            sys.exit(done.returncode)
    command, began = "env/bin/rmt-viz letter.trace.safetensors", time.monotonic()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen(place.command(f"exec {command} --no-browser"), **pipes)
    try:
        line = next(line for line in process.stdout if line.startswith(READY))
        sentence = look(line.removeprefix(READY).strip(), picture)
        total += time.monotonic() - began
        say(f"$ {command}\n{line.strip()}\n# {time.monotonic() - began:.0f} s until the page is drawn: “{sentence}”")
    finally:
        process.terminate()
        process.wait(30)
    say(f"# {total:.0f} s in all, on {os.cpu_count()} cores under a load of {os.getloadavg()[1]:.0f}")
    return lines


def look(address: str, picture: Path | None) -> str:
    """What the page says of the segment that it opens on."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(address)
        page.locator(".surface[data-drawn]").wait_for(timeout=120_000)
        sentence = page.locator(".sentence").first.inner_text()
        if picture:
            page.wait_for_timeout(1000)
            page.screenshot(path=picture)
        browser.close()
    return sentence


def _work() -> float:
    """Seconds that commands which have ended were at work on a core: on a busy machine they wait longer than that."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _short(text: str) -> str:
    """The first and last lines of an output."""
    lines = [line[:160] for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= 12 else [*lines[:4], "…", *lines[-6:]])


if __name__ == "__main__":
    main()
