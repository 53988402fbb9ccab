// A chart of lines and marks: names above it, numbers under the pointer and in a table below.

import { clamp, el, pointer, range, svg } from "./dom.js"
import { figure, rule, words } from "./draw.js"
import { tips } from "./overlay.js"
import { readTheme } from "./theme.js"

const [LEFT, RIGHT, TOP, FOOT] = [58, 18, 12, 46]
const LETTER = 6.6 // pixels of a tick's letter, near enough to leave some out
const MARKS = ["circle", "square", "diamond", "triangle", "cross", "ring", "down"]

export class Plot {
  // spec: {title, x, y, lines}; an axis has {label, ticks: [[value, text]], log}, a line {name, hue, dash, points, told}.
  constructor(root, spec) {
    Object.assign(this, { root, spec })
    this.tip = tips(root)
    this.body = el("div", { class: "body" })
    this.names = el("p", { class: "names" })
    this.table = el("details", { ontoggle: () => this.fill() }, el("summary", {}, "The numbers"), el("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": `Numbers: ${spec.title}` }))
    root.replaceChildren(el("h3", {}, spec.title), this.names, this.body, this.table)
    this.sizes = new ResizeObserver(() => this.body.clientWidth !== this.width && this.draw())
    this.sizes.observe(this.body)
  }

  destroy() {
    this.sizes.disconnect()
  }

  draw() {
    const theme = readTheme(this.root)
    const { spec } = this
    this.width = this.body.clientWidth
    const height = clamp(this.width / 2, 230, 320)
    const at = places(spec, this.width, height)
    const node = figure(this.width, height, `${spec.title}: ${spec.lines.map(({ name }) => name).join(", ")}`, theme)
    node.append(...axes(spec, at, this.width, height, theme), ...spec.lines.flatMap((line, i) => drawn(line, i, at, theme)))
    const spot = svg("circle", { r: 7, fill: "none", stroke: theme.ink, "stroke-width": 1.5, visibility: "hidden" })
    node.append(spot)
    node.onpointermove = (event) => {
      const near = nearest(spec, at, pointer(event, node))
      spot.setAttribute("visibility", near ? "visible" : "hidden")
      if (!near) return this.tip(null)
      spot.setAttribute("cx", near.x)
      spot.setAttribute("cy", near.y)
      this.tip(event, [near.line.name, near.told])
    }
    node.onpointerleave = () => {
      spot.setAttribute("visibility", "hidden")
      this.tip(null)
    }
    this.body.replaceChildren(node)
    this.names.replaceChildren(...spec.lines.map((line, i) => el("span", {}, sample(line, i, theme), line.name)))
  }

  fill() {
    if (!this.table.open) return
    const { x, y, lines } = this.spec
    const rows = lines.flatMap(({ name, points }) => points.map((point) =>
      el("tr", {}, el("th", { scope: "row" }, name), point.map((value) => el("td", {}, String(value))))))
    this.table.lastElementChild.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, ["line", x.label, y.label, "low", "high"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows)))
  }
}

function places({ x, y }, width, height) {
  const scaled = ({ ticks, log }, from, to) => {
    const of = (value) => (log ? Math.log10(value) : value)
    const [low, high] = [of(ticks[0][0]), of(ticks.at(-1)[0])]
    return (value) => from + ((of(value) - low) / (high - low || 1)) * (to - from)
  }
  return { x: scaled(x, LEFT, width - RIGHT), y: scaled(y, height - FOOT, TOP) }
}

function axes({ x, y }, at, width, height, theme) {
  const look = { fill: theme.muted, "font-size": 12 }
  const parts = y.ticks.flatMap(([value, text]) => [
    rule(LEFT, at.y(value), width - RIGHT, at.y(value), theme.line),
    words(LEFT - 7, at.y(value) + 4, text, { ...look, "text-anchor": "end" }),
  ])
  let free = -Infinity
  for (const [value, text] of x.ticks) {
    const middle = at.x(value)
    const half = (text.length * LETTER) / 2
    if (middle - half < free) continue
    free = middle + half + 8
    parts.push(rule(middle, height - FOOT, middle, height - FOOT + 4, theme.muted), words(middle, height - FOOT + 18, text, { ...look, "text-anchor": "middle" }))
  }
  return [...parts,
    words((LEFT + width - RIGHT) / 2, height - 8, x.label, { "text-anchor": "middle", "font-size": 13 }),
    words(0, 0, y.label, { "text-anchor": "middle", "font-size": 13, transform: `translate(12 ${(TOP + height - FOOT) / 2}) rotate(-90)` }),
  ]
}

function drawn({ hue, dash, points }, i, at, theme) {
  const colour = theme[hue]
  const path = (list) => list.map(([x, y], k) => `${k ? "L" : "M"}${at.x(x).toFixed(1)} ${at.y(y).toFixed(1)}`).join("")
  const many = points.length > 40
  const bars = points.filter(([, , low, high]) => high > low).flatMap(([x, , low, high]) => [
    rule(at.x(x), at.y(low), at.x(x), at.y(high), colour, { "stroke-width": 1.3, opacity: 0.75 }),
    ...[low, high].map((end) => rule(at.x(x) - 4, at.y(end), at.x(x) + 4, at.y(end), colour, { "stroke-width": 1.3, opacity: 0.75 })),
  ])
  const line = points.length > 1
    ? [svg("path", { d: path(points), fill: "none", stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dash || null, "stroke-linejoin": "round" })] : []
  return [...bars, ...line, ...(many ? [] : points.map(([x, y]) => mark(i, at.x(x), at.y(y), colour, points.length > 1 ? 3.5 : 6, theme)))]
}

function mark(i, x, y, fill, r, theme) {
  const look = { fill, stroke: theme.page, "stroke-width": 1 }
  const shapes = {
    circle: () => svg("circle", { cx: x, cy: y, r, ...look }),
    square: () => svg("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, ...look }),
    diamond: () => svg("path", { d: `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`, ...look }),
    triangle: () => svg("path", { d: `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`, ...look }),
    ring: () => svg("circle", { cx: x, cy: y, r: r - 1, fill: theme.page, stroke: fill, "stroke-width": 2.5 }),
    down: () => svg("path", { d: `M${x} ${y + 1.2 * r}l${1.2 * r} ${-2.2 * r}h${-2.4 * r}z`, ...look }),
    cross: () => svg("path", { d: `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`, fill: "none", stroke: fill, "stroke-width": 2.5 }),
  }
  return shapes[MARKS[i % MARKS.length]]()
}

function sample({ hue, dash, points }, i, theme) {
  const node = svg("svg", { width: 26, height: 12, "aria-hidden": "true" })
  if (points.length > 1) node.append(rule(0, 6, 26, 6, theme[hue], { "stroke-width": 2.4, "stroke-dasharray": dash || null }))
  node.append(mark(i, 13, 6, theme[hue], 4, theme))
  return node
}

function nearest({ lines }, at, { x: px, y: py }) {
  const found = lines.flatMap((line) => range(line.points.length).filter((k) => line.told[k]).map((k) => {
    const [x, y] = [at.x(line.points[k][0]), at.y(line.points[k][1])]
    return { line, told: line.told[k], x, y, away: Math.hypot(x - px, y - py) }
  })).sort((a, b) => a.away - b.away)[0]
  return found?.away < 60 ? found : null
}
