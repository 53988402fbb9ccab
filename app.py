"""The app: `streamlit run app.py` starts it. frame.py, the script behind every page, holds the list of pages."""

import gc
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from rmt_viz.server import experiment, routes
from rmt_viz.server.headers import SafeHeaders
from rmt_viz.widgets.errors import show_error


@asynccontextmanager
async def lifespan(app):
    """Open the first trace before the first visitor comes, then exclude from garbage collection what will stay.

    Why the collector is frozen: see .streamlit/config.toml.
    """
    from rmt.viewer import slices
    from rmt_viz import session
    from rmt_viz.pages import watch  # noqa: F401

    for name in session.library().names()[:1]:
        slices.overview(session.library().open(name))
    gc.collect()
    gc.freeze()
    host, port, base = (st.get_option(f"server.{name}") for name in ("address", "port", "baseUrlPath"))
    print(f"RMT Viz is at http://{host or 'localhost'}:{port}/{base.strip('/')}", flush=True)
    yield {}


app = st.App(
    Path(__file__).parent / "frame.py",
    lifespan=lifespan,
    routes=[*routes.ROUTES, *experiment.ROUTES],
    middleware=[Middleware(SafeHeaders)],
    on_script_error=show_error,
)
