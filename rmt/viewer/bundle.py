"""The stepping surface's JavaScript modules joined into one, for Streamlit, an HTML file and a notebook."""

import re
from pathlib import Path

HERE = Path(__file__).parent / "static"
MODULES = (  # each after those it imports
    "dom.js",
    "theme.js",
    "draw.js",
    "panel.js",
    "people.js",
    "spine.js",
    "ends.js",
    "tokens.js",
    "slots.js",
    "answers.js",
    "heads.js",
    "maps.js",
    "blocks.js",
    "attention.js",
    "retrieved.js",
    "moves.js",
    "paths.js",
    "strips.js",
    "distances.js",
    "likeness.js",
    "words.js",
    "changed.js",
    "curves.js",
    "affected.js",
    "pages.js",
    "beside.js",
    "overlay.js",
    "fonts.js",
    "export.js",
    "toolbar.js",
    "actions.js",
    "surface.js",
)
IMPORT = re.compile(r"^import (\{[^}]*\}) from \"\./([a-z]+)\.js\"", re.MULTILINE)
FACT_HUE = re.compile(r"--fact-\d: light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
EXPORT = re.compile(r"^export ((?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


def script(*files: str | Path) -> str:
    """Join modules in order, each in a scope of its own; the last one keeps its export default.

    files: names in static/, or paths of modules from elsewhere that import these.
    """
    *parts, last = map(read, files)
    scopes = [_scope(Path(file).name, _imports(text)) for file, text in zip(files, parts, strict=False)]
    return "\n".join([*scopes, _imports(last)])


def _imports(text: str) -> str:
    return IMPORT.sub(r"const \1 = \2_js", text)


def _scope(name: str, text: str) -> str:
    exported = ", ".join(match[2] for match in EXPORT.finditer(text))
    body = EXPORT.sub(lambda match: match[1], text)
    return f"const {name.removesuffix('.js')}_js = (() => {{\n{body}\nreturn {{ {exported} }}\n}})()"


def style() -> str:
    return read("surface.css")


def fact_hues() -> dict[str, list[str]]:
    """The hues of facts as facts.css has them, for what takes no CSS: theme -> "#rrggbb" of each."""
    pairs = FACT_HUE.findall(read("facts.css"))
    return {theme: list(hues) for theme, hues in zip(("light", "dark"), zip(*pairs, strict=True), strict=True)}


def read(file: str | Path) -> str:
    """Read a file of static/, or one by its path."""
    return (HERE / file).read_text()
