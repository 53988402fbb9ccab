"""The front page's experiment over HTTP: a text comes in as JSON, its numbers go out; errors are sentences."""

import json

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.server.routes import HEADERS
from rmt_viz.shelf import experiment
from rmt_viz.work.queue import Job

PATH = "/rmt/experiment"
MOST_BYTES = 1 << 18
AGAIN_MS = {False: 250, True: 60}  # before it is asked again: while the model is opened, while it reads


async def read(request: Request) -> JSONResponse:
    """What a text and its counterfactuals leave in memory; until it is worked out, how far that is."""
    try:
        wanted = experiment.parse(await _json(request))
        job = await anyio.to_thread.run_sync(lambda: session.experiments().read(wanted))
        answer = _told(job)
    except InputError as error:
        return JSONResponse({"error": str(error)}, 400, headers=HEADERS)
    return JSONResponse(answer, headers=HEADERS)


async def _json(request: Request) -> object:
    """The document sent, of a page of ours: a browser sends this type from elsewhere only where it is allowed to."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise InputError("A text of the experiment is sent as JSON.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise InputError("The text is too long for this page; shorten it, or read it on the Models page.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("This is no text of the experiment; reload the page.") from None


def _told(job: Job) -> dict:
    if job.state == "failed":
        raise InputError(job.error)
    if job.state == "done":
        return {"state": "ready", **job.result}
    return {"state": "loading", "again": AGAIN_MS[job.total > 0], "done": job.done, "total": job.total}


ROUTES = [Route(PATH, read, methods=["POST"])]
