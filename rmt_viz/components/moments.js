// What the experiment shows of its result: the lanes where the cards are, the answer, one moment after another.

import { clamp, el, range } from "./dom.js"
import { UNIT } from "./lanes.js"
import { hue } from "./story.js"

const NARROW = 760 // pixels of the page under which the text runs downwards
const THIN = 19 // pixels of a lane there
const PACE = 1100 // milliseconds a boundary
const MOST_NOISE = 5 // boundaries' time that noise takes, however long it is

const percent = (p) => (p >= 0.995 ? "1.00" : p.toFixed(2).replace(/^0/, ""))
const best = (row) => row.indexOf(Math.max(...row))

// Draw the result where the cards stand now.
export function layout(page) {
  const { root, result, text, stage } = page
  const down = root.clientWidth < NARROW
  stage.classList.toggle("down", down)
  const columns = text.segments.map((parts) => (parts.length > 1 ? "minmax(94px, 1.35fr)" : "minmax(64px, 0.8fr)"))
  page.track.style.setProperty("--columns", `${columns.join(" ")} minmax(100px, 1.1fr) 64px minmax(184px, 1.5fr)`)
  page.track.style.setProperty("--segments", text.segments.length)
  if (!page.current) return
  page.track.style.setProperty("--across", `${page.run.slots[0].length * THIN}px`)
  page.scrub.max = page.last
  const n = Math.min(Math.floor(page.moment ?? page.last), page.last)
  told(page, n) // the lanes end where the answer stands
  page.lanes.draw(page.run, place(page, down), look(page))
  legend(page)
  page.finding.replaceChildren(...strong(finding(page), result.classes))
  page.notes.replaceChildren(...result.notes.map((note) => el("p", {}, note)))
  show(page)
}

function place(page, down) {
  const { node, list, noise, result, answers } = page
  const box = node.getBoundingClientRect()
  const [near, far] = down ? ["top", "bottom"] : ["left", "right"]
  const cards = [...list.children].map((card) => card.getBoundingClientRect())
  const rest = noise.getBoundingClientRect()
  const told = cards.length
  const stops = result.boundaries.map((n) => {
    if (n === 0) return (cards[0] ?? rest)[near] - box[near]
    if (n < told) return (cards[n - 1][far] + cards[n][near]) / 2 - box[near]
    const start = told ? (cards[told - 1][far] + rest[near]) / 2 : rest[near]
    return start + ((rest[far] - start) * (n - told)) / Math.max(result.total - told, 1) - box[near]
  })
  const wide = down ? THIN : clamp((window.innerHeight - 540) / 8, 22, 44)
  const end = stops.at(-1) + 18
  const length = down ? end + 64 : box.width
  const enters = result.facts.map((fact, f) => {
    const chip = list.querySelector(`[data-fact="${f}"]`)?.getBoundingClientRect()
    if (!chip) return null
    const middle = (down ? chip.top + chip.height / 2 : chip.left + chip.width / 2) - box[near]
    return clamp(middle, stops[fact.segment] + 4, stops[fact.segment + 1] - 12)
  })
  const final = result.runs[page.condition === "reset" ? "reset" : "memory"].answers.at(-1)[page.row][result.people.indexOf(page.who)]
  const row = answers.querySelectorAll("li")[best(final)]?.getBoundingClientRect()
  const goal = down ? 4 * wide : row ? row.top + row.height / 2 - box.top : 4 * wide
  return { stops, enters, end, wide, down, length, goal }
}

function look(page) {
  const { result, condition, people, lanes } = page
  const page_ = "var(--st-background-color)"
  const hues = page.facts.map(({ who, old }) => {
    const own = hue(people, who)
    return old ? `color-mix(in oklab, ${own} 50%, ${page_})` : own
  })
  const faint = page.facts.map((_, f) => condition === "changed" && f !== page.fact)
  return { hues, faint, person: people.indexOf(page.who), reset: condition === "reset", lanes }
}

function finding({ result, condition, who, people, fact, weights }) {
  const q = people.indexOf(who)
  const said = condition === "changed" && result.facts.length ? result.says.changed[fact][q] : result.says[condition === "reset" ? "reset" : "memory"][q]
  const before = [weights === "untrained" && "Untrained weights", condition === "reset" && "memory reset at every boundary"].filter(Boolean).join(", ")
  return before ? `${before[0].toUpperCase()}${before.slice(1)}. ${said}` : said
}

// A sentence in which the answers are set strong.
function strong(sentence, classes) {
  return sentence.split(new RegExp(`(\\b(?:${classes.join("|")})\\b)`)).map((part, i) => (i % 2 ? el("strong", {}, part) : part))
}

// Show a moment: a boundary and the share of the way to the next one; all of the run where none is chosen.
export function show(page) {
  const { result, last } = page
  const moment = page.moment ?? last
  const n = Math.min(Math.floor(moment), last)
  page.lanes.show(n, moment - n, n >= last ? page.flowing : 0)
  page.scrub.value = Math.round(moment)
  if (page.shown !== n) told(page, n)
}

// What is said of a boundary, what is answered at it, and which card it belongs to.
function told(page, n) {
  page.shown = n
  const { result, people, row, condition } = page
  const q = people.indexOf(page.who)
  const { answers } = page.run
  const sentences = result.moments[condition === "reset" ? "reset" : "memory"]
  const said = n === page.last ? `${sentences[n]} Then the question is asked.` : sentences[n]
  page.said.textContent = page.moment == null ? "Play it, or take any moment: click a lane, or move the slider with the arrow keys." : said
  page.scrub.setAttribute("aria-valuetext", sentences[n])
  const cards = [...page.list.children, page.noise]
  cards.forEach((card, i) => {
    const at = card === page.noise ? page.last : result.boundaries.indexOf(i + 1)
    const reached = card === page.noise ? n === page.last && result.total > page.list.children.length : n >= at
    card.classList.toggle("here", page.moment != null && (card === page.noise ? n > page.list.children.length : n === at))
    const given = answers[at]?.[row]?.[q]
    const shown = given && !(card === page.noise && !page.text.noise)
    card.querySelector(".now").replaceChildren(...(shown && reached
      ? [el("span", {}, `${page.who}? `, el("small", {}, percent(Math.max(...given)))), result.classes[best(given)]] : []))
  })
  answer(page, answers[n], q)
  table(page)
}

// Where the text has said by a boundary that the person is; null where the server calls no answer right.
function truth(page, n) {
  const { result, who, row } = page
  if (result.truth[result.people.indexOf(who)] == null) return null
  const told = result.facts.filter((fact) => fact.who === who && fact.segment < result.boundaries[n]).at(-1)
  if (!told) return "never mentioned"
  return row && result.facts[row - 1] === told ? told.exchanged : told.where
}

// The answer at this moment, and in a changed text the one of the text as it was.
function answer(page, rows, q) {
  const { result, row, who, last, shown } = page
  const [now, was] = [rows[row][q], rows[0][q]]
  const lines = result.classes.map((name, c) => {
    const line = el("li", { class: c === best(now) ? "best" : "" }, el("span", { class: "name" }, name),
      el("span", { class: "meter" }, el("i", { style: `width: ${Math.max(now[c] * 100, 0.5)}%` }), row ? el("u", { style: `left: ${was[c] * 100}%` }) : null),
      el("span", { class: "p" }, percent(now[c])))
    return line
  })
  const when = shown === last ? "asked at the end" : shown ? `asked after segment ${result.boundaries[shown]}` : "asked before the text"
  const right = truth(page, shown)
  const said = result.classes[best(now)]
  page.answers.dataset.right = right == null ? "unknown" : String(right === said)
  const verdict = right == null ? "" : right === said ? " · right" : ` · wrong: ${right}`
  page.answers.replaceChildren(el("header", {}, el("b", {}, said), el("span", {}, when + verdict)), el("ol", { "aria-label": `Where is ${who}?` }, lines))
}

function legend(page) {
  const { people, facts, lanes } = page
  const hues = people.filter((who) => facts.some((fact) => fact.who === who)).map((who) =>
    el("span", {}, el("i", { class: "dot", style: `--hue: ${hue(people, who)}` }), who))
  const unit = Math.round(lanes.place.wide * UNIT)
  page.legend.replaceChildren(
    el("p", { class: "people" }, hues, facts.some(({ old }) => old) ? el("span", { class: "note" }, "paler: a later fact replaces it") : null),
    el("p", {}, el("b", {}, "Colour in a slot: "), "change that one fact to another place, read again, and the slot differs by so much. ",
      el("span", { class: "unit" }, el("i", { style: `height: ${unit}px` }), " = its whole length (1.0),"), " on one scale for all runs."),
    el("p", {}, el("b", {}, "Flow into the answer: "), "that width, times how far the answer’s probabilities move then (0 to 1). Both are effects of changing the text; attention is not used."),
  )
}

// What the pointer is at, in lines.
export function tell(page, { slot, n }) {
  const { result, run } = page
  const when = n ? `after segment ${result.boundaries[n]} of ${result.total}` : "before the text"
  const values = result.facts.map((fact, f) => [run.slots[n][slot][f], fact]).filter(([value]) => value >= 0.05).sort((a, b) => b[0] - a[0])
  const lines = values.map(([value, fact]) => `${fact.who}, ${fact.where} (segment ${fact.segment + 1}): ${value.toFixed(2)}`)
  return [`Slot ${slot + 1}, ${when}`, ...(lines.length ? lines : ["carries none of the facts"])]
}

// The numbers of the moment as a table, while it is open.
export function table(page) {
  const { result, run, numbers } = page
  if (!numbers.open || !result) return
  const n = page.shown ?? page.last
  const cells = (values) => values.map((value) => el("td", {}, value.toFixed(2)))
  const names = result.facts.map((fact) => el("th", { scope: "col" }, `${fact.who}, ${fact.where} (${fact.segment + 1})`))
  const rows = [
    ...run.slots[n].map((values, m) => el("tr", {}, el("th", { scope: "row" }, `slot ${m + 1} differs by`), cells(values))),
    ...run.effects[n].map((values, q) => el("tr", {}, el("th", { scope: "row" }, `the answer about ${result.people[q]} moves by`), cells(values))),
  ]
  const when = n ? `after segment ${result.boundaries[n]}` : "before the text"
  numbers.lastElementChild.replaceChildren(el("table", {}, el("caption", {}, `When a fact is changed, ${when}`),
    el("thead", {}, el("tr", {}, el("td", {}), names)), el("tbody", {}, rows)))
}

// Playing.

// How long each step takes, as shares of PACE: noise passes faster the more there is of it.
function lengths(page) {
  const told = page.list.children.length
  const rest = page.last - told
  return range(page.last).map((n) => (n < told ? 1 : Math.min(1, MOST_NOISE / Math.max(rest, 1))))
}

export function play(page) {
  const steps = lengths(page)
  let at = page.moment == null || page.moment >= page.last ? 0 : page.moment
  let before = performance.now()
  Object.assign(page, { moment: at, flowing: 0, shown: null })
  const frame = (now) => {
    const passed = clamp(now - before, 0, 250) / PACE // a frame may be dated before the press
    before = now
    if (at < page.last) {
      at = Math.min(at + passed / (steps[Math.floor(at)] ?? 1), page.last)
      page.moment = page.calm ? Math.floor(at) : at
    } else {
      page.flowing = page.calm ? 1 : Math.min(page.flowing + passed, 1)
    }
    show(page)
    page.frames = (page.frames ?? 0) + 1
    if (page.flowing >= 1 && at >= page.last) return page.pause()
    page.playing = requestAnimationFrame(frame)
  }
  page.playing = requestAnimationFrame(frame)
}
