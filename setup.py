"""Computed parts of the package's metadata: what it needs, its extras, and where the wheel's files come from.

requirements*.txt hold the versions that are tested. The wheel asks for less, so that it goes into an environment that
is there already: from the oldest version tested (requirements-oldest.txt, else the one pinned) to the next major one.
"""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

APP = ("plotly", "streamlit")  # what the app needs beyond the engine
# Checkpoints in the wheel: those that made the bundled runs and the first page. The others come with the repository, as
# does a run of 64 segments with the maps of each head, which takes 3 MB.
CHECKPOINTS = (
    "detect", "lm-rmt", "many-facts-16", "many-facts-8", "memorize", "open-words", "qa1", "qa1-gated", "qa2", "qa3",
    "qa4", "qa5", "reasoning",
)  # fmt: skip


def pins(file: str) -> dict[str, str]:
    """The packages of a requirements file: name -> the version that is pinned there."""
    lines = [line.partition("#")[0].strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if "==" in line)


def ranges(file: str) -> dict[str, str]:
    """The packages of a requirements file: name -> a requirement, from the oldest tested version on."""
    oldest = pins("requirements-oldest.txt")
    return {
        name: f"{name}>={oldest.get(name, version)},<{int(version.split('.')[0]) + 1}"
        for name, version in pins(file).items()
    }


class Build(build_py):
    """The copying of modules into the wheel; this file is beside app.py, and no module."""

    def find_package_modules(self, package, package_dir):
        return [module for module in super().find_package_modules(package, package_dir) if module[1] != "setup"]


needed = ranges("requirements.txt")
app = [needed.pop(name) for name in APP]
setup(
    cmdclass={"build_py": Build},
    packages=[*find_packages(include=["rmt*", "rmt_viz*"]), "rmt_viz.app", "rmt_viz.assets"],
    package_dir={"rmt_viz.app": ".", "rmt_viz.assets": "assets"},  # app.py and frame.py, and what they show
    package_data={
        "rmt.viewer": ["static/*"],
        "rmt_viz.components": ["*.js", "*.css"],
        "rmt_viz.site": ["index.html", "*.js", "*.css"],
        "rmt_viz.app": [".streamlit/config.toml"],
        "rmt_viz.assets": [
            "results/*.json",
            "traces/*.safetensors",
            "what_if/*.safetensors",
            *(f"checkpoints/{name}/*" for name in CHECKPOINTS),
        ],
    },
    exclude_package_data={"rmt_viz.assets": ["traces/detect-64.*"]},
    install_requires=[*needed.values()],
    extras_require={
        "viz": app,
        "notebook": [*ranges("requirements-notebook.txt").values()],
        "pretrained": [f"{name}=={version}" for name, version in pins("requirements-pretrained.txt").items()],
        "dev": [*app, *ranges("requirements-notebook.txt").values(), *ranges("requirements-dev.txt").values()],
    },
)
