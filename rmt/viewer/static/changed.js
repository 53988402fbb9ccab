// What changed in a range of segments and not around it, and where else the same numbers move.

import { button, clamp, el, range, shown, svg } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { locked } from "./panel.js"
import { binOf } from "./spine.js"
import { rangeOf } from "./strips.js"

const LEFT = 52
const ROW = 20
const STRIP = 46

export const changedPanel = {
  id: "changed",
  title(frame) {
    const found = changedOf(frame)
    if (!found?.inside) return "What changed here and not around"
    const { total, numbers } = found.meta
    if (!total) return `Nothing changed in ${nameOf(found)} that did not change around it`
    const [some, all] = [total, numbers].map((n) => n.toLocaleString("en"))
    return `${some} of memory’s ${all} numbers changed in ${nameOf(found)} and not around it`
  },
  note: () => "choose segments here, or drag over the cosines above; counted: what moves three times as much as around",
  controls(frame, act) {
    const [first, last] = rangeOf(frame.view)
    const n = frame.overview.meta.n_segments
    const field = (name, value, put) => {
      const onchange = (event) => {
        const asked = clamp(Math.round(Number(event.target.value)) || 1, 1, n)
        const [a, b] = put(asked)
        act.pin({ range: `${Math.min(a, b)}-${Math.max(a, b)}` })
      }
      return el("label", { class: "pick" }, name, el("input", { type: "number", min: 1, max: n, value, onchange }))
    }
    return [
      field("segments", first, (asked) => [asked, Math.max(asked, last)]),
      field("to", last, (asked) => [Math.min(asked, first), asked]),
      frame.view.range ? button("Follow the cursor", () => act.pin({ range: null }), { class: "toggle" }) : "",
    ]
  },
  draw(body, frame, act) {
    if (!frame.overview.meta.n_memory) return locked(body, "This model has no memory.")
    const found = changedOf(frame)
    if (found?.meta.error) return locked(body, found.meta.error)
    if (!found?.inside) return body.firstChild ? null : locked(body, "The numbers are on their way.")
    const width = frame.all.length > 1 ? body.clientWidth : body.clientWidth / 2 - 16
    body.replaceChildren(el("div", { class: "two" },
      el("div", {}, slots(found, width, frame), cells(found)),
      el("div", {}, matches(found, width, frame, act), others(found, act)),
    ))
  },
  table(frame) {
    const found = changedOf(frame)
    const columns = ["slot", "dimension", "inside", "around"]
    if (!found?.inside) return { columns, rows: [] }
    const whole = range(found.inside.data.length).map((slot) =>
      [slot + 1, "all", shown(found.inside.data[slot]), shown(found.around.data[slot])]
    )
    const single = range(found.cells.shape[0]).map((i) => [
      found.cells.data[2 * i] + 1, found.cells.data[2 * i + 1] + 1,
      shown(found.moved.data[2 * i]), shown(found.moved.data[2 * i + 1]),
    ])
    return { columns, rows: [...whole, ...single] }
  },
}

function changedOf(frame) {
  const [first, last] = rangeOf(frame.view).map((segment) => Math.min(segment, frame.overview.meta.n_segments))
  return frame.ask(`changed/${first - 1}/${last - 1}`)
}

function nameOf({ meta: { first, last } }) {
  return first === last ? `segment ${first + 1}` : `segments ${first + 1}–${last + 1}`
}

// Each slot's change a segment, inside against around.
function slots(found, width, { theme, view }) {
  const n = found.inside.data.length
  const most = Math.max(...found.inside.data, ...found.around.data, 1e-9)
  const row = Math.max(8, Math.min(ROW, 220 / n))
  const node = figure(width, n * row + 22, slotsLabel(found), theme)
  const room = width - LEFT - 110
  const small = { "font-size": 12, fill: theme.muted }
  node.append(...range(n).flatMap((slot) => {
    const [inside, around] = [found.inside.data[slot], found.around.data[slot]]
    const y = slot * row
    const look = view.slot === slot + 1 ? { ...small, fill: theme.accent } : small
    const end = LEFT + (Math.max(inside, around) / most) * room
    return [
      row > 10 || slot % 2 === 0
        ? words(0, y + row / 2 + 4, `slot ${slot + 1}`, look)
        : null,
      box(LEFT, y + 2, (inside / most) * room, row - 4, theme.change, { rx: 2 }),
      box(LEFT + (around / most) * room - 1, y, 2.5, row, theme.ink),
      row > 10
        ? words(end + 8, y + row / 2 + 4, `${shown(inside)}, around ${shown(around)}`, small)
        : null,
    ].filter(Boolean)
  }))
  node.append(words(LEFT, n * row + 16, "change a segment: bar in the range, line around it", small))
  return node
}

function slotsLabel(found) {
  const each = range(found.inside.data.length).map((slot) =>
    `slot ${slot + 1} ${shown(found.inside.data[slot])}, around ${shown(found.around.data[slot])}`
  )
  return `Change of each slot in ${nameOf(found)} and around: ${each.slice(0, 12).join("; ")}`
}

function cells(found) {
  const n = Math.min(6, found.cells.shape[0])
  if (!n) return el("p", { class: "remark" }, "No single number stands out.")
  const named = range(n).map((i) => {
    const [slot, dimension] = [found.cells.data[2 * i], found.cells.data[2 * i + 1]]
    const [inside, around] = [found.moved.data[2 * i], found.moved.data[2 * i + 1]].map(shown)
    return `slot ${slot + 1}, dimension ${dimension + 1} (${inside} against ${around})`
  })
  return el("p", { class: "remark" }, `Most of all: ${named.join(" · ")}.`)
}

// How much of the signature moves in every other segment.
function matches(found, width, { theme, view }, act) {
  const edges = found.edges.data
  const n = edges.length - 1
  const step = (width - 40) / n
  const title = "share of these numbers that moves in each segment"
  const node = figure(width, STRIP + 40, `The ${title}`, theme)
  node.append(words(0, 12, title, { "font-weight": 600, fill: theme.change }))
  const [first, last] = [found.meta.first, found.meta.last].map((segment) => binOf({ edges: found.edges }, segment))
  node.append(
    box(30 + first * step, 18, (last - first + 1) * step, STRIP, theme.accent, { opacity: 0.14 }),
    ...range(n).map((bin) => {
      const height = (found.match.data[bin] || 0) * STRIP
      const gap = step > 6 ? 1 : 0
      return box(30 + bin * step + gap, 18 + STRIP - height, step - 2 * gap, height, theme.change)
    }),
    box(30, 18 + STRIP, n * step, 1, theme.line),
    words(24, 28, "1", { "text-anchor": "end", "font-size": 12, fill: theme.muted }),
    words(24, 18 + STRIP, "0", { "text-anchor": "end", "font-size": 12, fill: theme.muted }),
    words(30, 34 + STRIP, "1", { "font-size": 12, fill: theme.muted }),
    words(30 + n * step, 34 + STRIP, String(edges[n]), { "font-size": 12, "text-anchor": "end", fill: theme.muted }),
  )
  const at = (event) => clamp(Math.floor((event.clientX - node.getBoundingClientRect().left - 30) / step), 0, n - 1)
  node.onpointermove = (event) => {
    const bin = at(event)
    const [from, to] = [edges[bin] + 1, edges[bin + 1]]
    const name = to > from ? `Segments ${from}–${to}` : `Segment ${to}`
    act.tip(event, [name, `share ${shown(found.match.data[bin])}${to > from ? " at most" : ""}`])
  }
  node.onpointerleave = () => act.tip(null)
  node.onclick = (event) => act.go(edges[at(event)] + 1)
  return node
}

function others(found, act) {
  const { alike, next, total } = found.meta
  const remark = (text) => el("p", { class: "remark" }, text)
  if (!total) return remark("Without such numbers there is nothing to look for in other segments.")
  if (!alike.length) {
    const [best] = next
    const nearest = best ? ` The nearest is segment ${best.segment + 1}, where ${shown(best.share)} of them move.` : ""
    return remark(`No other segment moves half of them.${nearest}`)
  }
  const links = alike.map(({ segment, share }) => {
    const name = `Go to segment ${segment + 1}`
    return button(`${segment + 1} (${shown(share)})`, () => act.go(segment + 1), { class: "beat", title: name })
  })
  return el("div", { class: "alike" }, el("span", { class: "note" }, "The same numbers move in segment "), links)
}
