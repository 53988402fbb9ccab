// One attention map, its rows and columns in groups: read memory, tokens, write memory, each block in its colour.

import { range, svg, visible } from "./dom.js"
import { box, rule, words } from "./draw.js"
import { level } from "./theme.js"

export const WHAT = {
  write: "memory looks at tokens",
  read: "tokens look at memory",
  carry: "memory looks at memory",
  local: "all the rest",
}
const NAMES = { read: "read memory", write: "write memory", memory: "memory", tokens: "tokens", mark: "" }
const HUES = { write: "write", read: "read", carry: "change", local: "local" }
const LEFT = 26
const LABELS = 92
const HEAD = 40
const FOOT = 24
const RIGHT = 44
const BETWEEN = 4
const LEAST = 4 // pixels of a slot
const MOST = 0.6 // the share of the room that slots may take for that
const READABLE = 10.5 // pixels a row in which a token can be written

// The group of a row or column and where in it that stands: {kind, index, position}.
export function axisOf(slice, axis, i) {
  const position = slice[axis].data[i]
  const group = slice.meta.groups.find((each) => position >= each.start && position < each.stop)
  return { kind: group.kind, index: position - group.start, position, last: slice[axis].data[i + 1] - 1 - group.start }
}

export function nameOf(slice, axis, i) {
  const { kind, index, last } = axisOf(slice, axis, i)
  const { tokens, start } = slice.meta
  if (kind === "tokens") {
    const number = start + index + 1
    return last > index ? `tokens ${number}–${start + last + 1}` : `“${visible(tokens[index])}” (${number})`
  }
  if (kind === "mark") return slice[axis].data[i] === 0 ? "[CLS]" : "[SEP]"
  const whose = kind === "memory" ? "" : `${kind} `
  return last > index ? `${whose}slots ${index + 1}–${last + 1}` : `${whose}slot ${index + 1}`
}

const reads = (kind) => kind === "read" || kind === "memory"
const writes = (kind) => kind === "write" || kind === "memory"

function named(row, column) {
  if (row === "tokens" && reads(column)) return "read"
  if (writes(row) && column === "tokens") return "write"
  return writes(row) && reads(column) ? "carry" : "local"
}

export function blockOf(slice, row, column) {
  return named(axisOf(slice, "rows", row).kind, axisOf(slice, "columns", column).kind)
}

// Neighbouring rows or columns of one group: {kind, from, to} in cells.
function runs(slice, axis) {
  const n = slice[axis].data.length - 1
  const found = []
  for (const i of range(n)) {
    const { kind, position, index } = axisOf(slice, axis, i)
    const last = found.at(-1)
    if (last && last.group === position - index) last.to = i + 1
    else found.push({ kind, from: i, to: i + 1, group: position - index })
  }
  return found
}

// Where each cell is: slots get a few pixels at least, tokens share what is left.
function layAxis(slice, axis, room) {
  const groups = runs(slice, axis)
  const total = groups.at(-1).to
  const even = (room - BETWEEN * (groups.length - 1)) / total
  const rest = groups.filter((group) => group.kind !== "tokens")
  const others = rest.reduce((sum, group) => sum + group.to - group.from, 0)
  const small = others * LEAST > MOST * room ? even : Math.max(even, LEAST) // a long cache leaves room for the tokens
  const step = total > others ? (room - BETWEEN * (groups.length - 1) - small * others) / (total - others) : small
  let at = 0
  for (const group of groups) {
    Object.assign(group, { at, step: group.kind === "tokens" ? step : small })
    group.size = (group.to - group.from) * group.step
    at += group.size + BETWEEN
  }
  return { groups, size: at - BETWEEN, step }
}

const place = (axis, i) => {
  const group = axis.groups.find((each) => i >= each.from && i < each.to)
  return { at: group.at + (i - group.from) * group.step, size: group.step }
}

function placed(axis, first, last) {
  const [from, to] = [place(axis, first), place(axis, last)]
  return { at: from.at, size: to.at + to.size - from.at }
}

function cellAt(axis, offset) {
  const group = axis.groups.find((each) => offset >= each.at && offset < each.at + each.size)
  return group ? group.from + Math.floor((offset - group.at) / group.step) : null
}

// Draws a map into an area {x, width, tallest, single}; gives its node and how to find cells in it.
export function drawMap(map, area, top, frame) {
  const { slice } = map
  const written = area.single && Math.min(area.width - LABELS - RIGHT, area.tallest) / slice.map.shape[0] >= READABLE
  const left = written ? LABELS : LEFT
  const head = written ? HEAD + 62 : HEAD
  const right = area.single ? RIGHT : 2
  const room = Math.min(area.width - left - right, area.tallest)
  const [rows, columns] = [layAxis(slice, "rows", room), layAxis(slice, "columns", room)]
  const x = area.x + left + (area.single ? Math.max(0, (area.width - left - right - room) / 2) : 0)
  const node = svg("g", {},
    words(x, 12, [`segment ${map.segment}`, map.beat].filter(Boolean).join(" · "), { "font-weight": 600 }),
    ...blocks(slice, rows, columns, { x, y: head }, top, frame.theme),
    ...labels(rows, columns, { x, y: head }, written, area.single, frame.theme),
    ...spans(slice, frame, rows, columns, { x, y: head }),
    ...(written ? tokens(slice, rows, columns, { x, y: head }, frame.theme) : []),
  )
  return {
    node, map, x: area.x, width: area.width, height: head + rows.size + FOOT,
    at(px, py) {
      const [row, column] = [cellAt(rows, py - head), cellAt(columns, px - x)]
      return row == null || column == null ? null : { row, column }
    },
    cross({ row, column, lastRow = row, lastColumn = column }, theme) {
      if (lastRow >= slice.map.shape[0] || lastColumn >= slice.map.shape[1]) return []
      const [r, c] = [placed(rows, row, lastRow), placed(columns, column, lastColumn)]
      const look = { stroke: theme.ink, "stroke-width": 1, opacity: 0.45 }
      return [
        rule(x, head + r.at + r.size / 2, x + columns.size, head + r.at + r.size / 2, theme.ink, look),
        rule(x + c.at + c.size / 2, head, x + c.at + c.size / 2, head + rows.size, theme.ink, look),
        box(x + c.at - 1, head + r.at - 1, c.size + 2, r.size + 2, "none", { stroke: theme.ink, "stroke-width": 2 }),
      ]
    },
  }
}

function blocks(slice, rows, columns, origin, top, theme) {
  return rows.groups.flatMap((row) => columns.groups.flatMap((column) => {
    const name = named(row.kind, column.kind)
    const area = {
      x: origin.x + column.at, y: origin.y + row.at, width: column.size, height: row.size,
    }
    const image = svg("image", {
      ...area, href: paint(slice, row, column, top, theme, name), preserveAspectRatio: "none",
      style: "image-rendering: pixelated",
    })
    const outline = name === "local"
      ? box(area.x, area.y, area.width, area.height, "none", { stroke: theme.line })
      : box(area.x - 1, area.y - 1, area.width + 2, area.height + 2, "none", {
        stroke: theme[HUES[name]], "stroke-width": 1.5,
      })
    return [image, outline]
  }))
}

// One pixel a cell, as a picture that is scaled up: a map of 256² costs no more elements than one of 8².
function paint(slice, row, column, top, theme, name) {
  const [height, width] = [row.to - row.from, column.to - column.from]
  const canvas = document.createElement("canvas")
  Object.assign(canvas, { width, height })
  const context = canvas.getContext("2d")
  const image = context.createImageData(width, height)
  const colours = theme.pixels[HUES[name]]
  for (let r = 0; r < height; r += 1) {
    for (let c = 0; c < width; c += 1) {
      const value = slice.map.data[(row.from + r) * slice.map.shape[1] + column.from + c]
      const colour = Number.isFinite(value) ? colours[level(Math.sqrt(value / top))] : unknown(r, c, theme)
      image.data.set(colour, (r * width + c) * 4)
    }
  }
  context.putImageData(image, 0, 0)
  return canvas.toDataURL()
}

// What was not recorded is chequered, so that it cannot be taken for a weight of zero.
const unknown = (r, c, theme) => ((r + c) % 2 ? theme.pixels.local[0] : theme.pixels.unknown)

function labels(rows, columns, origin, written, single, theme) {
  const look = { fill: theme.muted, "font-size": 12 }
  const drawn = []
  for (const group of columns.groups) {
    if (!NAMES[group.kind] || group.size < 12 || (written && group.kind === "tokens")) continue
    const text = group.size < 74 && group.kind !== "tokens" ? "memory" : NAMES[group.kind]
    if (group.size < 40 && !single) continue
    const wide = group.size > 60
    const anchor = wide ? origin.x + group.at + group.size / 2 : origin.x + group.at
    drawn.push(words(anchor, origin.y - 9, text, { ...look, "text-anchor": wide ? "middle" : "start" }))
  }
  for (const group of rows.groups) {
    if (!NAMES[group.kind] || (written && group.kind === "tokens")) continue
    const [px, py] = [origin.x - 12, origin.y + group.at + group.size / 2]
    const text = group.size < 70 && group.kind !== "tokens" ? "memory" : NAMES[group.kind]
    if (group.size < 40) continue
    drawn.push(words(px, py, text, { ...look, "text-anchor": "middle", transform: `rotate(-90 ${px} ${py})` }))
  }
  const write = rows.groups.find((group) => writes(group.kind))
  const read = columns.groups.find((group) => reads(group.kind))
  const strong = { "font-size": 12, "font-weight": 600 }
  if (write && single) {
    const [px, py] = [origin.x + columns.size + 6, origin.y + write.at + write.size / 2 + 4]
    drawn.push(words(px, py, "write", { ...strong, fill: theme.write }))
  }
  if (read) {
    drawn.push(words(origin.x + read.at, origin.y + rows.size + 15, "read", { ...strong, fill: theme.read }))
  }
  return drawn
}

// Where facts and question stand, on both axes.
function spans(slice, frame, rows, columns, origin) {
  const known = slice.meta.spans.filter((span) => span.kind === "fact" || span.kind === "question")
  const cellsOf = (axis) => range(slice[axis].data.length - 1).filter((i) => axisOf(slice, axis, i).kind === "tokens")
  return known.flatMap((span) => {
    const inside = (axis) => cellsOf(axis).filter((i) => {
      const { index, last } = axisOf(slice, axis, i)
      return last >= span.start && index < span.end
    })
    const [r, c] = [inside("rows"), inside("columns")]
    if (!r.length || !c.length) return []
    const colour = span.kind === "question" ? frame.theme.read : frame.theme.write
    const [top, bottom] = [place(rows, r[0]), place(rows, r.at(-1))]
    const [from, to] = [place(columns, c[0]), place(columns, c.at(-1))]
    return [
      box(origin.x - 6, origin.y + top.at, 3, bottom.at + bottom.size - top.at, colour, { rx: 1.5 }),
      box(origin.x + from.at, origin.y - 6, to.at + to.size - from.at, 3, colour, { rx: 1.5 }),
    ]
  })
}

function tokens(slice, rows, columns, origin, theme) {
  const text = (axis, i) => {
    const { kind, index } = axisOf(slice, axis, i)
    return kind === "tokens" ? visible(slice.meta.tokens[index]).slice(0, 12) : ""
  }
  const look = { "font-size": 12, fill: theme.muted }
  return [
    ...range(slice.map.shape[0]).map((i) => {
      const at = place(rows, i)
      const py = origin.y + at.at + at.size / 2 + 3.5
      return words(origin.x - 22, py, text("rows", i), { ...look, "text-anchor": "end" })
    }),
    ...range(slice.map.shape[1]).map((i) => {
      const at = place(columns, i)
      const [px, py] = [origin.x + at.at + at.size / 2 + 3.5, origin.y - 22]
      return words(px, py, text("columns", i), { ...look, transform: `rotate(-90 ${px} ${py})` })
    }),
  ]
}
