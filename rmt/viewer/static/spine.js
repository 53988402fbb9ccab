// The spine: the whole run in one strip. Built once a run; a step only moves the cursor.

import { clamp, pointer, range, shown, svg } from "./dom.js"
import { box, figure, rule, stride, words } from "./draw.js"
import {
  drawPeople, heightOf, labelsWidth, ownedMark, people, peopleCells, peopleColumns, rowAt, scoresWidth, tipOf, whoOf,
} from "./people.js"

const LABELS = 76
const RIGHT = 12
const HEAD = 36
const ROOM = 54 // of a mark's word
const UNITS = { write: [0, 1], read: [0, 1], knows: [0, 1] }

export const spinePanel = {
  id: "spine",
  title: () => "The whole run",
  note: (frame) => (
    pooled(frame.overview)
      ? "maximum (pale) and mean of neighbouring segments; click to go there"
      : "one column a segment; click to go there"
  ),
  draw(body, frame, act) {
    const width = body.clientWidth
    const key = `${frame.overview.meta.id} ${width} ${frame.theme.page} ${frame.rowHeight} ${whoOf(frame)}`
    if (body.key !== key) {
      body.key = key
      body.replaceChildren(build(width, frame, act))
    }
    moveCursor(body.firstChild, frame)
  },
  table(frame) {
    const { overview } = frame
    const names = rowsOf(overview)
    const rows = range(bins(overview)).map((bin) =>
      [
        name(overview, bin),
        ...names.flatMap((row) => [shown(overview[`${row}_max`].data[bin]), shown(overview[`${row}_mean`].data[bin])]),
        ...peopleCells(overview, bin),
      ]
    )
    const columns = names.map((row) => nameOf(row, overview)).flatMap((row) => [`${row}, maximum`, `${row}, mean`])
    return { columns: ["segment", ...columns, ...peopleColumns(overview)], rows }
  },
}

const bins = (overview) => overview.edges.data.length - 1
const pooled = (overview) => bins(overview) < overview.meta.n_segments

// What a row is called: without a right answer to hold it against, "knows" follows the model's own.
const nameOf = (row, overview) => (row === "knows" ? overview.meta.answer : row)

// knows where there is a question, else loss; where several can be asked for, a row for each of them.
function rowsOf(overview) {
  if (people(overview).length) return ["write", "read", "change"].filter((row) => overview[`${row}_max`])
  const last = overview.knows_max ? "knows" : "loss"
  return ["write", "read", "change", last].filter((row) => overview[`${row}_max`])
}

function name(overview, bin) {
  const [from, to] = [overview.edges.data[bin] + 1, overview.edges.data[bin + 1]]
  return from === to ? `${from}` : `${from}–${to}`
}

export function binOf(overview, segment) {
  const edges = overview.edges.data
  let [low, high] = [0, edges.length - 2]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (edges[middle] <= segment) low = middle
    else high = middle - 1
  }
  return low
}

function build(width, frame, act) {
  const { overview, theme } = frame
  const rows = rowsOf(overview)
  const scores = Math.max(...frame.all.map((each) => scoresWidth(each.overview, width))) // one axis for two runs
  const [right, columns] = [Math.max(RIGHT, scores), Math.max(...frame.all.map((each) => bins(each.overview)))]
  const left = Math.max(LABELS, ...frame.all.map((each) => labelsWidth(each.overview)))
  const place = {
    width, right, scores, left, step: (width - left - right) / columns, top: HEAD, row: frame.rowHeight,
    people: HEAD + rows.length * frame.rowHeight + 4, each: Math.round(frame.rowHeight * 0.35) + 10,
  }
  const height = HEAD + rows.length * place.row + 6 + heightOf(overview, place.each)
  const followed = people(overview).map(({ name }) => `answers about ${name}`)
  const named = [...rows.map((row) => nameOf(row, overview)), ...followed].join(", ")
  const node = figure(width, height, `The whole run: ${named} of ${overview.meta.n_segments} segments`, theme)
  node.place = place
  node.append(svg("g", { class: "cursor" }), svg("g", { class: "hover" }))
  rows.forEach((row, i) =>
    node.append(rowLabel(row, i, overview, place, theme), drawRow(row, i, overview, place, theme))
  )
  if (people(overview).length) node.append(drawPeople(frame, place))
  node.append(numbers(overview, place, theme), marks(overview, place, theme))
  interact(node, frame, act, rows)
  return node
}

function most(row, overview) {
  return UNITS[row]?.[1] ?? overview.meta.most[row]
}

function rowLabel(row, i, overview, place, theme) {
  const base = place.top + (i + 1) * place.row
  const top = shown(most(row, overview)).replace(/\.00$/, "")
  return svg("g", {},
    rule(place.left, base, place.width - place.right, base, theme.line),
    words(0, Math.min(base - place.row / 2 + 2, base - 15), nameOf(row, overview), { fill: theme[row], "font-weight": 600 }),
    words(0, base - 2, `0–${top}`, { fill: theme.muted, "font-size": 12 }),
  )
}

function drawRow(row, i, overview, place, theme) {
  const base = place.top + (i + 1) * place.row
  const height = place.row - 7
  const top = most(row, overview)
  const y = (value) => base - (clamp(value, 0, top) / top) * height
  const at = (bin) => place.left + bin * place.step
  const [highest, mean] = [overview[`${row}_max`].data, overview[`${row}_mean`].data]
  if (row === "knows") return line(mean, y, at, place, theme[row])
  const [pad, corner] = [place.step > 8 ? place.step * 0.16 : 0, place.step > 16 ? 2 : 0]
  const bar = (series, bin, opacity) => box(
    at(bin) + pad,
    y(series[bin]),
    place.step - 2 * pad,
    base - y(series[bin]),
    theme[row],
    { rx: corner, "data-bin": bin, opacity },
  )
  const shownBins = range(mean.length).filter((bin) => Number.isFinite(mean[bin]))
  return svg("g", {},
    pooled(overview) ? svg("g", {}, shownBins.map((bin) => bar(highest, bin, 0.35))) : null,
    svg("g", { class: "bars" }, shownBins.map((bin) => bar(mean, bin, 0.62))),
  )
}

function line(series, y, at, place, colour) {
  const points = range(series.length).filter((bin) => Number.isFinite(series[bin])).map((bin) =>
    [at(bin) + place.step / 2, y(series[bin])]
  )
  const d = points.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("")
  return svg("g", {},
    svg("path", { d, fill: "none", stroke: colour, "stroke-width": 2, "stroke-linejoin": "round" }),
    place.step > 14 ? points.map(([cx, cy]) => svg("circle", { cx, cy, r: 3, fill: colour })) : null,
  )
}

function numbers(overview, place, theme) {
  const n = overview.edges.data.at(-1)
  const every = stride(n, bins(overview) * place.step, 34)
  const shownSegments = [1, ...range(n + 1).filter((segment) => segment > 1 && segment % every === 0)]
  return svg("g", { class: "ticks" }, shownSegments.map((segment) => {
    const bin = binOf(overview, segment - 1)
    return words(place.left + (bin + 0.5) * place.step, HEAD - 8, String(segment), {
      "text-anchor": "middle", "font-size": 12, fill: theme.muted, "data-tick": pooled(overview) ? null : bin,
    })
  }))
}

// Facts and question above the numbers; where many are close, only marks, no words.
function marks(overview, place, theme) {
  let free = -Infinity
  const isOwned = ({ kind, who }) => kind === "fact" && who != null
  const owned = new Map() // bin -> its marks
  for (const mark of overview.meta.marks.filter(isOwned)) {
    const bin = binOf(overview, mark.segment)
    owned.set(bin, [...(owned.get(bin) ?? []), mark])
  }
  const facts = [...owned].map(([bin, marks]) => {
    const x = place.left + (bin + 0.5) * place.step
    const marked = new Set(overview.meta.marks.map(({ segment }) => binOf(overview, segment)))
    const free = [bin - 1, bin + 1].every((beside) => !marked.has(beside)) // then a word may reach over them
    return ownedMark(overview, marks, x, place.step * (free ? 1.9 : 1), theme)
  })
  const others = overview.meta.marks.filter((mark) => !isOwned(mark))
  return svg("g", {}, facts, others.map(({ segment, kind }) => {
    const bin = binOf(overview, segment)
    const x = place.left + (bin + 0.5) * place.step
    const colour = kind === "question" ? theme.read : theme.write
    const label = x - free > ROOM && !owned.has(bin) // names of people stand there
      ? words(clamp(x, 20, place.width - 30), 10, kind, {
        fill: colour, "text-anchor": "middle", "font-size": 12, "font-weight": 600,
      })
      : null
    free = label ? x : free
    return svg("g", {}, label, svg("path", { d: `M${x - 4} 13h8l-4 4z`, fill: colour }))
  }))
}

function moveCursor(node, frame) {
  const { place } = node
  const bin = binOf(frame.overview, frame.view.segment - 1)
  const width = Math.max(place.step, 3)
  const x = place.left + (bin + 0.5) * place.step - width / 2
  const height = node.height.baseVal.value
  node.querySelector(".cursor").replaceChildren(
    box(x, HEAD - 22, width, height - HEAD + 20, frame.theme.accent, {
      rx: Math.min(6, width / 3), opacity: frame.theme.dark ? 0.22 : 0.13,
    }),
    rule(x, height - 2, x + width, height - 2, frame.theme.accent, { "stroke-width": 3, "stroke-linecap": "round" }),
  )
  for (const bar of node.querySelectorAll(".now")) bar.classList.remove("now")
  for (const bar of node.querySelectorAll(`.bars [data-bin="${bin}"]`)) bar.classList.add("now")
  for (const tick of node.querySelectorAll(".ticks .here")) tick.classList.remove("here")
  node.querySelector(`[data-tick="${bin}"]`)?.classList.add("here")
  node.setAttribute("aria-valuenow", frame.view.segment)
  node.setAttribute("aria-valuetext", `Segment ${frame.view.segment} of ${frame.overview.meta.n_segments}`)
}

function interact(node, frame, act, rows) {
  const { overview, theme } = frame
  const binAt = (event) => clamp(Math.floor((pointer(event, node).x - node.place.left) / node.place.step), 0, bins(overview) - 1)
  const hover = node.querySelector(".hover")
  const role = { role: "slider", tabindex: 0, "aria-valuemin": 1, "aria-valuemax": overview.meta.n_segments }
  for (const [key, value] of Object.entries(role)) node.setAttribute(key, value)
  node.onclick = (event) => {
    const { x, y } = pointer(event, node)
    const row = rowAt(overview, node.place, y)
    if (row != null) act.pin({ who: people(overview)[row].name })
    if (row == null || x >= node.place.left) act.go(overview.peak.data[binAt(event)] + 1)
  }
  node.onpointermove = (event) => {
    const bin = binAt(event)
    hover.replaceChildren(
      box(node.place.left + bin * node.place.step, HEAD - 22, node.place.step, 400, theme.ink, { opacity: 0.05 }),
    )
    const single = overview.edges.data[bin + 1] - overview.edges.data[bin] === 1
    act.tip(event, [
      `Segment${single ? "" : "s"} ${name(overview, bin)}`,
      ...rows.map((row) =>
        `${nameOf(row, overview)} ${shown(overview[`${row}_${single ? "mean" : "max"}`].data[bin])}${single ? "" : " at most"}`
      ),
      ...tipOf(overview, bin),
    ])
  }
  node.onpointerleave = () => {
    hover.replaceChildren()
    act.tip(null)
  }
}
