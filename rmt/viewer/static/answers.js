// What the model would answer if the question came now, before and after the segment.

import { range, shown, svg, visible } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { locked } from "./panel.js"
import { askedOf, pickWho } from "./people.js"
import { factHue } from "./theme.js"

const LEFT = 104 // or as much as the longest answer and its mark need
const LETTER = 7.6
const RIGHT = 100
const ROW = 27
const MOST = 12 // answers that are drawn, where there are more
const SURE = 0.5 // an answer that is surer than this is wrong where another one is right

const NOTHING = "No question is asked in this run, so there is no answer to follow; a run of a task, such as qa1, asks one."

export const answersPanel = {
  id: "answers",
  title: () => "If asked now",
  note(frame) {
    const asked = askedOf(frame)
    if (!asked) return ""
    const n = frame.overview.meta.classes.length
    const some = n > MOST ? ` · the ${MOST} likeliest of ${n}` : ""
    return `“${visible(asked.question)}” · dashed: before this segment, filled: after it${some}`
  },
  controls: pickWho,
  draw(body, frame) {
    const asked = askedOf(frame)
    if (!asked) return locked(body, NOTHING + (frame.overview.loss_mean ? " Here tokens can be coloured by loss instead." : ""))
    const some = drawn(frame.overview.meta.classes.length, asked)
    const width = body.clientWidth
    const node = figure(width, some.length * ROW + 4, label(frame, asked), frame.theme)
    node.append(...some.map((i, row) => bar(i, row, width, frame, asked)))
    body.replaceChildren(node)
  },
  table(frame) {
    const asked = askedOf(frame)
    if (!asked) return { columns: ["answer", "before", "after"], rows: [] }
    const rows = frame.overview.meta.classes.map((name, i) => [name, shown(asked.before[i]), shown(asked.after[i])])
    return { columns: ["answer", "before", "after"], rows }
  },
}

// The answers that are drawn, in their order: of many, the likeliest before or after the segment, and the right one.
function drawn(n, asked) {
  const all = range(n)
  if (n <= MOST) return all
  const weight = (i) => (asked.right === i ? 2 : Math.max(asked.before[i], asked.after[i]))
  return all.sort((a, b) => weight(b) - weight(a)).slice(0, MOST).sort((a, b) => a - b)
}

function best(series) {
  return range(series.length).reduce((top, i) => (series[i] > series[top] ? i : top), 0)
}

function label(frame, asked) {
  const i = best(asked.after)
  const [before, after] = [asked.before[i], asked.after[i]]
  return `If asked now: ${frame.overview.meta.classes[i]} with ${shown(after)}, before ${shown(before)}`
}

function bar(i, row, width, { overview, theme }, asked) {
  const name = overview.meta.classes[i]
  const left = Math.max(LEFT, ...overview.meta.classes.map((each) => Math.min(each.length, 20) * LETTER + 26))
  const [before, after] = [asked.before[i], asked.after[i]]
  const [y, room] = [row * ROW + 4, Math.max(0, width - left - RIGHT)]
  const top = best(asked.after) === i
  const right = asked.right === i
  const hue = asked.who == null ? theme.knows : factHue(theme, asked.who)
  const fill = right || asked.right == null ? hue : theme.muted
  return svg("g", {},
    words(0, y + 13, visible(name) + (right ? " ✓" : top && asked.right != null && after >= SURE ? " ✗" : ""), { "font-size": 13, "font-weight": top ? 700 : 400 }),
    box(left, y, room, 18, theme.soft, { rx: 5 }),
    box(left, y, after * room, 18, fill, { rx: Math.min(5, after * room) }),
    before > 0.005
      ? box(left + 1, y + 1, before * room - 2, 16, "none", {
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
