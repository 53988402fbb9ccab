// How memory stands in full space: cosines and lengths over the run, on which a range of segments is chosen.

import { clamp, range, shown, svg } from "./dom.js"
import { box, figure, rule, words } from "./draw.js"
import { binAt, brief, known, momentName, momentOf, moments, ready, runOf, ticks } from "./moves.js"

const ROWS = [
  { id: "previous", name: "cosine to the state before", low: -1, high: 1 },
  { id: "initial", name: "cosine to the start", low: -1, high: 1 },
  { id: "norm", name: "length (norm)", low: 0, high: null },
]
const LEFT = 40
const RIGHT = 10
const STRIP = 16

export const stripsPanel = {
  id: "strips",
  title(frame) {
    const now = known(frame) && momentOf(frame)
    if (!now?.previous) return "How memory stands in full space"
    const mean = meanOf(now.previous.data)
    const turned = mean < 0.5 ? "turns memory" : mean < 0.95 ? "moves memory" : "leaves memory where it was"
    return `Segment ${frame.view.segment} ${turned}: cosine ${shown(mean)} to the state before`
  },
  note: () => "line: mean of the slots, or the pinned one; area: least to most; drag to choose a range of segments",
  draw: (body, frame, act) => ready(body, frame, (run) => drawStrips(body, frame, run, act)),
  table(frame) {
    const run = known(frame)
    const columns = ["moment", "slot", ...ROWS.map(({ name }) => name)]
    if (!run) return { columns, rows: [] }
    const slots = run.norm.shape[1]
    const rows = range(moments(run) * slots).map((i) =>
      [momentName(run, Math.floor(i / slots)), (i % slots) + 1, ...ROWS.map(({ id }) => shown(run[id].data[i]))]
    )
    return { columns, rows }
  },
}

function drawStrips(body, frame, run, act) {
  const width = body.clientWidth
  const row = Math.max(64, (frame.panelHeight * 1.7 - 20) / 3)
  const n = moments(run)
  const step = (width - LEFT - RIGHT) / n
  const node = figure(width, 3 * row + 22, stripsLabel(run), frame.theme)
  const x = (bin) => LEFT + (bin + 0.5) * step
  const now = x(binAt(run.edges.data, frame.view.segment))
  node.append(
    svg("g", { class: "chosen" }, ...chosen(frame, run, step, 3 * row)),
    ...ROWS.flatMap((spec, i) => strip(spec, i * row, row, frame, run, x)),
    ...momentTicks(run, x, step, 3 * row + 16, frame.theme),
    rule(now, 0, now, 3 * row, frame.theme.accent, { "stroke-width": 2 }),
  )
  brush(node, frame, run, step, act)
  body.replaceChildren(node)
}

function strip({ id, name, low, high }, top, row, frame, run, x) {
  const [n, slots] = run[id].shape
  const all = frame.all.map(runOf).filter((each) => each?.[id])
  const most = high ?? Math.max(...all.map((each) => largest(each[`${id}_high`].data)))
  const [y0, y1] = [top + STRIP, top + row - 6]
  const y = (value) => y1 - ((clamp(value, low, most) - low) / (most - low)) * (y1 - y0)
  const of = (bin) => Array.from(run[id].data.subarray(bin * slots, (bin + 1) * slots)).filter(Number.isFinite)
  const bins = range(n).filter((bin) => of(bin).length)
  const at = (bin, value) => `${x(bin).toFixed(1)} ${y(value(bin)).toFixed(1)}`
  const line = (value) => bins.map((bin, i) => `${i ? "L" : "M"}${at(bin, value)}`).join("")
  const pinned = (bin) => (frame.view.slot ? run[id].data[bin * slots + frame.view.slot - 1] : meanOf(of(bin)))
  const [lowest, highest] = [run[`${id}_low`].data, run[`${id}_high`].data]
  const back = [...bins].reverse().map((bin) => `L${at(bin, () => lowest[bin])}`).join("")
  const area = `${line((bin) => highest[bin])}${back}Z`
  const { theme } = frame
  const stroke = frame.view.slot ? theme.accent : theme.change
  const look = { fill: theme.muted, "font-size": 12, "text-anchor": "end" }
  return [
    words(LEFT, top + 11, name, { fill: theme.change, "font-weight": 600, "font-size": 12 }),
    ...[low, ...(low < 0 ? [0] : []), most].flatMap((value) => [
      rule(LEFT, y(value), x(n - 1) + 4, y(value), theme.line),
      words(LEFT - 5, y(value) + 3.5, brief(value), look),
    ]),
    bins.length ? svg("path", { d: area, fill: theme.change, opacity: 0.2 }) : null,
    bins.length ? svg("path", { d: line(pinned), fill: "none", stroke, "stroke-width": 1.8 }) : null,
  ].filter(Boolean)
}

const largest = (series) => series.reduce((a, b) => Math.max(a, Number.isFinite(b) ? b : 0), 1e-9)
const meanOf = (series) => series.reduce((a, b) => a + b, 0) / series.length

function momentTicks(run, x, step, y, theme) {
  const look = { "text-anchor": "middle", "font-size": 12, fill: theme.muted }
  return ticks(run.edges.data, moments(run) * step, 34).map(({ bin, text }) => words(x(bin), y, text, look))
}

function chosen(frame, run, step, height) {
  if (!frame.view.range) return []
  const [a, b] = rangeOf(frame.view).map((segment) => binAt(run.edges.data, segment))
  return [box(LEFT + a * step, 0, (b - a + 1) * step, height, frame.theme.accent, { opacity: 0.13 })]
}

// The chosen range of segments, the current one where none is chosen.
export function rangeOf({ range: chosenRange, segment }) {
  return chosenRange ? chosenRange.split("-").map(Number) : [segment, segment]
}

function brush(node, frame, run, step, act) {
  const binUnder = (event) => {
    const x = event.clientX - node.getBoundingClientRect().left - LEFT
    return clamp(Math.floor(x / step), 0, moments(run) - 1)
  }
  let from = null
  const bounds = (event) => [Math.min(from, binUnder(event)), Math.max(from, binUnder(event))]
  node.style.touchAction = "pan-y"
  node.onpointerdown = (event) => {
    from = binUnder(event)
    node.setPointerCapture(event.pointerId)
  }
  node.onpointermove = (event) => {
    const bin = binUnder(event)
    if (from !== null) {
      const [a, b] = bounds(event)
      const height = node.height.baseVal.value - 20
      const shade = box(LEFT + a * step, 0, (b - a + 1) * step, height, frame.theme.accent, { opacity: 0.13 })
      node.querySelector(".chosen").replaceChildren(shade)
    }
    const slots = run.norm.shape[1]
    const mean = (id) => meanOf(run[id].data.subarray(bin * slots, (bin + 1) * slots).filter(Number.isFinite))
    act.tip(event, [momentName(run, bin), ...ROWS.map(({ id, name }) => `${name} ${shown(mean(id))}`)])
  }
  node.onpointerup = (event) => {
    if (from === null) return
    const [a, b] = bounds(event)
    from = null
    const [first, last] = [Math.max(1, run.edges.data[a]), Math.max(1, run.edges.data[b + 1] - 1)]
    if (a === b) act.go(first)
    else act.pin({ range: `${first}-${last}` })
  }
  node.onpointercancel = () => (from = null)
  node.onpointerleave = () => act.tip(null)
}

function stripsLabel(run) {
  const ends = (id) => {
    const [low, high] = [run[`${id}_low`], run[`${id}_high`]].map(({ data }) => data.filter(Number.isFinite).sort())
    return `${shown(low[0])} to ${shown(high.at(-1))}`
  }
  return `Over the run: ${ROWS.map(({ id, name }) => `${name} ${ends(id)}`).join("; ")}`
}

