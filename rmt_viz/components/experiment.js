// The front page: a text that can be edited, the slots that travel under it, and the answer, with three switches.

import { button, clamp, el, svg } from "./dom.js"
import { tips } from "./overlay.js"
import { bare, factsOf, hue, inserted, moved, peopleOf, plain, removed, replaced, rewritten, same } from "./story.js"
import { cards } from "./cards.js"
import { Lanes } from "./lanes.js"
import { editFact, editProse } from "./editor.js"
import { TextReader } from "./reader.js"
import { CONDITIONS, WEIGHTS, choice, fromLink, toLink } from "./switches.js"
import { layout, play, show, table, tell } from "./moments.js"
import { tries } from "./tries.js"

const TRY = "Drag a fact to another segment, or click it."
const NOISE = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100, 150, 200, 300, 400]
const pages = new WeakMap()

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".experiment")
  if (!pages.has(root)) pages.set(root, new Page(root, data))
  return () => {
    pages.get(root)?.leave()
    pages.delete(root)
  }
}

class Page {
  constructor(root, data) {
    const { model, ...text } = data.start
    Object.assign(this, { root, data, text, start: text, weights: model, condition: "memory", who: data.names[0] })
    Object.assign(this, { picked: null, moment: null, flowing: 1, playing: 0, past: [], result: null })
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches
    this.reader = new TextReader(data.path, {
      state: (sentence, share) => this.wait(sentence, share),
      found: (result, ms) => this.take(result, ms),
      failed: (sentence) => this.fail(sentence),
    })
    fromLink(this)
    for (const [name, result] of Object.entries(data.bundled ?? {})) {
      if (result?.runs) this.reader.keep(name === "bare" ? bare(this.start) : this.start, name === "bare" ? "trained" : name, result)
    }
    this.build()
    this.onKey = (event) => this.key(event)
    document.addEventListener("keydown", this.onKey)
    this.sizes = new ResizeObserver(() => this.layout())
    this.sizes.observe(root)
    this.drawCards()
    this.reader.read(this.text, this.weights)
  }

  leave() {
    this.pause()
    this.reader.stop()
    this.sizes.disconnect()
    document.removeEventListener("keydown", this.onKey)
  }

  get facts() {
    return factsOf(this.text)
  }

  get people() {
    return peopleOf(this.text, this.data.names)
  }

  // The fact that is exchanged: the one picked, else the latest of whoever is asked for.
  get fact() {
    const facts = this.facts
    if (this.picked != null && this.picked < facts.length) return this.picked
    const own = facts.findLastIndex(({ who }) => who === this.who)
    return own >= 0 ? own : facts.length - 1
  }

  // Whether the result is of the text as it stands; while it is read again the picture is the last one's.
  get current() {
    return this.result != null && same(this.result.text.segments, this.text.segments) && this.result.text.noise === this.text.noise
  }

  get run() {
    return this.result.runs[this.condition === "reset" ? "reset" : "memory"]
  }

  get last() {
    return this.result.boundaries.length - 1
  }

  get row() {
    return this.condition === "changed" && this.facts.length ? this.fact + 1 : 0
  }

  // Building.

  build() {
    const { data } = this
    this.heading = el("h1", {}, "A ", el("strong", {}, "recurrent"), " model reads a long text one ", el("strong", {}, "segment"),
      " at a time; only 8 ", el("strong", {}, "memory tokens"), " pass to the next.")
    this.finding = el("p", { class: "finding", "aria-live": "polite" })
    this.notes = el("div", { class: "notes" })
    this.conditions = choice("What happens to memory", CONDITIONS, (id) => this.set({ condition: id }))
    this.models = choice("The weights", WEIGHTS, (id) => this.set({ weights: id }))
    const pick = (event) => this.set({ picked: Number(event.target.value) })
    this.exchange = el("select", { "aria-label": "Which fact is changed", onchange: pick })
    this.exchanging = el("label", { class: "pick" }, el("span", {}, "which?"), this.exchange)
    this.undo = button("Undo", () => this.back(), { title: "Take the last edit back (Ctrl Z)" })
    this.again = button("Start over", () => this.edit(this.start), { title: "The text as it was at first" })
    this.status = el("p", { class: "status", role: "status" }, TRY)
    this.bar = el("progress", { max: 1, "aria-label": "Reading the text" })
    this.list = el("ol", { class: "cards", "aria-label": "The text, segment by segment" })
    this.slider = el("input", { type: "range", min: 0, max: NOISE.length - 1, "aria-label": "Segments of noise before the question",
      oninput: () => this.sayNoise(), onchange: () => this.edit({ ...this.text, noise: NOISE[this.slider.value] }) })
    this.amount = el("b", {})
    this.noise = el("div", { class: "card noise" }, el("header", {}, this.amount), el("div", { class: "stack", "aria-hidden": "true" }),
      this.slider, el("p", { class: "now" }))
    this.asked = el("div", { class: "people", role: "group", "aria-label": "Whom to ask for" })
    this.question = el("div", { class: "question" }, el("header", {}, el("b", {}, "The question")), el("p", {}, "Where is …"), this.asked,
      el("p", { class: "note" }, "It is put to a copy of the memory: the model sees the 8 slots and the question, and nothing of the text."))
    this.node = svg("svg", { class: "lanes", role: "img" })
    this.lanes = new Lanes(this.node, "The 8 memory tokens (slots), from segment to segment, with what each carries of every fact")
    this.answers = el("div", { class: "answers" })
    this.track = el("div", { class: "track" }, this.list, this.noise, this.question, this.node, this.answers)
    this.stage = el("div", { class: "stage", tabindex: 0, role: "region", "aria-label": "The experiment" }, this.track)
    this.play = button("▶ Play", () => this.toggle(), { class: "play" })
    this.scrub = el("input", { type: "range", min: 0, step: 1, "aria-label": "Moment of the run", oninput: () => this.go(Number(this.scrub.value)) })
    this.said = el("p", { class: "said", "aria-live": "polite" })
    this.legend = el("div", { class: "legend" })
    this.numbers = el("details", { ontoggle: () => table(this) }, el("summary", {}, "The numbers of this moment"), el("div", { class: "scrolls" }))
    this.track.onpointerenter = this.track.onfocusin = () => this.reader.warm(this.text, this.weights)
    const tip = tips(this.root)
    this.node.onpointermove = (event) => this.current && tip(event, tell(this, this.lanes.pick(event)))
    this.node.onpointerleave = () => tip(null)
    this.node.onclick = (event) => this.current && this.go(this.lanes.pick(event).n)
    this.root.replaceChildren(
      el("header", { class: "head" },
        el("div", {}, this.heading, this.finding, this.notes), el("div", { class: "aside" }, tries(this), this.link(data.links[0]))),
      el("div", { class: "bar" }, this.conditions.node, this.exchanging, this.models.node, el("span", { class: "edits" }, this.undo, this.again),
        el("span", { class: "work" }, this.bar, this.status)),
      this.stage,
      el("div", { class: "player" }, this.play, this.scrub, this.said),
      this.legend, this.numbers,
      el("nav", { class: "links", "aria-label": "Where to go from here" }, data.links.map(([page, label, told]) =>
        el("a", { href: data.root + page, target: "_self" }, el("b", {}, label), el("span", {}, told)))),
    )
  }

  // To the page that explains all this.
  link([page, question]) {
    return el("a", { class: "tour", href: this.data.root + page, target: "_self" }, `${question} The Tour, in pictures →`)
  }

  // The cards and the people drawn anew, with the focus where it was.
  drawCards() {
    const focused = this.root.getRootNode().activeElement
    const { fact, who } = focused?.dataset ?? {}
    const label = focused?.getAttribute("aria-label")
    this.redraw()
    if (!focused || focused.isConnected) return
    const again = [...this.track.querySelectorAll("button")].find((one) =>
      fact ? one.dataset.fact === fact : who ? one.dataset.who === who : label && one.getAttribute("aria-label") === label)
    again?.focus()
  }

  redraw() {
    const { text, facts, people } = this
    const exchanged = this.condition === "changed" && this.current
      ? { index: this.fact, place: this.result.facts[this.fact]?.exchanged } : null
    const on = {
      add: (segment) => this.add(segment),
      prose: (segment) => editProse(this.root, text.segments[segment], segment, this.data.limits.characters, (proses) => this.edit(rewritten(text, segment, proses))),
      edit: (fact) => editFact(this.root, fact, text.segments.length, this.words, {
        change: (next, segment) => this.edit(moved(replaced(text, fact, next), fact, segment)),
        double: () => this.double(fact),
        remove: () => this.edit(removed(text, fact)),
      }),
      move: (fact, segment) => this.move(fact, segment),
      remove: (fact) => this.edit(removed(text, fact)),
    }
    this.list.replaceChildren(...cards({ text, facts, people, exchanged, ...this.words }, on))
    this.slider.value = NOISE.findLastIndex((n) => n <= text.noise)
    this.sayNoise()
    if (!people.includes(this.who)) this.who = people[0]
    this.asked.replaceChildren(...people.map((who) => el("button", {
      type: "button", "data-who": who, "aria-pressed": String(who === this.who), style: `--hue: ${hue(people, who)}`, onclick: () => this.set({ who }),
    }, el("i", { class: "dot", "aria-hidden": "true" }), `${who}?`)))
    this.conditions.show(this.condition)
    this.models.show(this.weights)
    this.exchanging.hidden = this.condition !== "changed" || !facts.length
    this.exchange.replaceChildren(...facts.map(({ who, where, segment, index }) =>
      el("option", { value: index, selected: index === this.fact }, `${who}, ${where} (segment ${segment + 1})`)))
    this.undo.hidden = !this.past.length
    this.again.hidden = same(text, this.start)
  }

  get words() {
    const { names, places, actions } = this.data
    return { names, places, actions }
  }

  sayNoise() {
    const n = NOISE[this.slider.value]
    const told = `${n} segment${n === 1 ? "" : "s"} of noise`
    this.amount.textContent = n ? told : "no noise"
    this.slider.setAttribute("aria-valuetext", told)
    this.noise.style.setProperty("--lines", Math.min(n, 24))
    this.noise.classList.toggle("none", !n)
  }

  // Edits.

  edit(text) {
    if (same(text, this.text)) return this.drawCards()
    this.past.push(this.text)
    this.change(text)
  }

  // Another text altogether, read with memory.
  anew(text) {
    this.condition = "memory"
    this.edit(text)
  }

  back() {
    if (this.past.length) this.change(this.past.pop())
  }

  change(text) {
    this.pause()
    Object.assign(this, { text, picked: null, moment: null })
    this.drawCards()
    this.layout()
    this.reader.read(this.text, this.weights)
    toLink(this)
  }

  move(fact, segment) {
    const next = moved(this.text, fact, clamp(segment, 0, this.text.segments.length - 1))
    this.edit(next)
    const here = this.facts.findLast((each) => each.segment === Math.min(segment, this.text.segments.length - 1) && same(plain(each), plain(fact)))
    if (here) this.list.querySelector(`[data-fact="${here.index}"]`)?.focus()
  }

  add(segment) {
    if (!this.room()) return
    const { names, places, actions } = this.data
    const told = new Set(this.facts.map(({ who }) => who))
    const fact = { who: names.find((who) => !told.has(who)) ?? this.who, how: actions[1], where: places[2], segment, at: 0 }
    editFact(this.root, fact, this.text.segments.length, this.words, { change: (next, s) => this.edit(inserted(this.text, s, next)) }, true)
  }

  double(fact) {
    if (this.room()) this.edit(inserted(this.text, fact.segment, plain(fact)))
  }

  room() {
    const { limits } = this.data
    if (this.facts.length < limits.facts) return true
    this.complain(`Every fact is exchanged in turn, so there can be ${limits.facts} of them; delete some.`)
    return false
  }

  set(what) {
    const weights = this.weights
    Object.assign(this, what)
    if ("who" in what || what.condition === "memory") this.picked = null
    this.drawCards()
    if (this.weights !== weights) this.reader.read(this.text, this.weights)
    else this.layout()
    toLink(this)
  }

  // What the server says.

  wait(sentence, share) {
    this.root.dataset.state = "reading"
    this.stage.setAttribute("aria-busy", "true")
    this.status.textContent = sentence
    this.status.classList.remove("wrong")
    if (share == null) this.bar.removeAttribute("value")
    else this.bar.value = share
  }

  take(result, ms) {
    const { model, ...text } = result.text
    this.result = result
    this.text = text // prose cut into segments, and facts found in it
    this.weights = model
    this.root.dataset.state = "ready"
    this.root.dataset.read = String(Number(this.root.dataset.read ?? 0) + 1)
    this.stage.removeAttribute("aria-busy")
    this.status.textContent = ms == null ? TRY : `Read again in ${(ms / 1000).toFixed(1)} s.`
    this.status.classList.remove("wrong")
    this.drawCards()
    this.layout()
  }

  fail(sentence) {
    this.root.dataset.state = "failed"
    this.stage.removeAttribute("aria-busy")
    this.complain(sentence)
  }

  complain(sentence) {
    this.status.textContent = sentence
    this.status.classList.add("wrong")
  }

  // Moments.

  layout() {
    layout(this)
  }

  go(moment) {
    if (!this.current) return
    this.pause()
    this.moment = clamp(moment, 0, this.last)
    this.flowing = 1
    show(this)
  }

  toggle() {
    if (this.playing) return this.pause()
    if (!this.current) return
    this.play.textContent = "❚❚ Pause"
    this.root.dataset.playing = ""
    play(this)
  }

  pause() {
    cancelAnimationFrame(this.playing)
    this.playing = 0
    if (!this.play) return
    this.play.textContent = "▶ Play"
    delete this.root.dataset.playing
  }

  key(event) {
    const target = event.composedPath()[0]
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && !/^(INPUT|TEXTAREA)$/.test(target.tagName)) this.back()
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    if (/^(INPUT|TEXTAREA|SELECT|BUTTON|A|SUMMARY)$/.test(target.tagName) || this.root.querySelector("dialog[open]")) return
    const at = Math.round(this.moment ?? this.last ?? 0)
    const acts = {
      " ": () => this.toggle(), ArrowLeft: () => this.go(at - 1), ArrowRight: () => this.go(at + 1),
      Home: () => this.go(0), End: () => this.go(this.last),
    }
    if (!acts[event.key] || !this.result) return
    event.preventDefault()
    acts[event.key]()
  }
}
