// Who writes and who reads: shares of each layer and head, to choose whose maps are shown.

import { picker, range, shown, svg } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { locked, NO_ATTENTION } from "./panel.js"
import { colourOf } from "./theme.js"

const SIDES = {
  write: "write · memory → tokens",
  read: "read · tokens → memory",
  carry: "carry · memory → memory",
  local: "local · the rest",
}
const HUES = { write: "write", read: "read", carry: "change", local: "local" }
const LOCKED = "This run kept its memory only. Record it again with --detail summary or thin to see its heads."
const HEAD = 24
const FOOT = 22
const GAP = 28
const WIDE = 760
const NARROW = 200 // pixels a grid in which what its rows are is said once for all

export const headsPanel = grids({ id: "heads", title: "Who writes, who reads", sides: ["write", "read"] })
export const blocksPanel = grids({
  id: "blocks", title: "What each head does", sides: ["write", "read", "carry", "local"], pickers: false,
})

// pickers: whether layer and head are chosen in the card's head, too.
function grids({ id, title, sides, pickers = true }) {
  return {
    id,
    stays: true,
    title: () => title,
    note: (frame) => `share of attention in this segment${frame.picks ? "; click to choose" : ""}`,
    controls: (frame, act) => !frame.picks || !pickers ? [] : [
      picker(
        "layer",
        options(frame.overview.meta.n_layers),
        String(frame.view.layer ?? ""),
        (layer) => act.pin({ layer: Number(layer) || null }),
      ),
      picker(
        "head",
        options(frame.overview.meta.n_heads),
        String(frame.view.head ?? ""),
        (head) => act.pin({ head: Number(head) || null }),
      ),
    ],
    draw(body, frame, act) {
      if (!frame.slice.write_share) return locked(body, frame.overview.meta.n_heads ? LOCKED : NO_ATTENTION)
      const width = body.clientWidth
      const across = width > WIDE ? sides.length : 2
      const side = (width - GAP * (across - 1)) / across
      const [layers, heads] = frame.slice.write_share.shape
      const row = Math.max(8, Math.min(30, Math.floor((frame.panelHeight - HEAD - FOOT) / layers)))
      const high = HEAD + layers * row + FOOT
      const node = figure(width, high * Math.ceil(sides.length / across), label(frame), frame.theme)
      sides.forEach((block, i) => {
        const [x, y] = [(i % across) * (side + GAP), Math.floor(i / across) * high]
        node.append(grid(block, SIDES[block], { x, y, side, row, layers, heads }, frame, act))
      })
      body.replaceChildren(node)
      // On the card, which stays, and not on the grid, which is drawn anew under the pointer.
      body.onpointermove = (event) => event.target.closest("[data-layer]") ?? act.leave()
      body.onpointerleave = () => act.leave()
    },
    table(frame) {
      if (!frame.slice.write_share) return { columns: ["layer", "head", "write", "read"], rows: [] }
      const [layers, heads] = frame.slice.write_share.shape
      const names = ["write", "read", "carry", "local"]
      const rows = range(layers * heads).map((i) =>
        [
          Math.floor(i / heads) + 1,
          (i % heads) + 1,
          ...names.map((name) => shown(frame.slice[`${name}_share`].data[i])),
        ]
      )
      return { columns: ["layer", "head", ...names], rows }
    },
  }
}

const options = (n) => [["", "mean"], ...range(n).map((i) => [String(i + 1), String(i + 1)])]

function label(frame) {
  const top = (name) => {
    const { data, shape } = frame.slice[`${name}_share`]
    const i = data.indexOf(Math.max(...data))
    return `${name} most in layer ${Math.floor(i / shape[1]) + 1}, head ${(i % shape[1]) + 1} (${shown(data[i])})`
  }
  return `Shares of attention by layer and head: ${top("write")}; ${top("read")}`
}

const rowsAndColumns = (layers, heads) => `rows: layers 1–${layers} · columns: heads 1–${heads}`

function grid(id, title, { x, y, side, row, layers, heads }, frame, act) {
  const { theme, view } = frame
  const step = side / heads
  const cell = (layer, head) => {
    const value = frame.slice[`${id}_share`].data[layer * heads + head]
    const colour = colourOf(theme.ramps[HUES[id]], value)
    const chosen = view.layer === layer + 1 && view.head === head + 1
    const among = !chosen && (view.layer === layer + 1 ? !view.head : view.head === head + 1 && !view.layer)
    const pick = chosen ? { layer: null, head: null } : { layer: layer + 1, head: head + 1 }
    return svg("g", {
      class: "pickable", "data-layer": layer + 1, "data-head": head + 1,
      onclick: () => act.pin(pick),
      onpointerenter: () => act.preview({ layer: layer + 1, head: head + 1 }),
      onpointermove: (event) => act.tip(event, [
        `Layer ${layer + 1} · head ${head + 1}`,
        ...["write", "read", "carry", "local"].map((name) =>
          `${name} ${shown(frame.slice[`${name}_share`].data[layer * heads + head])}`
        ),
      ]),
    },
      box(x + head * step + 1, y + HEAD + layer * row + 1, step - 2, row - 2, colour.fill, {
        rx: 3, stroke: chosen || among ? theme.ink : "none", "stroke-width": chosen ? 2.5 : 1.5,
      }),
      step > 26 && row > 13
        ? words(
          x + (head + 0.5) * step,
          y + HEAD + (layer + 0.5) * row + 4,
          value.toFixed(2).replace(/^0/, ""),
          { "text-anchor": "middle", "font-size": 12, fill: colour.ink, "pointer-events": "none" },
        )
        : null,
    )
  }
  return svg("g", {},
    words(x, y + 12, title, { "font-weight": 600, fill: theme[HUES[id]] }),
    range(layers).flatMap((layer) => range(heads).map((head) => cell(layer, head))),
    side < NARROW && x ? null : words(x, y + HEAD + layers * row + 15, rowsAndColumns(layers, heads), {
      fill: theme.muted, "font-size": 12,
    }),
  )
}
