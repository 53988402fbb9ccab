// Three things to try on the front page, each done by a click: what crosses, is it the cause, when does it fail.

import { button, el } from "./dom.js"
import { bare } from "./story.js"

// page: the experiment.
export function tries(page) {
  const { data } = page
  const did = new Set()
  const mark = (id, act) => () => {
    did.add(id)
    page.reader.warm(page.text, page.weights) // the next try may be an edit
    act()
    done()
  }
  const one = (id, label, title, act) => button(label, mark(id, act), { title, "data-try": id })
  const acts = [
    ["What crosses?", one("move", "See it move", "Play the run from its beginning", () => page.set({ condition: "memory" }) ?? page.toggle())],
    ["Is it the cause?",
      one("away", "Take it away", "Memory is put back to its beginning at every boundary", () => page.set({ condition: "reset" })),
      one("other", "Change one fact", "Read the text again with another place", () => page.set({ condition: "changed" }))],
    ["When does it fail?", one("fail", "Take out the prose", "The same facts, without the sentences around them", () => page.anew(bare(page.facts.length ? page.text : page.start))),
      el("a", { href: `${data.root}capacity`, target: "_self" }, "Many facts")],
  ]
  const node = el("nav", { class: "tries", "aria-label": "Three things to try" }, el("ol", {}, acts.map(([question, ...buttons]) =>
    el("li", {}, el("span", {}, question), ...buttons))))
  const done = () => {
    for (const each of node.querySelectorAll("[data-try]")) each.classList.toggle("did", did.has(each.dataset.try))
  }
  return node
}
