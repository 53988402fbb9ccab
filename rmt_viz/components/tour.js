// The tour: on the left a step's text, question and equations; on the right its run, once the visitor has guessed.

import { button, el, svg } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { readTheme } from "./theme.js"
import { tokensPanel } from "./tokens.js"
import { slotsPanel } from "./slots.js"
import { answersPanel } from "./answers.js"
import { headsPanel } from "./heads.js"
import { mount } from "./surface.js"

const CARDS = { tokens: tokensPanel, slots: slotsPanel, answers: answersPanel, heads: headsPanel }

// host: source(run) gives its slices, watch(query) the address of a view of Watch, at(i) is told of the step on show.
export class Tour {
  constructor(root, data, host) {
    Object.assign(this, { root, data, host, guesses: new Map() })
    this.go(data.first - 1, false)
  }

  get step() {
    return this.data.steps[this.at]
  }

  go(at, focus = true) {
    this.leave()
    this.at = at
    this.host.at(at)
    this.words = el("div", { class: "words" })
    this.picture = el("div", { class: "picture" })
    this.root.replaceChildren(this.words, this.picture)
    this.draw()
    if (focus) this.words.querySelector("h2").focus()
  }

  leave() {
    this.surface?.destroy()
    this.surface = null
    this.opening = null
  }

  retheme() {
    this.surface?.retheme()
    this.paint()
  }

  paint() {
    this.theme = readTheme(this.root)
    for (const name of ["write", "read", "change", "knows", "muted", "soft"]) {
      this.root.style.setProperty(`--${name}`, this.theme[name])
    }
    this.root.style.setProperty("--on-accent", this.theme.dark ? "#10141b" : "#ffffff")
    this.diagram?.replaceChildren(blocks(this.theme))
  }

  draw() {
    const { step, at } = this
    const n = this.data.steps.length
    this.diagram = el("div", { class: "diagram" })
    this.said = el("p", { class: "said", "aria-live": "polite" })
    this.choices = el("div", { class: "choices", role: "group", "aria-label": "Your guess" })
    this.words.replaceChildren(
      el("nav", { "aria-label": "Steps of the tour" },
        dots(this.data.steps, at, (i) => this.go(i)),
        button("Back", () => this.go(at - 1), { disabled: at === 0 }),
        button(at + 1 < n ? "Next" : "Again", () => this.go((at + 1) % n), { class: "onward" }),
      ),
      el("h2", { tabindex: -1 }, `${at + 1}. ${step.title}`),
      el("p", {}, step.text),
      step.missing ? el("p", { class: "missing" }, step.missing) : this.ask(step),
      el("section", { class: "recurrence", "aria-label": "The recurrence" },
        el("div", { class: "equations" }, step.equations.map((line) => this.equation(line))), this.diagram,
      ),
    )
    this.paint()
    this.reveal(this.guesses.get(at))
  }

  ask(step) {
    this.choices.replaceChildren(...step.choices.map((choice, i) =>
      button(choice, () => this.guess(i), { "aria-pressed": "false" })
    ))
    return el("section", { class: "question", "aria-label": "What do you expect?" },
      el("p", {}, el("strong", {}, step.question)), this.choices, this.said,
    )
  }

  guess(i) {
    this.guesses.set(this.at, i)
    this.reveal(i)
  }

  // Show picture and answer once there is a guess; before that, an empty place with a button.
  reveal(guess) {
    const { step } = this
    if (step.missing) return this.picture.replaceChildren()
    if (guess === undefined) {
      this.picture.replaceChildren(
        el("div", { class: "veil" }, el("p", {}, "Guess first: the picture comes with the answer."),
          button("Show me without a guess", () => this.guess(-1))),
      )
      return
    }
    ;[...this.choices.children].forEach((node, i) => {
      node.setAttribute("aria-pressed", String(i === guess))
      node.classList.toggle("truth", i === step.right)
    })
    const verdict = guess < 0 ? "" : guess === step.right ? "Yes. " : `No: ${step.choices[step.right]}. `
    this.said.replaceChildren(el("strong", {}, verdict), step.told)
    if (!this.surface) this.open(step)
  }

  async open(step) {
    const mine = (this.opening = {})
    const surface = el("div", { class: "surface" })
    const watch = this.host.watch(step.watch)
    this.picture.replaceChildren(
      el("p", { class: "look" }, el("strong", {}, "Look for "), step.look, " ", el("a", { href: watch }, "Open in Watch")),
      surface,
    )
    const options = {
      view: step.view, colours: step.colours, keys: this.data.keys, cards: step.cards.map((id) => CARDS[id]),
    }
    try {
      const made = await mount(surface, this.host.source(step.run), options)
      if (mine !== this.opening) return made.destroy()
      this.surface = made
    } catch (error) {
      surface.textContent = error.message
    }
  }

  equation(line) {
    const light = (block, on) => {
      for (const node of this.words.querySelectorAll(`[data-block~="${block}"]`)) node.classList.toggle("lit", on)
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
}

function dots(steps, at, go) {
  return el("ol", {}, steps.map((step, i) =>
    el("li", {}, button(`${i + 1}`, () => go(i), {
      "aria-label": `Step ${i + 1}: ${step.title}`, title: step.title, "aria-current": i === at ? "step" : null,
    }))
  ))
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
