// The slots of a text on their way from segment to segment to the answer, as on the first page, but nothing is edited.

import { button, clamp, el, range, svg } from "./dom.js"
import { tips } from "./overlay.js"
import { Lanes } from "./lanes.js"
import { factsOf, hue, isFact, sentence } from "./story.js"
import { CONDITIONS, choice } from "./switches.js"

const NARROW = 640 // pixels under which the text runs downwards
const GAP = 6
const PACE = 620 // milliseconds a segment
const NOISE_PACE = 180
const best = (row) => row.indexOf(Math.max(...row))
const percent = (p) => (p >= 0.995 ? "1.00" : p.toFixed(2).replace(/^0/, ""))

// result: what reading the text and its counterfactuals gave. say(sentence): told of each switch.
export class Passage {
  constructor(root, result, say) {
    Object.assign(this, { root, result, say, condition: "memory", moment: result.boundaries.length - 1, flowing: 1 })
    this.facts = factsOf(result.text)
    this.who = result.people[0]
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches
    this.build()
    this.sizes = new ResizeObserver(() => this.layout())
    this.sizes.observe(this.track)
    this.layout()
    if (!this.calm && this.lanes.place) this.play()
  }

  destroy() {
    this.stop()
    this.sizes.disconnect()
  }

  get last() {
    return this.result.boundaries.length - 1
  }

  get run() {
    return this.result.runs[this.condition === "reset" ? "reset" : "memory"]
  }

  get person() {
    return this.result.people.indexOf(this.who)
  }

  // The fact that is exchanged: the latest one about whoever is asked for.
  get fact() {
    return Math.max(this.facts.findLastIndex(({ who }) => who === this.who), 0)
  }

  build() {
    const { result } = this
    this.conditions = choice("What happens to memory", CONDITIONS, (id) => this.set({ condition: id }))
    this.asked = el("div", { class: "people", role: "group", "aria-label": "Whom to ask for" }, result.people.map((who) =>
      button(`Where is ${who}?`, () => this.set({ who }), { "data-who": who, style: `--hue: ${hue(result.people, who)}` })))
    this.player = button("▶ Play", () => (this.playing ? this.stop() : this.play()), { class: "play" })
    this.cards = el("ol", { class: "cards", "aria-label": "The text, segment by segment" },
      result.text.segments.map((parts, i) => this.card(parts, i)))
    this.noise = el("li", { class: "card noise" }, el("b", {}, `${result.text.noise} more`), el("span", {}, "without a fact"))
    this.cards.append(this.noise)
    this.node = svg("svg", { class: "lanes", role: "img" })
    this.lanes = new Lanes(this.node, "The memory vectors (slots), from segment to segment, with what each carries of every fact")
    this.flow = el("div", { class: "flow" }, this.node)
    this.answers = el("div", { class: "answers" })
    this.track = el("div", { class: "track" }, this.cards, this.flow, this.answers)
    this.root.replaceChildren(
      el("div", { class: "bar" }, this.conditions.node, this.asked, this.player), this.track,
      el("p", { class: "note" }, "Colour in a slot: how much it differs when that one fact is changed and the text is read again; half a lane is its whole length. ",
        "Flow into the answer: that width, times how far the answer moves. Each person has a hue; paler: a later fact replaces it."),
    )
    const tip = tips(this.root)
    this.node.onpointermove = (event) => tip(event, this.told(this.lanes.pick(event)))
    this.node.onpointerleave = () => tip(null)
    this.node.onclick = (event) => this.go(this.lanes.pick(event).n)
  }

  card(parts, i) {
    const facts = this.facts.filter(({ segment }) => segment === i)
    const shown = facts.length ? facts.map((fact) =>
      el("span", { class: "chip", "data-fact": fact.index, style: `--hue: ${hue(this.result.people, fact.who)}` }, sentence(fact)))
      : [el("span", { class: "prose" }, parts.filter((part) => !isFact(part)).join(" ").slice(0, 40) + " …")]
    return el("li", { class: "card", "aria-label": `Segment ${i + 1}` }, el("b", {}, i ? `${i + 1}` : "Segment 1"), shown)
  }

  set(what) {
    Object.assign(this, what)
    this.stop()
    this.layout()
  }

  // The sentence about the answer under the switch that is on.
  sentence() {
    const { says } = this.result
    return this.condition === "changed" ? says.changed[this.fact][this.person] : says[this.condition][this.person]
  }

  layout() {
    if (!this.track.clientWidth) return
    const { result, condition, person } = this
    const down = this.track.clientWidth < NARROW
    this.track.classList.toggle("down", down)
    this.track.style.setProperty("--segments", result.text.segments.length)
    this.conditions.show(condition)
    for (const one of this.asked.children) one.setAttribute("aria-pressed", String(one.dataset.who === this.who))
    for (const chip of this.cards.querySelectorAll(".chip")) {
      const fact = this.facts[chip.dataset.fact]
      const now = condition === "changed" && fact.index === this.fact
      chip.classList.toggle("changed", now)
      chip.textContent = sentence(now ? { ...fact, where: result.facts[fact.index].exchanged } : fact)
    }
    this.answer(this.last)
    const hues = this.facts.map(({ who, old }) => old
      ? `color-mix(in oklab, ${hue(result.people, who)} 50%, var(--st-background-color))` : hue(result.people, who))
    const faint = this.facts.map((_, f) => condition === "changed" && f !== this.fact)
    this.lanes.draw(this.run, this.place(down), { hues, faint, person, reset: condition === "reset" })
    this.show()
    this.say(this.sentence())
  }

  // In the figure's own pixels, whatever its size on the screen.
  place(down) {
    const { result, cards } = this
    const [near, size] = down ? ["offsetTop", "offsetHeight"] : ["offsetLeft", "offsetWidth"]
    const told = result.text.segments.length
    const [origin, list] = [this.flow[near], [...cards.children]]
    const rest = list[told][near] - GAP / 2 - origin
    const stops = result.boundaries.map((n) => n < told
      ? Math.max(list[n][near] - origin - GAP / 2, 0)
      : rest + ((list[told][size] + GAP / 2) * (n - told)) / Math.max(result.total - told, 1))
    const enters = this.facts.map(({ segment }) => list[segment][near] + list[segment][size] / 2 - origin)
    const end = stops.at(-1) + 18
    const row = this.answers.querySelector("li.best")
    const wide = down ? 19 : 23
    const goal = down || !row ? 4 * wide : clamp(row.offsetTop + row.offsetHeight / 2 - this.flow.offsetTop, 6, 8 * wide)
    return { stops, enters, end, wide, down, length: down ? end + 64 : this.answers.offsetLeft - origin - 4, goal }
  }

  show() {
    const n = Math.min(Math.floor(this.moment), this.last)
    this.lanes.show(n, this.moment - n, n >= this.last ? this.flowing : 0)
    this.answer(n)
  }

  answer(n) {
    const { result, condition, who } = this
    const row = this.run.answers[n][condition === "changed" ? this.fact + 1 : 0][this.person]
    const given = result.classes[best(row)]
    const truth = this.truth(n)
    this.answers.dataset.right = String(truth === given)
    const when = n === this.last ? "asked at the end" : n ? `asked after segment ${result.boundaries[n]}` : "asked before the text"
    this.answers.replaceChildren(
      el("header", {}, el("b", {}, given), el("span", {}, `${when} · ${truth === given ? "right" : `wrong: ${truth}`}`)),
      el("ol", { "aria-label": `Where is ${who}?` }, result.classes.map((name, c) =>
        el("li", { class: c === best(row) ? "best" : "" }, el("span", { class: "name" }, name),
          el("span", { class: "meter" }, el("i", { style: `width: ${Math.max(row[c] * 100, 0.5)}%` })), el("span", { class: "p" }, percent(row[c]))))),
    )
  }

  // Where the text has said by a boundary that the person is.
  truth(n) {
    const told = this.facts.filter(({ who, segment }) => who === this.who && segment < this.result.boundaries[n]).at(-1)
    if (!told) return "never mentioned"
    return this.condition === "changed" && told.index === this.fact ? this.result.facts[told.index].exchanged : told.where
  }

  told({ slot, n }) {
    const values = this.facts.map((fact, f) => [this.run.slots[n][slot][f], fact]).filter(([value]) => value >= 0.05)
    const lines = values.sort((a, b) => b[0] - a[0]).map(([value, { who, where }]) => `${who}, ${where}: ${value.toFixed(2)}`)
    const when = n ? `after segment ${this.result.boundaries[n]} of ${this.result.total}` : "before the text"
    return [`Slot ${slot + 1}, ${when}`, ...(lines.length ? lines : ["carries none of the facts"])]
  }

  go(moment) {
    this.stop()
    this.moment = clamp(moment, 0, this.last)
    this.show()
  }

  play() {
    const told = this.result.text.segments.length
    const paces = range(this.last).map((n) => (n < told ? PACE : NOISE_PACE))
    Object.assign(this, { moment: 0, flowing: 0 })
    this.player.textContent = "❚❚ Pause"
    let before = performance.now()
    const frame = (now) => {
      const passed = clamp(now - before, 0, 250)
      before = now
      if (this.moment < this.last) this.moment = Math.min(this.moment + passed / paces[Math.floor(this.moment)], this.last)
      else this.flowing = Math.min(this.flowing + passed / PACE, 1)
      if (this.calm && this.moment < this.last) this.lanes.show(Math.floor(this.moment), 0, 0)
      else this.show()
      if (this.flowing >= 1) return this.stop()
      this.playing = requestAnimationFrame(frame)
    }
    this.playing = requestAnimationFrame(frame)
  }

  stop() {
    if (!this.playing) return
    cancelAnimationFrame(this.playing)
    Object.assign(this, { playing: 0, flowing: 1 })
    this.player.textContent = "▶ Play"
    this.show()
  }
}
