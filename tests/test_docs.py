"""The documentation: a page for each page of the app, links that lead somewhere, commands with options that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from rmt.__main__ import app
from rmt_viz.__main__ import COMMANDS
from rmt_viz.shelf import menu

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TEXTS = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.M | re.S)


@pytest.mark.parametrize("path", menu.ALL)
def test_every_page_of_the_app_has_a_page_with_pictures(path):
    entry, text = menu.ALL[path], (DOCS / "pages" / f"{path}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {entry.name}\n\n**{entry.question}**")
    assert re.findall(r"^## (.*)", text, re.M) == [
        "What you see", "What you can do", "What it claims, and how that is shown",
    ]  # fmt: skip
    assert f"](../pictures/{path}-light.webp)" in text
    assert all((DOCS / "pictures" / f"{path}-{theme}.webp").is_file() for theme in ("light", "dark"))
    assert f"| [{entry.name}]({path}.md) | {entry.question} |" in (DOCS / "pages" / "index.md").read_text()


def test_every_text_is_in_the_menu_of_the_site():
    def named(entry):
        return [entry] if isinstance(entry, str) else [path for each in entry.values() for path in listed(each)]

    def listed(entries):
        return [entries] if isinstance(entries, str) else [path for entry in entries for path in named(entry)]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    inside = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert {path for path in listed(site["nav"]) if not path.startswith("project/")} == inside


@pytest.mark.parametrize("path", TEXTS, ids=[str(path.relative_to(ROOT)) for path in TEXTS])
def test_every_link_leads_somewhere(path):
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)", place.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}, target


def commands():
    """Each line of a block that starts rmt or rmt-viz: (file, line)."""
    for path in TEXTS:
        for block in BLOCK.findall(path.read_text(encoding="utf-8")):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                found = re.match(r"\s*(?:\$ )?(?:env/bin/|python -m )?(rmt-viz|rmt) (.*)", line)
                if found:
                    yield pytest.param(found[1], found[2], id=f"{path.name}: {line.strip()[:70]}")


def known() -> dict[str, dict]:
    """The commands of each program: program -> name -> command; rmt-viz without a name is `view`."""
    viz = typer.Typer()
    for name, function in COMMANDS.items():
        viz.command(name)(function)
    return {name: typer.main.get_command(of).commands for name, of in (("rmt", app), ("rmt-viz", viz))}


@pytest.mark.parametrize(("program", "rest"), [*commands()])
def test_every_command_has_the_options_that_are_shown(program, rest):
    words = shlex.split(re.sub(r"[\[\]()|…]", " ", re.split(r"\s#|\s{4,}", rest)[0]))
    name = words[0] if program == "rmt" or (words[:1] and words[0] in COMMANDS) else "view"
    command = known()[program][name]
    flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= flags


def test_a_space_starts_what_the_dockerfile_serves():
    text = (DOCS / "how_to" / "share.md").read_text(encoding="utf-8")
    front = yaml.safe_load(re.search(r"---\n(.*?)---", text, re.S)[1])
    docker = (ROOT / "Dockerfile").read_text()
    assert front["sdk"] == "docker" and f"EXPOSE {front['app_port']}\n" in docker
    assert f'"--server.port", "{front["app_port"]}"' in docker and "--uid 1000 " in docker
    copied = " ".join(re.findall(r"^COPY (.*) \S+$", docker, re.M)).split()
    assert all((ROOT / name).exists() for name in copied)
    assert {"app.py", "frame.py", ".streamlit", "rmt", "rmt_viz", "assets", "requirements.txt"} <= set(copied)
