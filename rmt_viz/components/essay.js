// The Tour as one page: prose, equations and live pictures, each drawn when it comes into view; F shows them in a hall.

import { button, clamp, el, svg } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { readTheme } from "./theme.js"
import { tokensPanel } from "./tokens.js"
import { slotsPanel } from "./slots.js"
import { answersPanel } from "./answers.js"
import { headsPanel } from "./heads.js"
import { mount } from "./surface.js"
import { Passage } from "./passage.js"
import { Plot } from "./plot.js"
import { Presenter } from "./presenter.js"

const CARDS = { tokens: tokensPanel, slots: slotsPanel, answers: answersPanel, heads: headsPanel }
const SCROLLS = ["wheel", "touchmove", "pointerdown"]
const SETTLED_MS = 120 // a picture that is only scrolled past is not drawn
const HELP = "Keys: → ← steps, F for a hall; a picture that was clicked takes the arrows until Esc"

// data: {steps, first, keys, next}. host: source(run) gives its slices, watch(query) the address of a view of Watch,
// page(path) that of a page or null, at(slug) is told of the step on the screen, link(slug) the address of a step.
export class Essay {
  constructor(root, data, host) {
    Object.assign(this, { root, data, host, current: 0, active: null })
    this.steps = data.steps.map((step, i) => ({ ...step, i, drawn: null, onKey: null }))
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches
    this.presenter = new Presenter(this)
    this.build()
    this.paint()
    this.listen()
    const first = this.steps.findIndex(({ slug }) => slug === data.first)
    if (first > 0) this.go(first, false)
    else this.mark(0)
  }

  leave() {
    this.presenter.close()
    document.removeEventListener("keydown", this.onKey)
    for (const moved of SCROLLS) document.removeEventListener(moved, this.onScroll)
    for (const watcher of [this.seen, this.passed]) watcher.disconnect()
    for (const step of this.steps) for (const part of step.drawn ?? []) part.destroy()
  }

  retheme() {
    this.paint()
    for (const step of this.steps) {
      for (const part of step.drawn ?? []) part.retheme ? part.retheme() : part.draw?.()
    }
  }

  paint() {
    const theme = readTheme(this.root)
    for (const name of ["write", "read", "change", "knows", "muted", "soft"]) this.root.style.setProperty(`--${name}`, theme[name])
    this.root.style.setProperty("--on-accent", theme.dark ? "#10141b" : "#ffffff")
    for (const place of this.root.querySelectorAll(".diagram")) place.replaceChildren(blocks(theme))
  }

  // Building.

  build() {
    this.back = button("← Back", () => this.go(this.current - 1), { class: "back" })
    this.onward = button("Next →", () => this.go(this.current + 1), { class: "onward" })
    this.where = el("span", { class: "where" })
    const present = button("Present", () => this.presenter.open(), { class: "present", title: "Picture and sentence alone, in type for a hall (F)" })
    this.bar = el("nav", { class: "along", "aria-label": "Steps of the tour" }, this.back, this.onward, this.where,
      el("span", { class: "note keys", title: HELP }, HELP), present)
    this.root.replaceChildren(
      el("header", {},
        el("h1", {}, "How a memory of a few vectors works"),
        el("p", { class: "lead" }, "An essay in pictures that you can use. Every number is of a recorded run or a table that comes with this app; a claim of cause has its control beside it."),
        this.contents()),
      this.bar, ...this.steps.map((step) => this.section(step)), this.end(),
    )
  }

  contents() {
    const titles = [...new Set(this.steps.map(({ section }) => section))]
    const first = (title) => this.steps.find(({ section }) => section === title)
    return el("nav", { class: "contents", "aria-label": "Contents" }, el("ol", {}, titles.map((title) =>
      el("li", {}, this.link(first(title), title)))))
  }

  link(step, label, attributes = {}) {
    const onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      this.go(step.i)
    }
    return el("a", { href: this.host.link(step.slug), onclick, ...attributes }, label)
  }

  section(step) {
    const first = this.steps.find(({ section }) => section === step.section) === step
    step.heading = el("h2", { tabindex: -1, id: `step-${step.slug}` }, step.title)
    const anchor = this.link(step, "#", { class: "anchor", "aria-label": `Link to: ${step.title}`, title: "A link to this step" })
    step.picture = el("div", { class: `picture ${step.kind}` })
    step.claimed = el("figcaption", { class: "claim", "aria-live": "polite" }, step.claim)
    const look = step.kind === "missing" ? null : el("p", { class: "look" }, el("strong", {}, "Look for "), emphasised(step.look))
    step.figure = el("figure", {}, ...[step.claimed, look, step.picture].filter(Boolean))
    step.node = el("section", { class: "step", "data-slug": step.slug, "aria-labelledby": `step-${step.slug}` },
      el("div", { class: "words" },
        first ? el("p", { class: "part" }, step.section) : null,
        el("div", { class: "headed" }, step.heading, anchor),
        step.text.map((text) => el("p", { class: "prose" }, emphasised(text))),
        step.question ? this.ask(step) : null,
        step.evidence ? evidence(step.evidence) : null,
        step.equations.length ? this.recurrence(step) : null,
        this.more(step),
      ),
      el("div", { class: "shown" }, step.figure),
    )
    return step.node
  }

  more(step) {
    step.watching = step.watch ? el("a", { href: this.host.watch(step.watch) }, "Open this view in Watch") : null
    const pages = step.links.map(([path, question, name]) => [this.host.page(path), question, name]).filter(([href]) => href)
    return el("p", { class: "more" }, step.watching, ...pages.map(([href, question, name]) => el("a", { href, target: "_self" }, `${question} (${name})`)))
  }

  end() {
    if (!this.data.next.length) return ""
    const pages = this.data.next.map(([path, question, line]) => [this.host.page(path), question, line]).filter(([href]) => href)
    return el("section", { class: "step end", "aria-label": "Where to go on" }, el("h2", {}, "Now try it yourself"),
      el("div", { class: "links" }, pages.map(([href, question, line]) => el("a", { href, target: "_self" }, el("b", {}, question), el("span", {}, line)))))
  }

  ask(step) {
    const { text, choices, right, told } = step.question
    const said = el("p", { class: "said", "aria-live": "polite" })
    const buttons = choices.map((choice, i) => button(choice, () => {
      buttons.forEach((one, k) => {
        one.setAttribute("aria-pressed", String(k === i))
        one.classList.toggle("truth", k === right)
      })
      said.replaceChildren(el("strong", {}, i === right ? "Yes. " : `No: ${choices[right]}. `), told)
    }, { "aria-pressed": "false" }))
    return el("div", { class: "question", role: "group", "aria-label": "What do you expect?" },
      el("p", {}, el("strong", {}, "Guess: "), text), el("div", { class: "choices" }, buttons), said)
  }

  recurrence(step) {
    const drawing = step.equations.length > 1 ? el("div", { class: "diagram" }) : null
    return el("div", { class: "recurrence", role: "group", "aria-label": "The recurrence" },
      el("div", { class: "equations" }, step.equations.map((line) => this.equation(step, line))), drawing)
  }

  equation(step, line) {
    const light = (block, on) => {
      for (const node of step.node.querySelectorAll(`[data-block~="${block}"]`)) node.classList.toggle("lit", on)
    }
    return el("p", {}, line.map(({ text, below, block, meaning }) => {
      const inside = [text, below ? el("sub", {}, below) : null]
      if (!block) return el("span", {}, inside)
      const [on, off] = [() => light(block, true), () => light(block, false)]
      const node = button("", () => {}, { class: "symbol", "data-block": block, title: meaning })
      Object.assign(node, { onfocus: on, onblur: off, onpointerenter: on, onpointerleave: off, onclick: null })
      node.setAttribute("aria-label", `${text} ${below}: ${meaning}`)
      node.replaceChildren(...inside.filter(Boolean))
      return node
    }))
  }

  // Drawing.

  draw(step) {
    if (step.drawn) return
    step.drawn = []
    if (step.kind === "run") return this.drawRun(step)
    if (step.kind === "passage") {
      step.drawn = [new Passage(step.picture, step.result, (sentence) => this.say(step, sentence))]
      return
    }
    const places = (step.charts ?? []).map(() => el("div", { class: "chart" }))
    step.picture.replaceChildren(...places)
    step.drawn = places.map((place, i) => new Plot(place, step.charts[i]))
  }

  say(step, sentence) {
    if (step.claimed.textContent !== sentence) step.claimed.textContent = sentence
    this.presenter.say(step, sentence)
  }

  async drawRun(step) {
    const surface = el("div", { class: "surface" })
    step.picture.replaceChildren(surface)
    const options = {
      view: step.view, colours: step.colours, keys: this.data.keys, cards: step.cards.map((id) => CARDS[id]),
      keyHost: { addEventListener: (_, press) => (step.onKey = press), removeEventListener: () => (step.onKey = null) },
      onView: ({ segment, layer, head, slot, who }) => (step.watching.href = this.host.watch({ ...step.watch, segment, layer, head, slot, who })),
    }
    try {
      const made = await mount(surface, this.host.source(step.run), options)
      if (!this.root.isConnected) return made.destroy()
      step.drawn = [made]
    } catch (error) {
      surface.textContent = error.message
    }
  }

  // Moving.

  listen() {
    this.onKey = (event) => this.key(event)
    document.addEventListener("keydown", this.onKey)
    const waiting = new Map()
    this.seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        clearTimeout(waiting.get(target))
        const step = this.steps.find(({ picture }) => picture === target)
        if (isIntersecting) waiting.set(target, setTimeout(() => this.draw(step), SETTLED_MS))
      }
    })
    this.passed = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting && !this.going) this.mark(this.steps.findIndex(({ node }) => node === target))
      }
    }, { rootMargin: "-25% 0px -74% 0px" })
    for (const { picture, node } of this.steps) {
      this.seen.observe(picture)
      this.passed.observe(node)
    }
    // After a jump its step counts as the one on the screen until somebody scrolls: the last one never comes to the top.
    this.onScroll = () => (this.going = false)
    for (const moved of SCROLLS) document.addEventListener(moved, this.onScroll, { passive: true })
    this.root.onpointerdown = (event) => this.hold(this.steps.find(({ picture, kind }) => kind === "run" && event.composedPath().includes(picture)))
  }

  // The picture that takes the arrow keys.
  hold(step) {
    this.active?.picture.classList.remove("held")
    this.active = step ?? null
    this.active?.picture.classList.add("held")
  }

  mark(i) {
    this.current = i
    const { slug, title } = this.steps[i]
    this.where.textContent = `${i + 1} of ${this.steps.length} · ${title}`
    this.back.disabled = i === 0
    this.onward.disabled = i === this.steps.length - 1
    this.bar.style.setProperty("--done", (i + 1) / this.steps.length)
    clearTimeout(this.telling)
    this.telling = setTimeout(() => this.host.at(i ? slug : null), 200)
  }

  go(to, focus = true) {
    const i = clamp(to, 0, this.steps.length - 1)
    const near = Math.abs(i - this.current) === 1
    this.hold(null)
    this.going = true
    this.mark(i)
    if (this.presenter.shown) return this.presenter.show(this.steps[i])
    const { node, heading } = this.steps[i]
    if (focus) heading.focus({ preventScroll: true })
    node.scrollIntoView({ block: "start", behavior: near && focus && !this.calm ? "smooth" : "instant" })
  }

  // The step that an address names, on the page that is open.
  open(slug) {
    const i = this.steps.findIndex((step) => step.slug === slug)
    if (i >= 0 && i !== this.current) this.go(i)
  }

  key(event) {
    const target = event.composedPath()[0]
    const { tagName } = target
    if (event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(tagName)) return
    if (this.root.querySelector("dialog[open]:not(.presenter)") || document.querySelector("[role=dialog]")) return
    const shown = Boolean(this.presenter.shown)
    const held = this.active ?? this.steps.find(({ picture, onKey }) => onKey && event.composedPath().includes(picture))
    if (held?.onKey && this.data.keys.some(({ key }) => key === event.key)) {
      if (event.key === "Escape") this.hold(null)
      return held.onKey(event)
    }
    if (/^(Page|Home|End|ArrowUp|ArrowDown)/.test(event.key)) this.going = false
    const acts = {
      f: () => (shown ? this.presenter.close() : this.presenter.open()),
      ArrowRight: () => this.go(this.current + 1), ArrowLeft: () => this.go(this.current - 1),
      ...(shown ? { PageDown: () => this.go(this.current + 1), PageUp: () => this.go(this.current - 1) } : {}),
      ...(shown && tagName !== "BUTTON" ? { " ": () => this.go(this.current + 1) } : {}),
    }
    const act = acts[event.key === "F" ? "f" : event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
}

// Words between asterisks are emphasised.
const emphasised = (text) => text.split("*").map((part, i) => (i % 2 ? el("em", {}, part) : part))

function evidence({ caption, rows }) {
  const [, told] = rows[0]
  return el("table", { class: "evidence" }, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ["what is read", "answer", "probability"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.map(([condition, answer, p]) =>
      el("tr", { class: answer === told ? "" : "other" }, el("th", { scope: "row" }, condition), el("td", {}, answer), el("td", {}, p.toFixed(2))))))
}

// One turn of the recurrence: memory and tokens in, memory and what is made of the tokens out.
function blocks(theme) {
  const node = figure(300, 150, "Memory and tokens go into the transformer; the next memory and its output come out", theme)
  const block = (id, x, y, width, label, hue) =>
    svg("g", { "data-block": id }, box(x, y, width, 28, theme.soft, { rx: 6, stroke: hue, "stroke-width": 1.5 }),
      words(x + width / 2, y + 18, label, { "text-anchor": "middle", "font-size": 12 }))
  const arrow = (x, y, length) =>
    svg("path", { d: `M${x} ${y}v${length}m-4 -5l4 5l4 -5`, fill: "none", stroke: theme.muted, "stroke-width": 1.5 })
  node.append(
    ...[52, 182].flatMap((x) => [arrow(x, 31, 12), arrow(x, 75, 12)]), arrow(52, 119, 14),
    block("memory input", 2, 2, 100, "memory s−1", theme.change),
    block("tokens input", 108, 2, 148, "tokens of s", theme.write),
    block("model", 2, 46, 254, "Transformer", theme.ink),
    block("next", 2, 90, 100, "memory s", theme.change),
    block("output answer", 108, 90, 148, "outputs of s", theme.knows),
    words(2, 146, "to segment s + 1", { "font-size": 12, fill: theme.muted }),
  )
  return node
}
