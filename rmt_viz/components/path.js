// The path of a cause: words, slots at each boundary, the answer; each line as thick as what the answer loses when it is
// cut. A click on a line, or Enter, cuts it; the bars below say what the answer is then. Words are text nodes.

import { button, el, shown, svg } from "./dom.js"
import { rule, words } from "./draw.js"
import { mix, readTheme } from "./theme.js"

const ROW = 30
const TOP = 40
const LEAST = 760 // pixels in which the picture is drawn; a narrower page scrolls it sideways
const [WORDS, ANSWER] = [118, 128] // columns at both ends
const [THIN, THICK] = [1.2, 11]

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".path")
  const theme = readTheme(root)
  for (const name of ["muted", "soft"]) root.style.setProperty(`--${name}`, theme[name])
  let cuts = data.cuts
  const focused = root.querySelector(".edge:focus")?.dataset.name
  const draw = () => {
    const width = Math.max(root.clientWidth, LEAST)
    root.replaceChildren(
      el("h3", {}, data.finding),
      el("p", { class: "lead" }, lead(data)),
      el("div", { class: "picture", tabindex: 0, role: "region", "aria-label": "The path, from words to the answer" },
        picture(data, width, cuts, theme, toggle)),
      answers(data, cuts, theme),
      el("p", { class: "said", role: "status" }, said(data, cuts)),
      tools(data, cuts, () => change([])),
    )
  }
  const change = (next) => {
    cuts = next
    draw()
    setTriggerValue("cut", cuts.join(";"))
  }
  const toggle = (name) => {
    change(cuts.includes(name) ? cuts.filter((one) => one !== name) : [...cuts, name])
    root.querySelector(`[data-name="${CSS.escape(name)}"]`)?.focus()
  }
  draw()
  if (focused) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus()
  const watch = new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - root.drawnAt) > 4) {
      root.drawnAt = contentRect.width
      draw()
    }
  })
  root.drawnAt = root.clientWidth
  watch.observe(root)
  return () => watch.disconnect()
}

const percent = (share) => `${Math.round(share * 100)} %`

function lead({ least, hidden }) {
  const rest = hidden ? ` ${hidden} lines of less than ${percent(least)} are not drawn.` : ""
  return `A line is as thick as what the answer loses when it alone is cut: when what goes along it is what the other text would send. Click one to cut it.${rest}`
}

function picture(data, width, cuts, theme, toggle) {
  const { moments, slots } = data
  const rows = Math.max(slots.length, data.words.length)
  const height = TOP + rows * ROW + 12
  const columns = moments.length
  const step = columns > 1 ? (width - WORDS - ANSWER - 90) / (columns - 1) : 0
  const first = columns > 1 ? WORDS + 20 : (width + WORDS - ANSWER) / 2
  const x = (k) => first + k * step
  const middle = (n, i) => TOP + (rows * ROW) / 2 + (i - (n - 1) / 2) * ROW
  const at = {
    word: (i) => ({ x: WORDS - 24, y: middle(data.words.length, i) }),
    slot: (k, i) => ({ x: x(k), y: middle(slots.length, i) }),
    answer: () => ({ x: width - ANSWER + 6, y: TOP + (rows * ROW) / 2 }),
  }
  const node = svg("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": data.finding,
    "font-family": theme.font, "font-size": 12, fill: theme.ink,
  })
  const quiet = { fill: theme.muted, "font-size": 12 }
  node.append(
    words(4, 14, "words", quiet),
    ...moments.map((moment, k) => words(x(k), 14, heading(moment, k, step), { ...quiet, "text-anchor": "middle" })),
    words(width - 4, 14, `read in ${data.segments}`, { ...quiet, "text-anchor": "end" }),
    ...moments.map((_, k) => rule(x(k), 22, x(k), height - 8, theme.line)),
    ...[...data.edges].sort((a, b) => Math.abs(a.share) - Math.abs(b.share)).map((edge) =>
      line(edge, ends(edge.name, data, at), cuts.includes(edge.name), theme, toggle)),
    ...data.words.map((word, i) => words(at.word(i).x - 4, at.word(i).y + 4, clipped(word), { "text-anchor": "end", "font-weight": 600 })),
    ...moments.flatMap((_, k) => slots.map((slot, i) => dot(at.slot(k, i), slot, data.nodes[k][i], theme))),
    words(at.answer().x + 8, at.answer().y + 4, clipped(data.output), { "font-weight": 700, "font-size": 13 }),
  )
  return node
}

const heading = (moment, k, step) => (k && step < 116 ? `after ${moment}` : `after segment ${moment}`)
const clipped = (word) => (word.length > 13 ? `${word.slice(0, 12)}…` : word)

// Where a line begins and ends, by its name.
function ends(name, { slots, moments }, at) {
  const [kind, rest] = [name.split(/[:@]/)[0], name.match(/\d+/g).map(Number)]
  const row = (slot) => slots.indexOf(slot)
  if (kind === "into") return [at.word(rest[0] - 1), at.slot(0, row(rest[1]))]
  if (kind === "read") return [at.slot(moments.length - 1, row(rest[0])), at.answer()]
  const k = moments.indexOf(rest[0])
  return [at.slot(k, row(rest[1])), at.slot(k + 1, row(rest[2]))]
}

function line({ name, label, share, p }, [from, to], isCut, theme, toggle) {
  const size = Math.min(Math.abs(share), 1)
  const middle = (from.x + to.x) / 2
  const d = `M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`
  const hue = share >= 0 ? theme.knows : theme.write
  const look = {
    class: "line", d, fill: "none", stroke: isCut ? theme.muted : mix(theme.page, hue, 0.35 + 0.65 * size),
    "stroke-width": THIN + (THICK - THIN) * size, ...(isCut ? { "stroke-dasharray": "4 5" } : {}),
  }
  const told = `${label}: ${percent(share)}${isCut ? ", cut" : ""}`
  const onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return
    event.preventDefault()
    event.stopPropagation()
    toggle(name)
  }
  const node = svg("g", {
    class: "edge", role: "button", tabindex: 0, "aria-pressed": String(isCut), "aria-label": told, "data-name": name,
    onclick: () => toggle(name), onkeydown,
  }, svg("title", {}, `${told}; P with it cut: ${shown(p)}`), svg("path", look), svg("path", { class: "hit", d, "stroke-width": 16 }),
    svg("circle", { cx: middle, cy: (from.y + to.y) / 2, r: 9, fill: "transparent" })) // a straight line has no height of its own
  if (isCut) node.append(words(middle - 6, (from.y + to.y) / 2 + 5, "✂", { "font-size": 15, fill: theme.ink }))
  return node
}

function dot({ x, y }, slot, share, theme) {
  const size = Math.min(Math.abs(share), 1)
  const fill = mix(theme.page, share >= 0 ? theme.knows : theme.write, 0.08 + 0.85 * size)
  return svg("g", { "pointer-events": "none" },
    svg("circle", { cx: x, cy: y, r: 10, fill, stroke: theme.line }),
    words(x, y + 4, String(slot), { "text-anchor": "middle", "font-size": 12, fill: size > 0.45 ? theme.page : theme.ink, "font-weight": 600 }),
  )
}

// P(answer) as it is, with the lines cut, of the other text, and of the same cut with memory reset.
function answers(data, cuts, theme) {
  const now = pOf(data, cuts)
  const rows = [
    ["as it is", data.p[0][0], theme.knows, ""],
    ...(cuts.length ? [["with the cut", now, theme.change, "now"]] : []),
    ["told otherwise", data.p[1][0], theme.write, "", `, P(${data.other}) ${shown(data.p[1][1])}`],
    [cuts.length ? "with the cut, memory reset" : "memory reset", resetOf(data, cuts), theme.muted, "control"],
  ]
  return el("div", { class: "answers", role: "group", "aria-label": `P(${data.output}), from 0 to 1` },
    rows.flatMap(([name, p, hue, kind, also]) => [
      el("span", { class: kind }, name),
      el("span", { class: "bar" }, p == null ? null : el("span", { style: `width:${100 * p}%;background:${hue}` })),
      el("span", { class: `number ${kind}` }, p == null ? "…" : `P(${data.output}) ${shown(p)}${also ?? ""}`),
    ]))
}

// A single line's cut is among the numbers of the path; several together are read again by the server.
// P(output) with these lines cut.
function pOf(data, cuts) {
  if (cuts.length === 1) return data.edges.find(({ name }) => name === cuts[0])?.p ?? null
  return cuts.length && cuts.join(";") === data.cuts.join(";") ? data.joint?.cut[0] ?? null : null
}

function resetOf(data, cuts) {
  if (cuts.length > 1) return cuts.join(";") === data.cuts.join(";") ? data.joint?.reset[0] ?? null : null
  return data.reset[cuts.length ? 2 : 0][0]
}

function said(data, cuts) {
  if (!cuts.length) return ""
  const p = pOf(data, cuts)
  const one = cuts.length === 1 && data.edges.find(({ name }) => name === cuts[0])
  const what = one ? one.label : `${cuts.length} lines together`
  if (p == null) return `Cut: ${what}. The run is read again …`
  const reset = `with memory reset it is ${shown(data.reset[0][0])} without and ${shown(resetOf(data, cuts))} with the cut`
  return `Cut: ${what}. P(${data.output}) goes from ${shown(data.p[0][0])} to ${shown(p)}; ${reset}.`
}

function tools({ others, words: told }, cuts, clear) {
  const changed = told.map((word, i) => [word, others[i]]).filter(([a, b]) => a !== b)
  const each = changed.map(([a, b]) => `${a} → ${b}`).join(", ")
  return el("div", { class: "tools" },
    button("Mend all cuts", clear, { disabled: !cuts.length }),
    el("span", {}, `Cut at a word, that word alone is another: ${each}.`),
  )
}
