// The segment's thin maps: write memory to tokens above, tokens to read memory below, on one axis of tokens.

import { range, shown, svg, visible } from "./dom.js"
import { box, figure, heat, words } from "./draw.js"
import { locked } from "./panel.js"

const LEFT = 54
const RIGHT = 4
const HEAD = 22
const BETWEEN = 20
const FOOT = 24
const SIDES = { write: "write · how much each slot looks at each token", read: "read · how much each token looks at each slot" }

export const mapsPanel = {
  id: "maps",
  title: (frame) => `Memory and tokens in segment ${frame.view.segment}`,
  note: (frame) => frame.whose,
  draw(body, frame, act) {
    if (!frame.slice.write) return locked(body, "This run did not keep its maps. Record it again with --detail thin to see them here.")
    const place = layout(body, frame)
    const node = figure(place.width, place.height, label(frame), frame.theme)
    node.place = place
    for (const side of Object.keys(SIDES)) node.append(...drawSide(side, frame, place, act))
    node.append(...spans(frame, place), svg("g", { class: "marks", "pointer-events": "none" }))
    interact(node, frame, act, place)
    body.replaceChildren(node)
    markMaps(body, frame)
  },
  mark: markMaps,
  table(frame) {
    if (!frame.slice.write) return { columns: ["token", "text"], rows: [] }
    const [slots, tokens] = frame.slice.write.shape
    const cell = (side, s, t) => shown(frame.slice[side].data[s * tokens + t])
    const columns = ["token", "text", ...Object.keys(SIDES).flatMap((side) => range(slots).map((s) => `${side}, slot ${s + 1}`))]
    const rows = range(tokens).map((t) => [frame.slice.meta.start + t + 1, frame.slice.meta.tokens[t], ...Object.keys(SIDES).flatMap((side) => range(slots).map((s) => cell(side, s, t)))])
    return { columns, rows }
  },
}

function layout(body, frame) {
  const [slots, tokens] = frame.slice.write.shape
  const width = body.clientWidth
  const row = Math.max(3, Math.min(15, Math.floor(frame.panelHeight / slots)))
  const tall = slots * row
  return {
    width, row, slots, tokens, tall, step: (width - LEFT - RIGHT) / tokens,
    write: HEAD, read: HEAD + tall + BETWEEN + HEAD - 8, height: 2 * (HEAD + tall) + BETWEEN + FOOT - 8,
  }
}

const most = (map) => Math.max(...map.data, 1e-9)

function label(frame) {
  const [, tokens] = frame.slice.write.shape
  const top = (side) => {
    const { data } = frame.slice[side]
    const i = data.indexOf(Math.max(...data))
    return `${side} is largest between slot ${Math.floor(i / tokens) + 1} and “${visible(frame.slice.meta.tokens[i % tokens])}”, ${shown(data[i])}`
  }
  return `Attention between memory and tokens, ${frame.whose}: ${top("write")}; ${top("read")}`
}

function drawSide(side, frame, place, act) {
  const { theme, slice, view } = frame
  const every = Math.ceil(11 / place.row)
  const high = most(slice[side])
  const area = { x: LEFT, y: place[side], width: place.step * place.tokens, height: place.tall }
  const names = range(place.slots).filter((s) => s % every === 0).map((s) => {
    const pinned = view.slot === s + 1
    return words(0, place[side] + (s + 0.5) * place.row + 4, `slot ${s + 1}`, { class: "pickable", "font-size": 11, "font-weight": pinned ? 700 : 400, fill: pinned ? theme.accent : theme.muted, onclick: () => act.pin({ slot: pinned ? null : s + 1 }) })
  })
  return [
    words(LEFT, place[side] - 8, SIDES[side], { "font-weight": 600, fill: theme[side] }),
    words(place.width - RIGHT, place[side] - 8, `0 to ${shown(high)}`, { "text-anchor": "end", "font-size": 11, fill: theme.muted }),
    ...names,
    heat(slice[side].data, place.slots, place.tokens, area, theme.ramps[side], high),
  ]
}

// Where facts and question stand, under the axis of tokens.
function spans(frame, place) {
  const y = place.read + place.tall + 4
  return frame.slice.meta.spans.filter((span) => span.kind === "fact" || span.kind === "question").flatMap((span) => {
    const [from, to] = [LEFT + span.start * place.step, LEFT + span.end * place.step]
    const colour = span.kind === "question" ? frame.theme.read : frame.theme.write
    return [
      box(from, y, to - from - 1, 3, colour, { rx: 1.5 }),
      words(Math.min((from + to) / 2, place.width - 30), y + 15, span.kind, { "text-anchor": "middle", "font-size": 11, fill: colour, "font-weight": 600 }),
    ]
  })
}

function interact(node, frame, act, place) {
  const at = (event) => {
    const area = node.getBoundingClientRect()
    const token = Math.floor((event.clientX - area.left - LEFT) / place.step)
    const y = event.clientY - area.top
    const side = y < place.write + place.tall ? "write" : "read"
    const slot = Math.floor((y - place[side]) / place.row)
    return token >= 0 && token < place.tokens && slot >= 0 && slot < place.slots ? { side, token, slot } : null
  }
  node.onpointermove = (event) => {
    const cell = at(event)
    if (!cell) return leave()
    const value = frame.slice[cell.side].data[cell.slot * place.tokens + cell.token]
    act.tip(event, [`slot ${cell.slot + 1} · “${visible(frame.slice.meta.tokens[cell.token])}”`, `${cell.side} ${shown(value)}`])
    act.hover({ token: cell.token })
  }
  const leave = () => {
    act.tip(null)
    act.hover({})
  }
  node.onpointerleave = leave
  node.onclick = (event) => at(event) && act.pin({ token: at(event).token })
}

function markMaps(body, frame) {
  const node = body.querySelector("svg")
  const host = node?.querySelector(".marks")
  if (!host) return
  const { place } = node
  const token = frame.hover.token ?? frame.view.token
  const column = (side) => box(LEFT + token * place.step - 1, place[side] - 1, place.step + 1, place.tall + 1, "none", { stroke: frame.theme.ink, "stroke-width": 1.5 })
  const row = (side) => box(LEFT - 1, place[side] + (frame.view.slot - 1) * place.row - 1, place.step * place.tokens + 1, place.row, "none", { stroke: frame.theme.accent, "stroke-width": 1.5 })
  host.replaceChildren(
    ...(token == null ? [] : Object.keys(SIDES).map(column)),
    ...(frame.view.slot ? Object.keys(SIDES).map(row) : []),
  )
}
