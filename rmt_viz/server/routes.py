"""HTTP routes with slices of traces for the stepping surface; every input is checked, errors are sentences."""

import logging
import re
import time
from collections.abc import Callable, Sequence

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rmt.errors import InputError
from rmt.viewer import attention_slices as maps
from rmt.viewer import memory_slices, slices
from rmt.viewer import page as viewer
from rmt_viz import session
from rmt_viz.shelf.library import Run, with_control
from rmt_viz.work import on_demand, replays
from rmt_viz.work.queue import Job

PREFIX = "/rmt/trace"
NUMBER = re.compile(r"[0-9]{1,9}")
SORRY = "This part of the run cannot be shown; python -m rmt validate says whether its file is damaged."
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def overview(request: Request) -> Response:
    """Route: the whole run, pooled to a constant size."""
    return await _answer(request, lambda run: _overview(run, request.query_params.get("over", "0")))


def _overview(run: Run, over: str) -> bytes:
    if not NUMBER.fullmatch(over):
        raise InputError("There is no such length.")
    return slices.overview(run, int(over), session.controls_of(run.id), session.family_of(run.id))


async def segment(request: Request) -> Response:
    """Route: one segment, counted from 0; ?layer= and ?head= choose its attention maps."""
    return await _answer(request, lambda run: _segment(run, request), _kept_segment)


async def page(request: Request) -> Response:
    """Route: the whole run as one HTML file to download; ?with= names a run beside it, in place of its controls."""
    answer = await _answer(request, lambda run: _page(run, _other(request)))
    if answer.status_code == 200:
        answer.headers["Content-Disposition"] = 'attachment; filename="run.html"'
    return answer


def _page(run: Run, beside: Run | None) -> bytes:
    if beside:
        return viewer.page(run.trace, source=run.source, beside=beside.trace).encode()
    shelf = session.library()
    names = [] if "." in run.id else [name for name in shelf.controls(run.id) if name != "trained"]
    controls = {name: shelf.open(with_control(run.id, name)).trace for name in names}
    return viewer.page(run.trace, source=run.source, controls=controls).encode()


def _segment(run: Run, request: Request) -> bytes:
    made = run.trace.meta["made_by"]
    index = _index(request.path_params["index"], run.trace.done)
    layer = _index(request.query_params.get("layer"), made["layers"])
    head = _index(request.query_params.get("head"), made["heads"])
    if index is None:
        raise InputError("A segment has a number.")
    reset = session.reset_of(run.id)
    key = _segment_key(run, reset, request)  # before anything is read: what is written meanwhile makes another key
    return session.kept_slices().put(key, slices.segment(run, index, layer, head, reset))


def _kept_segment(request: Request) -> bytes | None:
    """A segment's slice if it was made before, and the files that it was made of are as they were."""
    shelf, id = session.library(), request.path_params["trace"]
    run, reset = shelf.at_hand(id), shelf.at_hand(control := f"{id}.reset")
    if run is None or (reset is None and shelf.has(control)):
        return None
    return session.kept_slices().get(_segment_key(run, reset, request))


def _segment_key(run: Run, reset: Run | None, request: Request) -> tuple:
    made_of = [(one.id, one.trace.version) if one else None for one in (run, reset)]
    return *made_of, request.path_params["index"], *map(request.query_params.get, ("layer", "head"))


async def attention(request: Request) -> Response:
    """Route: a segment's whole attention map from its replay; until that is done, the recorded part of it.

    ?row= and ?column= choose a window of the map.
    """
    return await _answer(request, lambda run: _attention(run, request))


def _attention(run: Run, request: Request) -> bytes:
    made, query = run.trace.meta["made_by"], request.query_params
    index = _index(request.path_params["index"], run.trace.done)
    chosen = {name: _index(query.get(name), made[f"{name}s"]) for name in ("layer", "head")}
    job = session.replays().replay(run, index, replays.whole_maps)
    record = job.result if job.state == "done" else run.trace.segments[index]
    at = None
    if job.state == "done" and query.keys() >= {"row", "column"}:
        at = tuple(_index(query[name], record.attention.shape[-1]) for name in ("row", "column"))
    return maps.attention(run.trace, record, how=query.get("how", "mean"), at=at, **chosen, **_replay_state(job))


async def moves(request: Request) -> Response:
    """Route: the path of memory over the whole run; ?with= names a run that is drawn in the same plane."""
    return await _answer(request, lambda run: memory_slices.moves(run, _other(request)))


async def moment(request: Request) -> Response:
    """Route: the state after a segment."""
    return await _answer(request, lambda run: memory_slices.moment(run, _segment_of(run, request), _other(request)))


async def changed(request: Request) -> Response:
    """Route: what changed in memory over a range of segments, first and last counted from 0."""
    return await _answer(request, lambda run: _changed(run, request))


def _changed(run: Run, request: Request) -> bytes:
    first, last = (_index(request.path_params[name], run.trace.done) for name in ("first", "last"))
    if last < first:
        raise InputError("A range of segments ends where it begins or later.")
    return memory_slices.changed(run, first, last)


async def words(request: Request) -> Response:
    """Route: the slots after a segment as words, by the model's own output head or embeddings."""
    return await _answer(request, lambda run: _words(run, _segment_of(run, request)))


def _words(run: Run, index: int) -> bytes:
    job = session.replays().replay(run, index, replays.slots_as_words)
    return memory_slices.words(run.trace, index, job.result, **_replay_state(job))


def _segment_of(run: Run, request: Request) -> int:
    return _index(request.path_params["index"], run.trace.done)


def _other(request: Request) -> Run | None:
    id = request.query_params.get("with")
    return session.library().open(id) if id else None


def _replay_state(job: Job) -> dict:
    """The state of a replay, as fields of a slice."""
    if job.live or job.state == "cancelled":
        return {"state": "loading", "again": on_demand.AGAIN_MS}
    return {"state": "ready"} if job.state == "done" else {"state": "absent", "why": job.error}


def _index(text: str | None, n: int) -> int | None:
    """A number from 0 to n - 1 out of the address; None where there is none. Raises InputError for anything else."""
    if text is None:
        return None
    if not NUMBER.fullmatch(text) or int(text) >= n:
        raise InputError(f"There is no number {text[:12]!r} here; it goes from 0 to {n - 1}.")
    return int(text)


async def _answer(
    request: Request, make: Callable[[Run], bytes], kept: Callable[[Request], bytes | None] = lambda _: None
) -> Response:
    """The response to a request: what is `kept` of it, or the bytes that `make` makes of its run; an error as JSON.

    What takes time is made on a thread; `kept` is asked without one, since passing a request on and back takes longer
    than to look. The header Server-Timing has the milliseconds that the answer took, waiting for a thread included,
    and those of work in them.
    """
    began, work = time.perf_counter(), 0.0

    def worked(make: Callable[[], bytes | None]) -> bytes | None:
        nonlocal work
        before = time.thread_time()
        body = make()
        work += time.thread_time() - before
        return body

    def made() -> bytes:
        return make(session.library().open(request.path_params["trace"]))

    try:
        body = worked(lambda: kept(request)) or await anyio.to_thread.run_sync(worked, made)
    except InputError as error:
        return JSONResponse({"error": str(error)}, 404, headers=HEADERS)
    except Exception:  # a trace with numbers that nobody thought of, or a fault of ours: the log says which
        logging.getLogger(__name__).exception("a slice could not be made")
        return JSONResponse({"error": SORRY}, 500, headers=HEADERS)
    took = time.perf_counter() - began
    timing = {"Server-Timing": f"total;dur={1000 * took:.1f}, work;dur={1000 * work:.1f}"}
    return Response(body, media_type="application/octet-stream", headers=HEADERS | timing)


async def health(_: Request) -> Response:
    """Whether the server answers, and how much work there is; asked by a container, a proxy or a person."""
    return JSONResponse({"status": "ok", **session.worker().count()}, headers=HEADERS)


ROUTES = [
    Route("/healthz", health),
    Route(f"{PREFIX}/{{trace}}/overview", overview),
    Route(f"{PREFIX}/{{trace}}/segment/{{index}}", segment),
    Route(f"{PREFIX}/{{trace}}/attention/{{index}}", attention),
    Route(f"{PREFIX}/{{trace}}/memory", moves),
    Route(f"{PREFIX}/{{trace}}/memory/{{index}}", moment),
    Route(f"{PREFIX}/{{trace}}/changed/{{first}}/{{last}}", changed),
    Route(f"{PREFIX}/{{trace}}/words/{{index}}", words),
    Route(f"{PREFIX}/{{trace}}/page", page),
]


def under(base: str, routes: Sequence[Route]) -> list[Route]:
    """The routes, and the same ones under a base path such as "viz", where the pages ask for them if there is one."""
    base = base.strip("/")
    again = [Route(f"/{base}{route.path}", route.endpoint, methods=route.methods) for route in routes if base]
    return [*routes, *again]
