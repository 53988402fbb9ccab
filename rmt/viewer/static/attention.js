// Whole attention maps in labelled blocks: of one segment, of two side by side, or of all beats of the run.

import { button, el, picker, range, shown, svg, visible } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { axisOf, blockOf, drawMap, nameOf, WHAT } from "./blocks.js"
import { locked, NO_ATTENTION } from "./panel.js"

const GAP = 18
const TALLEST = { low: 420, high: 640 }
const EXACT = 420 // pixels of the window of exact cells
const MOST_SEEN = 0.995 // the share of weights that the colours tell apart; a decoder's first rows would set the scale
const HOWS = [["mean", "mean"], ["max", "maximum"]]

export const attentionPanel = {
  id: "attention",
  title: (frame) => finding(frame),
  note: (frame) => `${frame.whose.replace("mean", howOf(frame))} · ${told(mapsOf(frame)[0])}`,
  controls: (frame, act) => [
    ...choices(frame, act),
    besideButton(frame, act),
    frame.overview.meta.beats.length > 1
      ? button("Figure 6", () => act.pin({ beside: frame.view.beside === "beats" ? null : "beats" }), {
        class: "toggle", "aria-pressed": String(frame.view.beside === "beats"),
        title: "The moments of the paper’s Figure 6 side by side: write, keep, append, read",
      })
      : "",
    cellPickers(frame, act),
  ],
  draw(body, frame, act) {
    if (!frame.overview.meta.n_heads) return locked(body, NO_ATTENTION)
    const maps = mapsOf(frame)
    if (maps.some(({ slice }) => !slice && !body.firstChild)) return locked(body, "The map is on its way.")
    if (maps.some(({ slice }) => !slice)) return // what is there stays until the new one is here
    const failed = maps.find(({ slice }) => slice.meta.error)
    if (failed) return locked(body, failed.slice.meta.error)
    body.closest(".panel").classList.toggle("wide", maps.length > 1)
    const width = Math.floor((body.clientWidth - GAP * (maps.length - 1)) / maps.length)
    const top = Math.max(...maps.map(({ slice }) => high(slice)))
    const tallest = room(body)
    const node = figure(body.clientWidth, 10, label(maps), frame.theme)
    const drawn = maps.map((map, i) => {
      const area = { x: i * (width + GAP), width, tallest, single: maps.length === 1 }
      return drawMap(map, area, top, frame)
    })
    const height = Math.max(...drawn.map((each) => each.height))
    node.setAttribute("height", height)
    node.setAttribute("viewBox", `0 0 ${body.clientWidth} ${height}`)
    node.append(...drawn.map((each) => each.node), svg("g", { class: "marks", "pointer-events": "none" }))
    node.drawn = drawn
    interact(node, frame, act)
    const { picture, said, exact } = places(body)
    picture.replaceChildren(node, below(maps, top, frame))
    say(said, maps, frame.view.cell)
    exact.replaceChildren(zoom(maps, frame, act, body.clientWidth) ?? "")
    mark(node, frame, frame.view.cell)
    if (maps.every(({ slice }) => slice.meta.known)) body.dataset.whole = maps.map(({ segment }) => segment).join()
    else delete body.dataset.whole
  },
  table(frame) {
    const rows = here(frame).flatMap(({ segment, slice }) => strongest(segment, slice))
    return { columns: ["segment", "query", "looks most at", "weight", "block", "on memory"], rows }
  },
  csv(frame) {
    const rows = here(frame).flatMap(({ segment, slice }) => cells(segment, slice))
    return { columns: ["segment", "query position", "query", "key position", "key", "block", "weight"], rows }
  },
}

const here = (frame) => mapsOf(frame).filter(({ slice }) => slice?.map)
const howOf = (frame) => (frame.view.how === "max" ? "maximum" : "mean")

function room(body) {
  if (body.closest("dialog")) return window.innerHeight - 260
  return window.innerHeight < 800 ? TALLEST.low : TALLEST.high
}

// The segments that are shown, with their slices as far as they are here.
function mapsOf(frame) {
  const { segment, beside } = frame.view
  const { beats, n_segments: n } = frame.overview.meta
  const named = (s) => beats.find((beat) => beat.segment + 1 === s)?.kind ?? ""
  const wanted = beside === "beats"
    ? beats.map((beat) => beat.segment + 1)
    : [...new Set([segment, beside])].filter((s) => s && s <= n).sort((a, b) => a - b)
  return wanted.map((s) => ({ segment: s, beat: named(s), slice: frame.ask(path(s, frame.view)) }))
}

export function path(segment, { layer, head, how }) {
  const query = new URLSearchParams()
  if (layer) query.set("layer", layer - 1)
  if (head) query.set("head", head - 1)
  if (how && how !== "mean") query.set("how", how)
  return `attention/${segment - 1}${query.size ? `?${query}` : ""}`
}

function told({ slice }) {
  if (!slice) return "on its way"
  if (slice.meta.state === "absent") return "recorded blocks only"
  if (slice.meta.kept) return "replayed from the stored memory"
  return slice.meta.known ? "replayed live from the stored memory" : "recorded blocks; the whole map is being replayed"
}

function choices(frame, act) {
  const { n_layers: layers, n_heads: heads } = frame.overview.meta
  const options = (n) => [["", "all"], ...range(n).map((i) => [String(i + 1), String(i + 1)])]
  const { layer, head, how } = frame.view
  return [
    picker("layer", options(layers), String(layer ?? ""), (value) => act.pin({ layer: Number(value) || null })),
    picker("head", options(heads), String(head ?? ""), (value) => act.pin({ head: Number(value) || null })),
    layer && head ? "" : picker("take their", HOWS, how ?? "mean", (value) => act.pin({ how: value })),
  ]
}

function besideButton(frame, act) {
  const { segment, beside } = frame.view
  const kept = Number.isInteger(beside)
  const toggle = () => act.pin({ beside: kept ? null : segment })
  return button(kept ? `Let go of segment ${beside}` : "Keep beside", toggle, {
    class: "toggle", "aria-pressed": String(kept), title: "Keep this segment on the screen, and step to another one",
  })
}

// A cell without a mouse: a query brings what it looks at most, a key what looks at it most.
function cellPickers(frame, act) {
  const { cell } = frame.view
  const maps = mapsOf(frame)
  const map = Math.min(cell?.map ?? 0, maps.length - 1)
  const slice = maps[map].slice
  if (!slice?.map) return ""
  const [rows, columns] = slice.map.shape
  const options = (axis, n) => [["", "none"], ...range(n).map((i) => [String(i), nameOf(slice, axis, i)])]
  const weight = (row, column) => slice.map.data[row * columns + column]
  const most = (n, of) => range(n).reduce((best, i) => ((of(i) || 0) > (of(best) || 0) ? i : best), 0)
  const pin = (text, found) => act.pin({ cell: text === "" ? null : { map, ...found(Number(text)) } })
  return el("span", { class: "cells" },
    picker("query", options("rows", rows), String(cell?.row ?? ""), (text) =>
      pin(text, (row) => ({ row, column: most(columns, (i) => weight(row, i)) }))),
    picker("key", options("columns", columns), String(cell?.column ?? ""), (text) =>
      pin(text, (column) => ({ column, row: cell?.row ?? most(rows, (i) => weight(i, column)) }))),
  )
}

function high(slice) {
  const weights = slice.map.data.filter((weight) => weight > 0).sort()
  return Math.max(weights[Math.floor((weights.length - 1) * MOST_SEEN)] ?? 0, 1e-9)
}

function finding(frame) {
  const [first] = mapsOf(frame)
  const kinds = frame.overview.meta.beats.map(({ kind }) => kind).join(", ")
  if (frame.view.beside === "beats") return `The moments of this run: ${kinds}`
  const { write, read } = first.slice?.meta.shares ?? {}
  if (write === undefined && read === undefined) return `Attention in segment ${frame.view.segment}`
  const parts = [
    write === undefined ? "" : `${percent(write)} of memory’s attention goes to tokens`,
    read === undefined ? "" : `${percent(read)} of the tokens’ to memory`,
  ]
  return `Segment ${first.segment}: ${parts.filter(Boolean).join(", ")}`
}

const percent = (share) => `${Math.round(100 * share)} %`

function label(maps) {
  const each = maps.map(({ segment, slice }) => {
    const shares = Object.entries(slice.meta.shares).map(([name, share]) => `${name} ${shown(share)}`)
    return `segment ${segment}: ${shares.join(", ") || "no shares"}`
  })
  return `Attention from each position (rows) to each position (columns). Shares of blocks in ${each.join("; ")}`
}

// Under the maps: what the blocks mean, the scale, and why something is missing.
function below(maps, top, frame) {
  const why = maps.find(({ slice }) => slice.meta.why)?.slice.meta.why
  const key = Object.entries(WHAT).map(([name, what]) =>
    el("span", { class: `block-${name}` }, el("b", {}, name), `: ${what}`)
  )
  return el("div", {},
    el("div", { class: "key" }, scale(top, frame), key),
    why ? el("p", { class: "remark" }, `Only the blocks that touch memory were recorded. ${why}`) : null,
  )
}

// What the card is made of. The line that says what is pinned stays: a screen reader listens to it.
function places(body) {
  if (body.places?.said.parentNode !== body) {
    const said = el("p", { class: "remark pinned", "aria-live": "polite" })
    body.places = { picture: el("div"), said, exact: el("div") }
    body.replaceChildren(...Object.values(body.places))
  }
  return body.places
}

function say(said, maps, cell) {
  const map = cell && (maps[cell.map] ?? maps[0])
  const text = map && within(map.slice, cell) ? `Pinned: ${describe(map, cell).join(", ")}. Esc lets go.` : ""
  if (said.textContent !== text) said.textContent = text
}

// Whether a map has such a cell: another segment may be shorter.
const within = ({ map }, { row, column }) => row < map.shape[0] && column < map.shape[1]

// Square roots spread small weights apart; the ticks say what a colour stands for.
function scale(top, { theme }) {
  const [width, height] = [120, 8]
  const node = figure(width + 190, 16, `Colour: square root of the weight, from 0 to ${shown(top)} and more`, theme)
  const step = width / theme.ramps.local.length
  node.append(
    words(0, 12, "0", { fill: theme.muted, "font-size": 12 }),
    ...theme.ramps.local.map((colour, i) => box(12 + i * step, 4, step + 0.5, height, colour.fill)),
    box(12, 4, width, height, "none", { stroke: theme.line }),
    words(width + 18, 12, `${shown(top)} and more (square root)`, { fill: theme.muted, "font-size": 12 }),
  )
  return node
}

// Exact cells around the pinned one, of a map that is pooled.
function zoom(maps, frame, act, width) {
  const { cell } = frame.view
  const { segment, slice } = maps[cell?.map] ?? maps[0]
  if (!slice.meta.pooled) return null
  const note = (text) => el("p", { class: "remark" }, text)
  if (!slice.meta.known) return note("Exact cells come with the whole map.")
  if (!cell || !within(slice, cell)) {
    return note("Each cell is the largest of several; click one, or choose a query, to see exact cells around it.")
  }
  const query = path(segment, frame.view)
  const at = `row=${slice.rows.data[cell.row]}&column=${slice.columns.data[cell.column]}`
  const window = frame.ask(`${query}${query.includes("?") ? "&" : "?"}${at}`)
  if (!window?.map) return note("Exact cells are on their way.")
  const top = high(window)
  const node = figure(width, 10, `Exact weights around the pinned cell of segment ${segment}`, frame.theme)
  const area = { x: 0, width, tallest: EXACT, single: true }
  const drawn = drawMap({ segment, beat: "exact cells", slice: window }, area, top, frame)
  node.setAttribute("height", drawn.height)
  node.setAttribute("viewBox", `0 0 ${width} ${drawn.height}`)
  node.append(drawn.node, ...drawn.cross(inWindow(window, slice, cell), frame.theme).slice(-1))
  node.drawn = [drawn]
  node.onpointermove = (event) => {
    const found = cellUnder(node, event)
    act.tip(found ? event : null, found && describe(drawn.map, found))
  }
  node.onpointerleave = () => act.tip(null)
  return el("div", { class: "exact" }, node, el("div", { class: "key" }, scale(top, frame)))
}

// The pooled cell among those of its window.
function inWindow(window, slice, { row, column }) {
  const first = (axis, i) => slice[axis].data[i] - window[axis].data[0]
  const last = (axis, i) => Math.min(first(axis, i + 1), window.map.shape[axis === "rows" ? 0 : 1]) - 1
  return {
    row: first("rows", row), column: first("columns", column),
    lastRow: last("rows", row), lastColumn: last("columns", column),
  }
}

function cellUnder(node, event) {
  const area = node.getBoundingClientRect()
  const [x, y] = [event.clientX - area.left, event.clientY - area.top]
  const map = node.drawn.findIndex((each) => x >= each.x && x < each.x + each.width)
  const cell = map < 0 ? null : node.drawn[map].at(x, y)
  return cell && { map, ...cell }
}

function interact(node, frame, act) {
  const at = (event) => cellUnder(node, event)
  node.onpointermove = (event) => {
    const cell = at(event)
    mark(node, frame, cell ?? frame.view.cell)
    act.tip(cell ? event : null, cell && describe(node.drawn[cell.map].map, cell))
  }
  node.onpointerleave = () => {
    mark(node, frame, frame.view.cell)
    act.tip(null)
  }
  node.onclick = (event) => at(event) && act.pin({ cell: at(event) })
}

// What a cell says: both tokens, the weight, the block.
function describe({ slice }, { row, column }) {
  const weight = slice.map.data[row * slice.map.shape[1] + column]
  const [query, key] = [nameOf(slice, "rows", row), nameOf(slice, "columns", column)]
  if (!Number.isFinite(weight)) return [`${query} → ${key}`, "not recorded"]
  const most = slice.meta.pooled ? "at most " : ""
  return [`${query} → ${key}`, `weight ${most}${shown(weight)}`, blockOf(slice, row, column)]
}

function mark(node, frame, cell) {
  const host = node.querySelector(":scope > .marks")
  const drawn = cell && (node.drawn[cell.map] ?? node.drawn[0])
  host.replaceChildren(...(drawn ? drawn.cross(cell, frame.theme) : []))
}

function strongest(segment, slice) {
  const [rows, columns] = slice.map.shape
  const memory = range(columns).filter((c) => ["read", "memory"].includes(axisOf(slice, "columns", c).kind))
  return range(rows).map((r) => {
    const weights = slice.map.data.subarray(r * columns, (r + 1) * columns)
    const best = range(columns).reduce((top, c) => (weights[c] > (weights[top] ?? -1) ? c : top), -1)
    const onMemory = memory.reduce((sum, c) => sum + weights[c], 0)
    const looked = best < 0
      ? ["–", "–", "–"]
      : [nameOf(slice, "columns", best), shown(weights[best]), blockOf(slice, r, best)]
    return [segment, nameOf(slice, "rows", r), ...looked, slice.meta.pooled ? "–" : shown(onMemory)]
  })
}

function cells(segment, slice) {
  const [rows, columns] = slice.map.shape
  return range(rows).flatMap((r) => range(columns).map((c) => [
    segment, slice.rows.data[r], nameOf(slice, "rows", r), slice.columns.data[c], nameOf(slice, "columns", c),
    blockOf(slice, r, c), slice.map.data[r * columns + c],
  ]))
}
