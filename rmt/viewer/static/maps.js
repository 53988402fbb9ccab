// The segment's thin maps: write memory to tokens above, tokens to read memory below, on one axis of tokens.

import { range, shown, svg, visible } from "./dom.js"
import { box, figure, heat, words } from "./draw.js"
import { locked, NO_ATTENTION } from "./panel.js"
import { mapEnd, runsOf } from "./ends.js"

const LOCKED = "This run did not keep its maps. Record it again with --detail thin to see them here."
const LEFT = 54
const RIGHT = 4
const HEAD = 22
const BETWEEN = 14
const FOOT = 24
const SIDES = ["write", "read"]
const TITLES = {
  write: "write · how much each slot looks at each token",
  read: "read · how much each token looks at each slot",
}

export const mapsPanel = {
  id: "maps",
  title: (frame) => `Memory and tokens in segment ${frame.view.segment}`,
  note: (frame) => frame.whose,
  draw(body, frame, act) {
    if (!frame.slice.write) return locked(body, frame.overview.meta.n_heads ? frame.locked ?? LOCKED : NO_ATTENTION)
    const sides = sidesOf(frame)
    if (!sides.length) return locked(body, "No token attends to memory here, and no memory to tokens.")
    const place = layout(body, frame)
    const node = figure(place.width, place.height, label(frame), frame.theme)
    node.place = place
    for (const side of sides) node.append(...drawSide(side, frame, place, act))
    node.append(...spans(frame, place), svg("g", { class: "marks", "pointer-events": "none" }))
    interact(node, frame, act, place)
    body.replaceChildren(node)
    markMaps(body, frame)
  },
  mark: markMaps,
  table(frame) {
    if (!frame.slice.write) return { columns: ["token", "text"], rows: [] }
    const tokens = frame.slice.write.shape[1]
    const cells = SIDES.flatMap((side) => range(frame.slice[side].shape[0]).map((slot) => ({ side, slot })))
    const rows = range(tokens).map((t) =>
      [
        frame.slice.meta.start + t + 1,
        frame.slice.meta.tokens[t],
        ...cells.map(({ side, slot }) => shown(frame.slice[side].data[slot * tokens + t])),
      ]
    )
    return { columns: ["token", "text", ...cells.map(({ side, slot }) => `${side}, slot ${slot + 1}`)], rows }
  },
}

// The sides that have slots: what is only read has no rows that write, and what is read in another way none that are read.
const sidesOf = (frame) => SIDES.filter((side) => frame.slice[side].shape[0])

// Where each side's rows begin and how high they are; both sides share the axis of tokens.
function layout(body, frame) {
  const width = body.clientWidth
  const tokens = frame.slice.write.shape[1]
  const place = { width, tokens, step: (width - LEFT - RIGHT) / tokens, sides: sidesOf(frame) }
  let top = 0
  for (const side of place.sides) {
    const slots = frame.slice[side].shape[0]
    const row = Math.max(3, Math.min(15, Math.floor(frame.panelHeight / slots)))
    place[side] = { slots, row, top: top + HEAD, height: slots * row }
    top += HEAD + slots * row + BETWEEN
  }
  place.height = top - BETWEEN + FOOT
  return place
}

const most = (side, frame) =>
  mapEnd(frame, side) ?? Math.max(...frame.all.map((each) => Math.max(...(each.slice?.[side]?.data ?? []), 1e-9)))

function label(frame) {
  const top = (side) => {
    const { data, shape } = frame.slice[side]
    const i = data.indexOf(Math.max(...data))
    const [slot, token] = [Math.floor(i / shape[1]) + 1, visible(frame.slice.meta.tokens[i % shape[1]])]
    return `${side} is largest between slot ${slot} and “${token}”, ${shown(data[i])}`
  }
  return `Attention between memory and tokens, ${frame.whose}: ${sidesOf(frame).map(top).join("; ")}`
}

function drawSide(side, frame, place, act) {
  const { theme, slice, view } = frame
  const { slots, row, top, height } = place[side]
  const every = Math.ceil(11 / row)
  const high = most(side, frame)
  const names = range(slots).filter((s) => s % every === 0).map((s) => {
    const pinned = view.slot === s + 1
    const look = pinned ? { "font-weight": 700, fill: theme.accent } : { fill: theme.muted }
    return words(0, top + (s + 0.5) * row + 4, `slot ${s + 1}`, {
      class: "pickable", "font-size": 12, ...look, onclick: () => act.pin({ slot: pinned ? null : s + 1 }),
    })
  })
  return [
    words(LEFT, top - 8, TITLES[side], { "font-weight": 600, fill: theme[side] }),
    words(place.width - RIGHT, top - 8, `0 to ${shown(high)}${mapEnd(frame, side) ? `, ${runsOf(frame)}` : ""}`, {
      "text-anchor": "end", "font-size": 12, fill: theme.muted,
    }),
    ...names,
    heat(
      slice[side].data,
      slots,
      place.tokens,
      { x: LEFT, y: top, width: place.step * place.tokens, height },
      theme.ramps[side],
      high,
    ),
  ]
}

// Where facts and question stand, under the axis of tokens.
function spans(frame, place) {
  const { top, height } = place[place.sides.at(-1)]
  const y = top + height + 4
  return frame.slice.meta.spans.filter((span) => span.kind === "fact" || span.kind === "question").flatMap((span) => {
    const [from, to] = [LEFT + span.start * place.step, LEFT + span.end * place.step]
    const colour = span.kind === "question" ? frame.theme.read : frame.theme.write
    return [
      box(from, y, to - from - 1, 3, colour, { rx: 1.5 }),
      words(Math.min((from + to) / 2, place.width - 30), y + 15, span.kind, {
        "text-anchor": "middle", "font-size": 12, fill: colour, "font-weight": 600,
      }),
    ]
  })
}

function interact(node, frame, act, place) {
  const at = (event) => {
    const area = node.getBoundingClientRect()
    const [x, y] = [event.clientX - area.left, event.clientY - area.top]
    const token = Math.floor((x - LEFT) / place.step)
    const side = place.sides.find((each) => y >= place[each].top && y < place[each].top + place[each].height)
    if (!side || token < 0 || token >= place.tokens) return null
    return { side, token, slot: Math.floor((y - place[side].top) / place[side].row) }
  }
  const leave = () => {
    act.tip(null)
    act.hover({})
  }
  node.onpointermove = (event) => {
    const cell = at(event)
    if (!cell) return leave()
    const value = frame.slice[cell.side].data[cell.slot * place.tokens + cell.token]
    act.tip(event, [
      `slot ${cell.slot + 1} · “${visible(frame.slice.meta.tokens[cell.token])}”`, `${cell.side} ${shown(value)}`,
    ])
    act.hover({ token: cell.token })
  }
  node.onpointerleave = leave
  node.onclick = (event) => at(event) && act.pin({ token: at(event).token })
}

function markMaps(body, frame) {
  const node = body.querySelector("svg")
  const host = node?.querySelector(".marks")
  if (!host) return
  const { place } = node
  const { slot, token: pinned } = frame.view
  const token = frame.hover.token ?? pinned
  const columns = token == null
    ? []
    : place.sides.map((side) =>
      box(
        LEFT + token * place.step - 1,
        place[side].top - 1,
        place.step + 1,
        place[side].height + 1,
        "none",
        { stroke: frame.theme.ink, "stroke-width": 1.5 },
      )
    )
  const rows = place.sides.filter((side) => slot && slot <= place[side].slots).map((side) =>
    box(
      LEFT - 1,
      place[side].top + (slot - 1) * place[side].row - 1,
      place.step * place.tokens + 1,
      place[side].row,
      "none",
      { stroke: frame.theme.accent, "stroke-width": 1.5 },
    )
  )
  host.replaceChildren(...columns, ...rows)
}
