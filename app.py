"""The app: `streamlit run app.py` starts it. frame.py, the script behind every page, holds the list of pages."""

import gc
import logging
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from rmt.files import sweep
from rmt_viz.server import experiment, log, routes, sockets
from rmt_viz.server.headers import SafeHeaders
from rmt_viz.widgets.errors import show_error

LOG = logging.getLogger("rmt_viz")
SWITCH = 0.001  # seconds of Python after which another thread may go on; an answer waits for several of them


@asynccontextmanager
async def lifespan(app):
    """Open the first trace before the first visitor comes, then exclude from garbage collection what will stay.

    Why the collector is frozen: see .streamlit/config.toml.
    """
    from rmt.viewer import slices
    from rmt_viz import session
    from rmt_viz.pages import watch  # noqa: F401

    log.begin()
    sys.setswitchinterval(SWITCH)
    left = sweep()
    if left:
        LOG.info("deleted %d temporary folders of servers that were killed", left)
    for name in session.library().names()[:1]:
        try:
            slices.overview(session.library().open(name))
        except Exception as error:  # one damaged file: its page says so, and the server starts all the same
            LOG.warning("the first trace, %s, cannot be opened: %s", name, error)
    gc.collect()
    gc.freeze()
    host, port, base = (st.get_option(f"server.{name}") for name in ("address", "port", "baseUrlPath"))
    print(f"RMT Viz is at http://{host or 'localhost'}:{port}/{base.strip('/')}", flush=True)
    sockets.send_at_once(port)
    LOG.info("ready")
    yield {}
    LOG.info("ending")


app = st.App(
    Path(__file__).parent / "frame.py",
    lifespan=lifespan,
    routes=routes.under(st.get_option("server.baseUrlPath"), [*routes.ROUTES, *experiment.ROUTES]),
    middleware=[Middleware(SafeHeaders)],
    on_script_error=show_error,
)
