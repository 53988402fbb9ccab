"""The command `rmt-viz`: open the app on the bundled runs, on a folder of traces or on one trace, from any folder."""

import importlib.util
import os
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.console import Console
from typer.exceptions import TyperException

from rmt.errors import InputError

HERE = Path(__file__).parent
READY = "RMT Viz is at "  # how the line begins in which app.py says its address
console = Console(stderr=True)


def view(
    trace: Annotated[Path | None, typer.Argument(help="A trace to open.", show_default=False)] = None,
    runs: Annotated[Path | None, typer.Option(help="A folder of traces, listed before the bundled ones.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="By default 8501, or the next free one.")] = None,
    address: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 for all of the network.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open a browser on it.")] = True,
) -> None:
    """Open the app in a browser. Other commands: rmt-viz export-site --help."""
    if trace and runs:
        raise InputError("Give a trace or --runs with a folder, not both.")
    _check_app()
    path = _path(trace, runs)
    command = [sys.executable, "-m", "streamlit", "run", str(_script()), "--server.headless", "true"]
    command += ["--server.address", address] + (["--server.port", str(port)] if port else [])
    environment = os.environ | ({"RMT_VIZ_TRACES": str((trace or runs).resolve())} if trace or runs else {})
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the server ends with this command
    try:
        for line in process.stdout:
            if line.startswith(READY):
                line = f"{line.strip().rstrip('/')}{path}\n"
                if browser:
                    webbrowser.open(line.removeprefix(READY).strip())
            print(line, end="", flush=True)
        sys.exit(process.wait())
    except KeyboardInterrupt:
        process.wait()
    finally:
        process.terminate()


def _path(trace: Path | None, runs: Path | None) -> str:
    """The address of the first page. Raises InputError where there is nothing to show."""
    from rmt.trace import Trace
    from rmt_viz.shelf.library import Library, own_traces

    if not (trace or runs):
        return "/"
    if trace:
        Trace.open(trace).check_text()
    elif not runs.is_dir():
        raise InputError(f"There is no folder {runs}; give one with traces in it.")
    elif not own_traces(runs):
        raise InputError(f"{runs} holds no trace (*.trace.safetensors); rmt record makes one.")
    return f"/watch?{urlencode({'trace': Library(own=trace or runs).names()[0]})}"


def _script() -> Path:
    """app.py: beside this package in a checkout, inside it where the package is installed."""
    installed = HERE / "app" / "app.py"
    return installed if installed.is_file() else HERE.parent / "app.py"


def _check_app() -> None:
    missing = [name for name in ("streamlit", "plotly") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"The app needs {' and '.join(missing)}; install them: pip install 'rmt-viz[viz]'.")


def export_site(
    folder: Annotated[Path, typer.Argument(help="Where the site goes: a new folder.", show_default=False)],
    run: Annotated[list[str] | None, typer.Option(help="A run by its name; more than once. By default all.")] = None,
    runs: Annotated[Path | None, typer.Option(help="A folder of your own traces, beside the bundled ones.")] = None,
    whole_maps: Annotated[bool, typer.Option(help="Replay segments for their whole attention maps.")] = True,
) -> None:
    """Write chosen runs as a static site that any web server serves, with no Python behind it."""
    from rmt.commands.common import bar
    from rmt_viz.shelf.library import Library
    from rmt_viz.site.export import export_site as write

    if runs and not runs.is_dir():
        raise InputError(f"There is no folder {runs}; give one with traces in it.")
    with bar("writing", "runs") as update:
        size = write(folder, Library(own=runs), run, whole_maps=whole_maps, progress=update)
    print(f"The site is in {folder} ({size / 1e6:.1f} MB). To look at it: python -m http.server --directory {folder}")


COMMANDS = {"view": view, "export-site": export_site}


def main() -> None:
    """Run a command, by default `view`; an error in its input ends with one sentence and exit code 2."""
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and arguments[0] in COMMANDS else "view"
    app = typer.Typer(add_completion=False)
    app.command()(COMMANDS[name])
    try:
        sys.exit(app(arguments, standalone_mode=False, prog_name="rmt-viz" if name == "view" else f"rmt-viz {name}"))
    except InputError as error:
        sentence = str(error)
    except TyperException as error:
        sentence = f"{error.format_message().rstrip('.')}. See rmt-viz --help."
    except OSError as error:
        sentence = f"{error.filename or 'A file'} cannot be used: {error.strerror or error}."
    except typer.Abort:
        sys.exit(130)
    console.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
