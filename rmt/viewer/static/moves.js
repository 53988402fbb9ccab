// Where memory is over the whole run: what the cards of the Memory page share.

import { range } from "./dom.js"
import { stride } from "./draw.js"
import { binOf } from "./spine.js"
import { locked } from "./panel.js"

const WAIT = "The run’s memory is on its way."
const EMPTY = "This model has no memory."

// The run's slice and the current moment's; of two runs both in one plane.
export const runOf = (frame) => frame.ask(`memory${besideOf(frame)}`)
export const momentOf = (frame) => frame.ask(`memory/${frame.view.segment - 1}${besideOf(frame)}`)

function besideOf(frame) {
  const other = frame.all.find((each) => each !== frame)
  return other ? `?with=${encodeURIComponent(other.overview.meta.id)}` : ""
}

// Draws when the run's memory is here; says why when it is not.
export function ready(body, frame, draw) {
  if (!frame.overview.meta.n_memory) return locked(body, EMPTY)
  const run = runOf(frame)
  if (run?.meta.error) return locked(body, run.meta.error)
  if (run) return draw(run)
  if (!body.firstChild) locked(body, WAIT)
}

export const moments = (run) => run.edges.data.length - 1
export const single = (run) => moments(run) === run.meta.moments

// A moment is the state after a segment; moment 0 is the initial memory.
export function momentName(run, bin, edges = run.edges.data) {
  const [from, to] = [edges[bin], edges[bin + 1] - 1]
  if (from < to) return `after segments ${from}–${to}`
  return from ? `after segment ${from}` : "at the start"
}

export const binAt = (edges, moment) => binOf({ edges: { data: edges } }, moment)

// Round moments that an axis of so many pixels has room to name, and the bin of each.
export function ticks(edges, width, room) {
  const n = edges.at(-1)
  const every = stride(n, width, room)
  return range(Math.ceil(n / every)).map((i) => ({ bin: binAt(edges, i * every), text: String(i * every || "start") }))
}

export const percent = (share) => `${Math.round(100 * share)} %`

// A number of an axis, without digits that say nothing.
export const brief = (value) => String(Number(value.toPrecision(3)))

// The run's slice where it is here.
export const known = (frame) => {
  const run = frame.overview.meta.n_memory ? runOf(frame) : null
  return run?.path ? run : null
}
