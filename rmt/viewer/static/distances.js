// How far every two moments of the memory are apart.

import { range, shown, svg } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { binAt, known, momentName, ready, runOf, single, ticks } from "./moves.js"
import { level } from "./theme.js"

export const distancesPanel = {
  id: "distances",
  title(frame) {
    const run = known(frame)
    if (!run || run.apart.shape[0] < 3) return "How far moments are apart"
    const n = run.apart.shape[0]
    const jumps = range(n - 2).map((i) => run.apart.data[(i + 1) * n + i + 2])
    const best = jumps.indexOf(Math.max(...jumps)) + 1
    const b = run.apart_edges.data[best + 1]
    const where = `${single(run) ? "in" : "near"} segment ${b}`
    return `The longest step after the first is ${where}: ${shown(Math.max(...jumps))}`
  },
  note: (frame) => (
    known(frame)?.apart.shape[0] < known(frame)?.meta.moments
      ? "distance of every two moments, root mean square of neighbouring ones; click to go there"
      : "Euclidean distance between the states of every two moments; click to go there"
  ),
  draw: (body, frame, act) => ready(body, frame, (run) => drawDistances(body, frame, run, act)),
  table(frame) {
    const run = known(frame)
    if (!run) return { columns: ["moment"], rows: [] }
    const n = run.apart.shape[0]
    const names = range(n).map((bin) => momentName(run, bin, run.apart_edges.data))
    return {
      columns: ["moment", ...names],
      rows: names.map((name, r) => [name, ...range(n).map((c) => shown(run.apart.data[r * n + c]))]),
    }
  },
}

const MARGIN = { left: 46, top: 26 }

function drawDistances(body, frame, run, act) {
  const n = run.apart.shape[0]
  const edges = run.apart_edges.data
  const room = Math.min(body.clientWidth - MARGIN.left - 8, Math.max(260, frame.panelHeight * 1.9))
  const step = room / n
  const all = frame.all.map(runOf).filter((each) => each?.apart)
  const most = Math.max(...all.map((each) => each.apart.data.reduce((a, b) => Math.max(a, b), 1e-9)))
  const node = figure(body.clientWidth, MARGIN.top + room + 24, distancesLabel(run, most), frame.theme)
  const at = binAt(edges, frame.view.segment)
  const look = { fill: frame.theme.muted, "font-size": 12 }
  const cursor = { stroke: frame.theme.accent, "stroke-width": 1.5 }
  node.append(
    svg("image", {
      x: MARGIN.left, y: MARGIN.top, width: room, height: room, href: picture(run, most, frame.theme),
      preserveAspectRatio: "none", style: "image-rendering: pixelated",
    }),
    ...ticks(edges, room, 30).flatMap(({ bin, text }) => {
      const offset = (bin + 0.5) * step
      return [
        words(MARGIN.left + offset, MARGIN.top - 10, text, { ...look, "text-anchor": "middle" }),
        words(MARGIN.left - 10, MARGIN.top + offset + 4, text, { ...look, "text-anchor": "end" }),
      ]
    }),
    ...run.meta.marks.flatMap(({ segment, kind }) => {
      const offset = (binAt(edges, segment + 1) + 0.5) * step
      const colour = kind === "question" ? frame.theme.read : frame.theme.write
      return [
        svg("path", { d: `M${MARGIN.left + offset - 4} ${MARGIN.top - 7}h8l-4 5z`, fill: colour }),
        svg("path", { d: `M${MARGIN.left - 7} ${MARGIN.top + offset - 4}v8l5 -4z`, fill: colour }),
      ]
    }),
    box(MARGIN.left + at * step, MARGIN.top, Math.max(step, 1.5), room, "none", cursor),
    box(MARGIN.left, MARGIN.top + at * step, room, Math.max(step, 1.5), "none", cursor),
    words(MARGIN.left, MARGIN.top + room + 17, "0", look),
    ...frame.theme.ramps.change.map((colour, i) =>
      box(MARGIN.left + 12 + i * 2, MARGIN.top + room + 9, 2.5, 8, colour.fill)
    ),
    words(MARGIN.left + 12 + 136, MARGIN.top + room + 17, `${shown(most)} · ▾ fact and question`, look),
  )
  const cell = (event) => {
    const area = node.getBoundingClientRect()
    const offset = [event.clientX - area.left - MARGIN.left, event.clientY - area.top - MARGIN.top]
    const [c, r] = offset.map((v) => Math.floor(v / step))
    return c >= 0 && r >= 0 && c < n && r < n ? { r, c } : null
  }
  node.onpointermove = (event) => {
    const found = cell(event)
    act.tip(found ? event : null, found && [
      `distance ${shown(run.apart.data[found.r * n + found.c])}`,
      momentName(run, found.r, edges),
      momentName(run, found.c, edges),
    ])
  }
  node.onpointerleave = () => act.tip(null)
  node.onclick = (event) => cell(event) && act.go(Math.max(1, edges[cell(event).c]))
  body.replaceChildren(node)
}

function picture(run, most, theme) {
  const n = run.apart.shape[0]
  const canvas = document.createElement("canvas")
  Object.assign(canvas, { width: n, height: n })
  const context = canvas.getContext("2d")
  const image = context.createImageData(n, n)
  run.apart.data.forEach((value, i) => image.data.set(theme.pixels.change[level(value / most)], i * 4))
  context.putImageData(image, 0, 0)
  return canvas.toDataURL()
}

function distancesLabel(run, most) {
  const marked = run.meta.marks.map(({ kind, segment }) => `${kind} in segment ${segment + 1}`).join(", ")
  return `Distances between ${run.meta.moments} moments of the memory, at most ${shown(most)}; ${marked || "no marks"}`
}
