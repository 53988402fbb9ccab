// What the model would answer if the question came now, before and after the segment.

import { range, shown, svg, visible } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { locked } from "./panel.js"

const LEFT = 104
const RIGHT = 100
const ROW = 27

export const answersPanel = {
  id: "answers",
  title: () => "If asked now",
  note: (frame) => (
    frame.slice.asked
      ? `“${visible(frame.overview.meta.question)}” · dashed: before this segment, filled: after it`
      : ""
  ),
  draw(body, frame) {
    if (!frame.slice.asked) return locked(body, "No question is asked in this run, so there is no answer to follow.")
    const classes = frame.overview.meta.classes
    const width = body.clientWidth
    const node = figure(width, classes.length * ROW + 4, label(frame), frame.theme)
    node.append(...classes.map((name, i) => bar(name, i, width, frame)))
    body.replaceChildren(node)
  },
  table(frame) {
    if (!frame.slice.asked) return { columns: ["answer", "before", "after"], rows: [] }
    const rows = frame.overview.meta.classes.map((name, i) =>
      [name, shown(frame.slice.asked_before.data[i]), shown(frame.slice.asked.data[i])]
    )
    return { columns: ["answer", "before", "after"], rows }
  },
}

function best(series) {
  return range(series.length).reduce((top, i) => (series[i] > series[top] ? i : top), 0)
}

function label(frame) {
  const i = best(frame.slice.asked.data)
  const [before, after] = [frame.slice.asked_before.data[i], frame.slice.asked.data[i]]
  return `If asked now: ${frame.overview.meta.classes[i]} with ${shown(after)}, before ${shown(before)}`
}

function bar(name, i, width, { overview, slice, theme }) {
  const [before, after] = [slice.asked_before.data[i], slice.asked.data[i]]
  const [y, room] = [i * ROW + 4, Math.max(0, width - LEFT - RIGHT)]
  const top = best(slice.asked.data) === i
  const right = overview.meta.label === i
  const fill = right || overview.meta.label == null ? theme.knows : theme.muted
  return svg("g", {},
    words(0, y + 13, visible(name) + (right ? " ✓" : ""), { "font-size": 13, "font-weight": top ? 700 : 400 }),
    box(LEFT, y, room, 18, theme.soft, { rx: 5 }),
    box(LEFT, y, after * room, 18, fill, { rx: Math.min(5, after * room) }),
    before > 0.005
      ? box(LEFT + 1, y + 1, before * room - 2, 16, "none", {
        rx: 4, stroke: theme.ink, "stroke-width": 1.5, "stroke-dasharray": "3 3", opacity: 0.7,
      })
      : null,
    words(width, y + 13, `${before.toFixed(2)} → ${after.toFixed(2)}`, {
      "text-anchor": "end",
      "font-weight": top ? 700 : 400,
      fill: top ? theme.ink : theme.muted,
      style: "font-variant-numeric: tabular-nums",
    }),
  )
}
