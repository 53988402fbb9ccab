// The path of each slot in the plane of the run.

import { picker, range, shown, svg } from "./dom.js"
import { figure, rule, words } from "./draw.js"
import { brief, known, momentName, momentOf, percent, ready, runOf } from "./moves.js"

const DOTTED = 80 // moments that are marked one by one
const PAD = { left: 46, right: 16, top: 12, bottom: 38 }

export const pathsPanel = {
  id: "paths",
  title(frame) {
    const run = known(frame)
    if (!run) return "The path of each slot"
    return `Two directions hold ${percent(run.meta.variance[0] + run.meta.variance[1])} of how the slots differ`
  },
  note: (frame) => {
    const whose = frame.all.length < 2
      ? "one plane for the whole run"
      : known(frame)?.meta.shared ? "one plane for both runs" : "a plane of its own for each run"
    return `path of each slot in ${whose}; ring: the start, filled: after segment ${frame.view.segment}, line: its step`
  },
  controls: (frame, act) => [
    picker(
      "slot",
      [["", "all"], ...range(frame.overview.meta.n_memory).map((i) => [String(i + 1), String(i + 1)])],
      String(frame.view.slot ?? ""),
      (slot) => act.pin({ slot: Number(slot) || null }),
    ),
  ],
  draw: (body, frame, act) => ready(body, frame, (run) => drawPaths(body, frame, run, act)),
  table(frame) {
    const run = known(frame)
    if (!run) return { columns: ["moment", "slot", "PC 1", "PC 2"], rows: [] }
    const [n, slots] = run.path.shape
    const at = (i) => [shown(run.path.data[2 * i]), shown(run.path.data[2 * i + 1])]
    const rows = range(n * slots).map((i) => [momentName(run, Math.floor(i / slots)), (i % slots) + 1, ...at(i)])
    return { columns: ["moment", "slot", "PC 1", "PC 2"], rows }
  },
}

function drawPaths(body, frame, run, act) {
  const width = body.clientWidth
  const height = Math.max(240, frame.panelHeight * 1.7)
  const runs = frame.all.map(runOf).filter((each) => each?.path)
  const place = planeOf(runs, width, height)
  const [n, slots] = run.path.shape
  const point = (bin, slot) => {
    const i = 2 * (bin * slots + slot)
    return place.at(run.path.data[i], run.path.data[i + 1])
  }
  const node = figure(width, height, label(run, frame), frame.theme)
  node.append(...axes(run, place, width, height, frame.theme))
  node.append(...range(slots).flatMap((slot) => path(slot, n, point, frame)))
  node.append(svg("g", { class: "here", "pointer-events": "none" }, ...here(frame, place, slots)))
  node.onpointermove = (event) => {
    const found = nearest(event, node, point, n, slots)
    act.tip(found ? event : null, found && [`slot ${found.slot + 1}`, momentName(run, found.bin)])
  }
  node.onpointerleave = () => act.tip(null)
  node.onclick = (event) => {
    const found = nearest(event, node, point, n, slots)
    if (found) act.go(Math.max(1, run.edges.data[found.bin]))
  }
  body.replaceChildren(node)
}

function path(slot, n, point, { view, theme }) {
  const pinned = view.slot === slot + 1
  const faded = view.slot && !pinned
  const hue = pinned ? theme.accent : theme.change
  const d = range(n).map((bin) => `${bin ? "L" : "M"}${point(bin, slot).map((v) => v.toFixed(1)).join(" ")}`).join("")
  const line = { d, fill: "none", stroke: hue, "stroke-width": pinned ? 2 : 1.2, "stroke-linejoin": "round" }
  const dotted = n <= DOTTED ? range(n).slice(1) : []
  const dots = dotted.map((bin) => dot(point(bin, slot), 2.4, hue, { opacity: faded ? 0.15 : 0.55 }))
  return [
    svg("path", { ...line, opacity: faded ? 0.15 : 0.5 }),
    ...dots,
    dot(point(0, slot), 4.5, "none", { stroke: hue, "stroke-width": 1.5, opacity: faded ? 0.2 : 0.9 }),
  ]
}

const dot = ([cx, cy], r, fill, attributes = {}) => svg("circle", { cx, cy, r, fill, ...attributes })

// Both axes have one unit, so that a distance means the same in every direction.
function planeOf(runs, width, height) {
  const along = (axis) => runs.flatMap((run) =>
    [...run.path.data].filter((v, i) => i % 2 === axis && Number.isFinite(v))
  )
  const ends = (series) => [
    series.reduce((a, b) => Math.min(a, b), Infinity), series.reduce((a, b) => Math.max(a, b), -Infinity),
  ]
  const [[x0, x1], [y0, y1]] = [ends(along(0)), ends(along(1))]
  const [w, h] = [width - PAD.left - PAD.right, height - PAD.top - PAD.bottom]
  const scale = Math.min(w / Math.max(x1 - x0, 1e-9), h / Math.max(y1 - y0, 1e-9)) * 0.94
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2]
  return {
    at: (x, y) => [PAD.left + w / 2 + (x - cx) * scale, PAD.top + h / 2 - (y - cy) * scale],
    scale, x: [cx - w / 2 / scale, cx + w / 2 / scale], y: [cy - h / 2 / scale, cy + h / 2 / scale],
  }
}

function axes(run, place, width, height, theme) {
  const look = { fill: theme.muted, "font-size": 12 }
  const step = niceStep((place.x[1] - place.x[0]) / 6)
  const ticks = ([from, to]) => {
    const first = Math.ceil(from / step)
    return range(Math.floor(to / step) - first + 1).map((i) => (first + i) * step)
  }
  const bottom = height - PAD.bottom
  const name = (axis) => `PC ${axis + 1} · ${percent(run.meta.variance[axis])} of variance`
  return [
    ...ticks(place.x).flatMap((v) => {
      const [px] = place.at(v, 0)
      return [
        rule(px, PAD.top, px, bottom, theme.line),
        words(px, bottom + 14, brief(v), { ...look, "text-anchor": "middle" }),
      ]
    }),
    ...ticks(place.y).flatMap((v) => {
      const [, py] = place.at(0, v)
      if (py < PAD.top || py > bottom) return []
      return [
        rule(PAD.left, py, width - PAD.right, py, theme.line),
        words(PAD.left - 6, py + 4, brief(v), { ...look, "text-anchor": "end" }),
      ]
    }),
    words(width - PAD.right, height - 6, name(0), { ...look, "text-anchor": "end" }),
    words(12, PAD.top, name(1), { ...look, "text-anchor": "end", transform: `rotate(-90 12 ${PAD.top})` }),
  ]
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-12)))
  return [1, 2, 5, 10].find((factor) => factor * power >= rough) * power
}

// The current state, exact: each slot's last step and where it is now.
function here(frame, place, slots) {
  const now = momentOf(frame)
  if (!now?.path || now.meta.index !== frame.view.segment - 1) return []
  return range(slots).flatMap((slot) => {
    const at = (i) => 2 * (i * slots + slot)
    const [from, to] = [0, 1].map((i) => place.at(now.path.data[at(i)], now.path.data[at(i) + 1]))
    const pinned = frame.view.slot === slot + 1
    const faded = frame.view.slot && !pinned ? 0.25 : 1
    const hue = pinned ? frame.theme.accent : frame.theme.change
    return [
      rule(...from, ...to, hue, { "stroke-width": 2.5, opacity: faded * 0.9 }),
      dot(to, 5.5, hue, { stroke: frame.theme.page, "stroke-width": 1.5, opacity: faded }),
    ]
  })
}

function nearest(event, node, point, n, slots) {
  const area = node.getBoundingClientRect()
  const [x, y] = [event.clientX - area.left, event.clientY - area.top]
  let best = { distance: 14 }
  for (const bin of range(n)) {
    for (const slot of range(slots)) {
      const [px, py] = point(bin, slot)
      const distance = Math.hypot(px - x, py - y)
      if (distance < best.distance) best = { bin, slot, distance }
    }
  }
  return best.slot === undefined ? null : best
}

function label(run, frame) {
  const shares = run.meta.variance.map(percent).join(" and ")
  const what = `Paths of ${run.path.shape[1]} slots over ${run.meta.moments} moments in their two main directions`
  return `${what}, which hold ${shares} of the variance; now after segment ${frame.view.segment}`
}

