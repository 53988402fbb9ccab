"""Hooks of mkdocs: files beside docs/ become part of the site, and links to them stay right.

Links are written for the repository, where docs/guide.md says ../SECURITY.md and README.md says docs/guide.md.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
PROJECT = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]*pictures/[^)\s]*)-light\.webp\)")
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Add the project's own pages, the checkpoints' READMEs and the pictures of assets/."""
    for name in PROJECT:
        files.append(File.generated(config, f"project/{name}", content=(ROOT / name).read_text(encoding="utf-8")))
    for path in sorted((ROOT / "assets" / "checkpoints").glob("*/README.md")):
        name = f"project/checkpoints/{path.parent.name}.md"
        files.append(File.generated(config, name, content=path.read_text(encoding="utf-8")))
    for path in sorted((ROOT / "assets").glob("*.png")):
        files.append(File.generated(config, f"assets/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links for the repository into links of the site; a link to a folder or to code becomes its text."""
    here = page.file.src_uri
    in_repository = here.removeprefix("project/") if here.startswith("project/") else f"docs/{here}"
    if here.startswith("project/checkpoints/"):
        in_repository = f"assets/checkpoints/{Path(here).stem}/README.md"

    def turned(match):
        label, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), target))
        place = _place(path)
        if place is None:
            if not (ROOT / path).exists():
                return match[0]  # mkdocs says that it leads nowhere
            return label.strip("[]")
        return f"{label}({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"

    return LINK.sub(turned, PICTURE.sub(_both, markdown))


def _both(match: re.Match) -> str:
    """A picture of the app in the theme that the reader has, where a file says the light one."""
    label, path = match[1], match[2]
    return "\n".join(f"![{label}]({path}-{theme}.webp#only-{theme})" for theme in ("light", "dark"))


def _place(path: str) -> str | None:
    """Where a file of the repository is on the site; None where it is not."""
    checkpoint = re.fullmatch(r"assets/checkpoints/([^/]+)/README\.md", path)
    if checkpoint:
        return f"project/checkpoints/{checkpoint[1]}.md"
    if path in PROJECT:
        return f"project/{path}"
    if re.fullmatch(r"assets/[^/]+\.png", path):
        return path
    if path.startswith("docs/") and path.endswith((".md", ".webp")) and (ROOT / path).is_file():
        return path.removeprefix("docs/")
    return None
