// How alike the slots of the current state are: the cosine of every two.

import { range, shown, svg } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { known, momentOf } from "./moves.js"
import { locked } from "./panel.js"
import { colourOf } from "./theme.js"

const LEFT = 46
const HEAD = 18

export const likenessPanel = {
  id: "likeness",
  title: (frame) => frame.slice.meta.remark.replace(/\.$/, ""),
  note: (frame) => `cosine of every two slots after segment ${frame.view.segment}`,
  draw(body, frame, act) {
    const now = known(frame) && momentOf(frame)
    if (!frame.overview.meta.n_memory) return locked(body, "This model has no memory.")
    if (!now?.likeness) return body.firstChild ? null : locked(body, "The slots are on their way.")
    const n = now.likeness.shape[0]
    const room = Math.min(body.clientWidth - LEFT - 8, frame.panelHeight * 1.9)
    const step = room / n
    const node = figure(body.clientWidth, HEAD + room + 24, label(now, frame), frame.theme)
    const every = Math.ceil(14 / step)
    const named = range(n).filter((slot) => slot % every === 0)
    const look = { fill: frame.theme.muted, "font-size": 12 }
    node.append(
      ...named.flatMap((slot) => [
        words(LEFT + (slot + 0.5) * step, 12, String(slot + 1), { ...look, "text-anchor": "middle" }),
        words(LEFT - 6, HEAD + (slot + 0.5) * step + 4, `slot ${slot + 1}`, { ...look, "text-anchor": "end" }),
      ]),
      ...range(n * n).map((i) => cell(i, n, step, now.likeness.data[i], frame)),
      words(LEFT, HEAD + room + 17, "−1", look),
      ...frame.theme.ramps.gain.map((colour, i) => box(LEFT + 18 + i * 2, HEAD + room + 9, 2.5, 8, colour.fill)),
      words(LEFT + 18 + 134, HEAD + room + 17, "1", look),
    )
    node.onpointermove = (event) => {
      const area = node.getBoundingClientRect()
      const offset = [event.clientX - area.left - LEFT, event.clientY - area.top - HEAD]
      const [c, r] = offset.map((v) => Math.floor(v / step))
      const inside = c >= 0 && r >= 0 && c < n && r < n
      act.tip(inside ? event : null, [`slots ${r + 1} and ${c + 1}`, `cosine ${shown(now.likeness.data[r * n + c])}`])
    }
    node.onpointerleave = () => act.tip(null)
    body.replaceChildren(node)
  },
  table(frame) {
    const now = known(frame) && momentOf(frame)
    if (!now?.likeness) return { columns: ["slot"], rows: [] }
    const n = now.likeness.shape[0]
    return {
      columns: ["slot", ...range(n).map((slot) => `slot ${slot + 1}`)],
      rows: range(n).map((r) => [r + 1, ...range(n).map((c) => shown(now.likeness.data[r * n + c]))]),
    }
  },
}

function cell(i, n, step, value, { theme }) {
  const [r, c] = [Math.floor(i / n), i % n]
  const colour = colourOf(theme.ramps.gain, (value + 1) / 2)
  const gap = step > 8 ? 1 : 0
  const text = value.toFixed(2).replace("0.", ".").replace("-", "−")
  return svg("g", {},
    box(LEFT + c * step, HEAD + r * step, step - gap, step - gap, colour.fill, { rx: step > 16 ? 2 : 0 }),
    step > 28
      ? words(LEFT + (c + 0.5) * step, HEAD + (r + 0.5) * step + 4, text, {
        "text-anchor": "middle", "font-size": 12, fill: colour.ink, "pointer-events": "none",
      })
      : null,
  )
}

function label(now, frame) {
  const n = now.likeness.shape[0]
  const pairs = range(n * n).filter((i) => Math.floor(i / n) < i % n).map((i) => now.likeness.data[i])
  const ends = pairs.length ? `from ${shown(Math.min(...pairs))} to ${shown(Math.max(...pairs))}` : "one slot"
  return `Cosines of every two of ${n} slots after segment ${frame.view.segment}: ${ends}`
}
