// The slots as lanes from segment to segment, and on them the slots themselves, with what they carry of each fact.
//
// Every width is a number of the run: a fact is as wide in a slot as the slot differs when that fact is exchanged. The
// picture is drawn along the text: to the right on a wide screen, downwards on a narrow one.

import { svg, clamp, pointer, range } from "./dom.js"

const SAMPLES = 12 // points of a ribbon in each segment
export const UNIT = 0.5 // of a lane's width: a slot that differs by its own length
const CLOSE = 16 // pixels between boundaries
const GROWS = 40 // pixels in which a fact comes into a slot
const ROOM = 0.96 // of a lane that ribbons may fill
const TOKEN = 24 // length of a slot along the text

const ease = (x) => { const t = clamp(x, 0, 1); return t * t * (3 - 2 * t) }

// What a picture is made of: stops (N,) where each boundary is along the text, enters: for each fact where it enters,
// end: where the lanes end, length: of the picture, goal: where the answer is at its end, wide: the width of a lane,
// down: whether the text runs downwards.
export class Lanes {
  constructor(node, label) {
    Object.assign(this, { node, caption: `${label} →` })
    this.clip = svg("rect", { x: 0, y: 0, width: 0, height: 0 })
    this.ribbons = svg("g", { "clip-path": "url(#told)" })
    this.tracks = svg("g")
    this.flows = svg("g", { class: "flows" })
    this.tokens = svg("g")
    node.append(
      svg("title", {}, label), svg("defs", {}, svg("clipPath", { id: "told" }, this.clip)),
      this.tracks, this.ribbons, this.flows, this.tokens,
    )
  }

  // run: slots (N, M, F) and effects (N, Q, F). look: {hues (F), faint (F), person, reset}.
  draw(run, place, look) {
    Object.assign(this, { run, place, look })
    const { stops, end, wide, down } = place
    this.slots = run.slots[0].length
    const across = this.slots * wide
    const [width, height] = down ? [across, place.length] : [place.length, across + 18]
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) {
      this.node.setAttribute(name, value)
    }
    this.tracks.replaceChildren(
      ...range(this.slots).map((m) => this.line([stops[0], this.centre(m)], [end, this.centre(m)], "track")),
      svg("text", { class: "caption", x: stops[0], y: across + 13, visibility: down ? "hidden" : null }, this.caption),
      ...(look.reset ? stops.slice(1).map((x) => this.line([x, 0], [x, across], "cut")) : []),
    )
    this.ribbons.replaceChildren(...this.entries(), ...this.bodies())
    this.flows.replaceChildren(...this.streams())
    this.tokens.replaceChildren(...range(this.slots).map((m) => this.token(m)))
  }

  centre(m) {
    return (m + 0.5) * this.place.wide
  }

  at([along, across]) {
    return this.place.down ? `${round(across)} ${round(along)}` : `${round(along)} ${round(across)}`
  }

  line(from, to, kind) {
    return svg("path", { d: `M${this.at(from)}L${this.at(to)}`, class: kind })
  }

  // How wide each fact is in slot m at share s of the way from boundary n to the next: (F,). Widths change where a fact
  // enters, in a segment without one all the way through it.
  widths(m, n, s) {
    const { run, place, look } = this
    const [from, to] = [place.stops[n], place.stops[n + 1] ?? place.end]
    const here = place.enters.filter((along) => along > from && along < to)
    const widths = (run.slots[n + 1] ?? run.slots[n])[m].map((after, f) => {
      const before = look.reset ? 0 : run.slots[n][m][f]
      const begin = here.includes(place.enters[f]) ? place.enters[f] : Math.min(...here, to)
      const [start, length] = here.length ? [begin, Math.min(GROWS, (to - begin) * 0.8)] : [from, to - from]
      return (before + (after - before) * ease((from + (to - from) * s - start) / length)) * UNIT * place.wide
    })
    const all = widths.reduce((sum, width) => sum + width, 0)
    const fits = Math.min(1, (ROOM * place.wide) / Math.max(all, 1e-9))
    return widths.map((width) => width * fits)
  }

  // The ribbon of each fact in each slot, stacked around the middle of the lane; reset cuts it at each boundary.
  bodies() {
    const { run, place, look } = this
    const facts = range(run.slots[0][0].length)
    return range(this.slots).flatMap((m) => {
      const points = range(place.stops.length - 1).flatMap((n) =>
        this.samples(n).map((s) => ({ n, s, widths: this.widths(m, n, s) }))
      )
      if (!look.reset) points.push({ n: place.stops.length - 1, s: 1, widths: points.at(-1)?.widths ?? [] })
      return facts.filter((f) => points.some(({ widths }) => widths[f] > 0.3)).map((f) => {
        const [upper, lower] = [[], []]
        for (const { n, s, widths } of points) {
          const [from, to] = [place.stops[n], place.stops[n + 1] ?? place.end]
          const along = from + (to - from) * s
          const top = this.top(m, widths, f)
          upper.push(this.at([along, top]))
          lower.push(this.at([along, top + widths[f]]))
        }
        return svg("path", { d: `M${upper.join("L")}L${lower.reverse().join("L")}z`, ...this.paint(f) })
      })
    })
  }

  // Shares of the way between two boundaries at which a ribbon has a point: none in between where they are close.
  samples(n) {
    const { stops } = this.place
    const points = stops[n + 1] - stops[n] < CLOSE ? 1 : SAMPLES
    return range(points + 1).map((k) => k / points)
  }

  top(m, widths, f) {
    const sum = (list) => list.reduce((all, width) => all + width, 0)
    return this.centre(m) - sum(widths) / 2 + sum(widths.slice(0, f))
  }

  paint(f) {
    return { style: `fill: ${this.look.hues[f]}`, class: this.look.faint[f] ? "ribbon faint" : "ribbon" }
  }

  // From where a fact stands in the text to every slot that takes it up.
  entries() {
    const { run, place } = this
    return place.enters.flatMap((along, f) => {
      const n = place.stops.findIndex((stop, i) => i && stop > along)
      if (along == null || n < 1) return []
      return range(this.slots).filter((m) => run.slots[n][m][f] > 0.1).map((m) => {
        const width = Math.max(run.slots[n][m][f] * UNIT * place.wide, 0.8)
        const [c, far] = [this.centre(m), along + Math.min(GROWS, place.stops[n] - along) * 0.6]
        const d = `M${this.at([along, 0])}C${this.at([along, c * 0.7])} ${this.at([along, c])} ${this.at([far, c])}`
        const faint = this.look.faint[f] ? " faint" : ""
        return svg("path", { d, class: `entry${faint}`, style: `stroke: ${this.look.hues[f]}`, "stroke-width": round(width) })
      })
    })
  }

  // From the slots into the answer: as wide as in the slot, times how far the answer moves with that fact.
  streams() {
    const { run, place, look } = this
    const n = place.stops.length - 1
    const effects = run.effects[n]?.[look.person] ?? []
    if (look.reset || !n) return []
    return range(this.slots).flatMap((m) => {
      const widths = this.widths(m, n, 1)
      return effects.map((effect, f) => {
        const width = widths[f] * effect
        if (width < 0.4) return null
        const [from, c] = [place.end + TOKEN / 2, this.top(m, widths, f) + widths[f] / 2]
        const [to, goal] = [place.length, place.goal]
        const half = (from + to) / 2
        const d = `M${this.at([from, c])}C${this.at([half, c])} ${this.at([half, goal])} ${this.at([to, goal])}`
        const faint = look.faint[f] ? " faint" : ""
        return svg("path", { d, class: `stream${faint}`, style: `stroke: ${look.hues[f]}`, "stroke-width": round(width), pathLength: 1 })
      }).filter(Boolean)
    })
  }

  token(m) {
    const { wide, down } = this.place
    const [length, width] = [TOKEN, wide * 0.9]
    const size = down ? { width, height: length } : { width: length, height: width }
    const bands = this.run.slots[0][0].map((_, f) => svg("rect", this.paint(f)))
    const number = svg("text", { class: "number" }, `${m + 1}`)
    return svg("g", { class: "slot", "data-slot": m + 1 }, svg("rect", { class: "body", rx: 5, ...size }), bands, number)
  }

  // Show the run up to a moment: boundary n and the share s of the way to the next one; flowing: 0 to 1.
  show(n, s, flowing) {
    const { place, look } = this
    const last = place.stops.length - 1
    const along = n >= last ? place.end : place.stops[n] + (place.stops[n + 1] - place.stops[n]) * s
    const across = this.slots * place.wide
    const clip = place.down ? { width: across, height: along } : { width: along, height: across }
    for (const [name, value] of Object.entries(clip)) this.clip.setAttribute(name, round(value))
    ;[...this.tokens.children].forEach((node, m) => {
      const [body, ...rest] = node.children
      const number = rest.pop()
      const start = [along - TOKEN / 2, this.centre(m) - place.wide * 0.45]
      set(body, place.down ? { x: start[1], y: start[0] } : { x: start[0], y: start[1] })
      const kept = look.reset && n >= last ? rest.map(() => 0) : this.widths(m, Math.min(n, last), n >= last ? 1 : s)
      rest.forEach((band, f) => {
        const [top, thick] = [this.top(m, kept, f), kept[f]]
        set(band, place.down
          ? { x: top, y: start[0] + 2, width: thick, height: TOKEN - 4 }
          : { x: start[0] + 2, y: top, width: TOKEN - 4, height: thick })
      })
      set(number, place.down
        ? { x: this.centre(m), y: along + 4 }
        : { x: along, y: this.centre(m) + 4 })
    })
    for (const node of this.flows.children) node.style.strokeDasharray = flowing >= 1 ? "none" : `${flowing} 2`
    this.flows.setAttribute("visibility", flowing > 0 ? "visible" : "hidden")
  }

  // Which slot and which boundary a pointer is at.
  pick(event) {
    const { x, y } = pointer(event, this.node)
    const [along, across] = this.place.down ? [y, x] : [x, y]
    const slot = clamp(Math.floor(across / this.place.wide), 0, this.slots - 1)
    const n = this.place.stops.findLastIndex((stop) => stop <= along + 4)
    return { slot, n: clamp(along > (this.place.stops.at(-1) ?? 0) ? this.place.stops.length - 1 : n, 0, this.place.stops.length - 1) }
  }
}

const round = (value) => Math.round(value * 100) / 100
const set = (node, values) => { for (const [name, value] of Object.entries(values)) node.setAttribute(name, round(value)) }
