// Two runs on one axis: what each segment costs or tells, and what each token of this one costs.

import { clamp, range, shown, svg, visible } from "./dom.js"
import { box, figure, rule, stride, words } from "./draw.js"
import { locked } from "./panel.js"
import { knowsOf, questionOf } from "./people.js"

const LEFT = 46
const RIGHT = 12
const TOP = 12
const FOOT = 26
const ROWS = { loss: "mean loss (nats)", knows: "P(answer) if asked now" }
const DASHES = [null, "6 4"] // the first run is drawn through, the second dashed: told apart without colour

const hue = (i, theme) => (i ? theme.muted : theme.accent)
const nameOf = (frame, i) => frame.name ?? `run ${i + 1}`

// Loss where both runs have it, else what they know.
function rowOf(frames) {
  return ["loss", "knows"].find((row) => frames.every(({ overview }) => overview[`${row}_mean`])) ?? null
}

export const curvesPanel = {
  id: "curves",
  joint: true,
  title(frame) {
    const row = rowOf(frame.all)
    if (!row) return "What each segment costs"
    const [one, other] = frame.all.map((each) => overall(each, row))
    const what = row === "loss" ? "Mean loss" : "P(answer) at the end"
    return `${what}: ${shown(one)} against ${shown(other)}`
  },
  note(frame) {
    const [one, other] = frame.all.map(nameOf)
    const asked = rowOf(frame.all) === "knows" ? ` “${visible(questionOf(frame))}”` : ""
    return `${ROWS[rowOf(frame.all)] ?? "nothing to compare"}${asked} · line: ${one}, dashes: ${other}`
  },
  draw(body, frame, act) {
    const row = rowOf(frame.all)
    if (!row) return locked(body, "Neither loss nor answers were recorded of both runs: there is no curve to compare. “Watch” and “Memory” above compare what both have.")
    const series = frame.all.map((each) => bins(each, row))
    const area = { width: body.clientWidth, height: Math.max(180, frame.panelHeight * 1.2), x0: 1, x1: frame.n }
    const top = row === "knows" ? 1 : Math.max(...series.flat().map(([, value]) => value), 1e-9)
    const node = plot(series, top, area, frame, `${ROWS[row]} by segment of two runs`)
    const at = area.x(frame.view.segment)
    node.append(rule(at, TOP, at, area.height - FOOT, frame.theme.accent, { "stroke-width": 2, opacity: 0.7 }))
    const segmentAt = (event) => {
      const x = event.clientX - node.getBoundingClientRect().left
      return clamp(Math.round(area.back(x)), 1, frame.n)
    }
    node.onclick = (event) => act.go(segmentAt(event))
    node.onpointermove = (event) => {
      const segment = segmentAt(event)
      const told = series.map((each, i) => `${nameOf(frame.all[i], i)}: ${shown(near(each, segment))}`)
      act.tip(event, [`Segment ${segment}`, ...told])
    }
    node.onpointerleave = () => act.tip(null)
    body.replaceChildren(node)
  },
  table(frame) {
    const row = rowOf(frame.all)
    if (!row) return { columns: ["segment"], rows: [] }
    const series = frame.all.map((each) => bins(each, row))
    const longest = series[0].length >= series[1].length ? series[0] : series[1]
    return {
      columns: ["segment", ...frame.all.map(nameOf)],
      rows: longest.map(([segment]) => [Math.round(segment), ...series.map((each) => shown(near(each, segment)))]),
    }
  },
}

export const positionsPanel = {
  id: "positions",
  joint: true,
  title(frame) {
    const both = lossesOf(frame)
    if (!both) return "Loss of each token"
    const [one, other] = both.map((loss) => meanOf(scored(loss).map(([, value]) => value)))
    return `Segment ${frame.view.segment}: loss ${shown(one)} against ${shown(other)}`
  },
  note: () => "loss at each token of this segment, in nats, on one scale",
  draw(body, frame, act) {
    const both = lossesOf(frame)
    if (!both) return locked(body, "Tokens have no loss in both runs: a model that answers a question predicts no text. Choose two runs of a language model for this card.")
    const n = Math.max(...both.map((loss) => loss.length))
    const area = { width: body.clientWidth, height: Math.max(160, frame.panelHeight), x0: 1, x1: n }
    const top = Math.max(...both.flat().map(([, value]) => value).filter(Number.isFinite), 1e-9)
    const label = `Loss at each of ${n} tokens of segment ${frame.view.segment} in two runs`
    const node = plot(both.map(scored), top, area, frame, label)
    node.onpointermove = (event) => {
      const i = clamp(Math.round(area.back(event.clientX - node.getBoundingClientRect().left)), 1, n)
      const texts = new Set(frame.all.map((each) => `“${visible(each.slice?.meta.tokens[i - 1] ?? "")}”`))
      const told = both.map((loss, k) => `${nameOf(frame.all[k], k)}: ${shown(loss[i - 1]?.[1])}`)
      act.tip(event, [`Token ${i} ${[...texts].join(" and ")}`, ...told])
    }
    node.onpointerleave = () => act.tip(null)
    body.replaceChildren(node)
  },
  table(frame) {
    const both = lossesOf(frame)
    if (!both) return { columns: ["token"], rows: [] }
    const n = Math.max(...both.map((loss) => loss.length))
    return {
      columns: ["token", ...frame.all.flatMap((each, i) => [`text, ${nameOf(each, i)}`, `loss, ${nameOf(each, i)}`])],
      rows: range(n).map((i) => [
        i + 1, ...frame.all.flatMap((each, k) => [each.slice.meta.tokens[i] ?? "", shown(both[k][i]?.[1])]),
      ]),
    }
  },
}

// Points [segment, mean] of a pooled row.
function bins(frame, row) {
  const { overview } = frame
  const edges = overview.edges.data
  const followed = row === "knows" ? knowsOf(frame) : null
  const values = followed ?? overview[`${row}_mean`].data
  return range(edges.length - 1)
    .map((bin) => [(edges[bin] + 1 + edges[bin + 1]) / 2, values[bin]])
    .filter(([, value]) => Number.isFinite(value))
}

const scored = (loss) => loss.filter(([, value]) => Number.isFinite(value))
const meanOf = (values) => values.reduce((a, b) => a + b, 0) / Math.max(values.length, 1)

function overall(frame, row) {
  const values = bins(frame, row).map(([, value]) => value)
  return row === "knows" ? values.at(-1) : meanOf(values)
}

const near = (points, x) => points.reduce((best, point) =>
  Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best, points[0] ?? [0, NaN])[1]

function lossesOf(frame) {
  const both = frame.all.map(({ slice }) => slice?.loss && [...slice.loss.data].map((value, i) => [i + 1, value]))
  return both.every(Boolean) ? both : null
}

// Lines of both runs on one scale; fills in area.x and area.back.
function plot(series, top, area, frame, label) {
  const { theme } = frame
  const { width, height, x0, x1 } = area
  const room = width - LEFT - RIGHT
  const wide = Math.max(x1 - x0, 1)
  area.x = (value) => LEFT + ((value - x0) / wide) * room
  area.back = (px) => x0 + ((px - LEFT) / room) * wide
  const y = (value) => height - FOOT - (value / top) * (height - FOOT - TOP)
  const look = { "font-size": 12, fill: theme.muted }
  const every = stride(wide + 1, room, 44)
  const ticks = range(wide + 1).map((i) => x0 + i).filter((value) => value === x0 || value % every === 0)
  const node = figure(width, height, label, theme)
  node.append(
    ...[0, top / 2, top].flatMap((value) => [
      rule(LEFT, y(value), width - RIGHT, y(value), theme.line),
      words(LEFT - 6, y(value) + 4, shown(value), { ...look, "text-anchor": "end" }),
    ]),
    ...ticks.map((value) => words(area.x(value), height - 8, String(value), { ...look, "text-anchor": "middle" })),
    ...[...series.entries()].reverse().map(([i, points]) => svg("path", {
      d: points.map(([px, value], k) => `${k ? "L" : "M"}${area.x(px).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
      fill: "none", stroke: hue(i, theme), "stroke-width": i ? 1.8 : 2.2, "stroke-dasharray": DASHES[i],
      "stroke-linejoin": "round",
    })),
    ...series.flatMap((points, i) => points.length > 1 ? [] : points.map(([px, value]) =>
      box(area.x(px) - 3, y(value) - 3, 6, 6, hue(i, theme))
    )),
  )
  return node
}
