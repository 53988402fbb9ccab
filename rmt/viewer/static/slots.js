// How far each slot moved in each segment: a window of the run around the current one.

import { picker, pointer, range, shown, svg } from "./dom.js"
import { box, figure, stride, words } from "./draw.js"
import { el } from "./dom.js"
import { colourOf } from "./theme.js"

const LEFT = 54
const RIGHT = 8 // for half a long number
const HEAD = 20

export const slotsPanel = {
  id: "slots",
  title: () => "Change of each slot",
  note: () => "distance to itself one segment before",
  controls: (frame, act) => [
    picker(
      "slot",
      [["", "all"], ...range(frame.overview.meta.n_memory).map((i) => [String(i + 1), String(i + 1)])],
      String(frame.view.slot ?? ""),
      (slot) => act.pin({ slot: Number(slot) || null }),
    ),
  ],
  draw(body, frame, act) {
    const [columns, slots] = size(frame)
    const width = body.clientWidth
    const row = Math.max(4, Math.min(22, Math.floor(frame.panelHeight / slots)))
    const step = (width - LEFT - RIGHT) / columns
    const { window_start: first, remark } = frame.slice.meta
    const label = `Change of ${slots} slots in segments ${first + 1} to ${first + columns}. ${remark}`
    const node = figure(width, HEAD + slots * row + 4, label, frame.theme)
    node.append(
      heads(frame, columns, step),
      names(frame, slots, row, act),
      cells(frame, columns, slots, step, row),
      outline(frame, slots, step, row),
    )
    interact(node, frame, act, { columns, slots, step, row })
    body.replaceChildren(node, el("p", { class: "remark" }, frame.slice.meta.remark))
  },
  table(frame) {
    const [columns, slots] = size(frame)
    const rows = range(columns).map((c) =>
      [frame.slice.meta.window_start + c + 1, ...range(slots).map((s) => shown(frame.slice.window.data[c * slots + s]))]
    )
    return { columns: ["segment", ...range(slots).map((s) => `slot ${s + 1}`)], rows }
  },
}

const size = (frame) => frame.slice.window.shape
const current = (frame) => frame.slice.meta.index - frame.slice.meta.window_start

function heads(frame, columns, step) {
  const first = frame.slice.meta.window_start
  const room = Math.max(26, 8 + 6.4 * String(first + columns).length)
  const every = stride(columns, step * columns, room)
  return svg("g", {}, range(columns).filter((c) => (first + c + 1) % every === 0 || c === current(frame)).map((c) => {
    const here = c === current(frame)
    if (!here && Math.abs(c - current(frame)) * step < room - 6) return null
    return words(LEFT + (c + 0.5) * step, 12, String(first + c + 1), {
      "text-anchor": "middle",
      "font-size": 12,
      "font-weight": here ? 700 : 400,
      fill: here ? frame.theme.accent : frame.theme.muted,
    })
  }))
}

function names(frame, slots, row, act) {
  const every = Math.ceil(11 / row)
  return svg("g", {}, range(slots).filter((s) => s % every === 0).map((s) => {
    const pinned = frame.view.slot === s + 1
    return words(0, HEAD + (s + 0.5) * row + 4, `slot ${s + 1}`, {
      class: "pickable",
      "font-size": 12,
      "font-weight": pinned ? 700 : 400,
      fill: pinned ? frame.theme.accent : frame.theme.muted,
      onclick: () => act.pin({ slot: pinned ? null : s + 1 }),
    })
  }))
}

function cells(frame, columns, slots, step, row) {
  const scale = frame.theme.ramps.change
  const gap = row > 8 ? 2 : 0.5
  return svg("g", {}, range(columns).flatMap((c) => range(slots).map((s) => {
    const value = frame.slice.window.data[c * slots + s] / (frame.overview.meta.change_scale || 1)
    const faded = frame.view.slot && frame.view.slot !== s + 1
    return box(
      LEFT + c * step + 1,
      HEAD + s * row,
      step - 2,
      row - gap,
      colourOf(scale, value).fill,
      { rx: Math.min(3, row / 4), opacity: faded ? 0.35 : 1 },
    )
  })))
}

function outline(frame, slots, step, row) {
  return box(LEFT + current(frame) * step, HEAD - 1.5, step, slots * row + 1, "none", {
    rx: 4, stroke: frame.theme.accent, "stroke-width": 2,
  })
}

function interact(node, frame, act, { columns, slots, step, row }) {
  const at = (event) => {
    const { x, y } = pointer(event, node)
    const [c, s] = [Math.floor((x - LEFT) / step), Math.floor((y - HEAD) / row)]
    return c >= 0 && c < columns && s >= 0 && s < slots ? { c, s } : null
  }
  node.onpointermove = (event) => {
    const cell = at(event)
    if (!cell) return act.tip(null)
    act.tip(event, [
      `Segment ${frame.slice.meta.window_start + cell.c + 1} · slot ${cell.s + 1}`,
      `change ${shown(frame.slice.window.data[cell.c * slots + cell.s])}`,
    ])
  }
  node.onpointerleave = () => act.tip(null)
  node.onclick = (event) => at(event) && act.go(frame.slice.meta.window_start + at(event).c + 1)
}
