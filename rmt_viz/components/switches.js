// The switches of the experiment, and the link that keeps them and the text.

import { button, el } from "./dom.js"
import { same } from "./story.js"

export const CONDITIONS = [
  ["memory", "With memory", "The state after a segment is what the next one begins with"],
  ["reset", "Reset", "The memory is put back to its initial value at every boundary: the control"],
  ["changed", "Fact changed", "One fact of the text tells of another place"],
]
export const WEIGHTS = [["trained", "Trained", "The shipped model"], ["untrained", "Untrained", "Fresh weights of the same shape: the control"]]

// Buttons of which one is pressed.
export function choice(label, options, onPick) {
  const buttons = options.map(([id, name, title]) => button(name, () => onPick(id), { title, "data-id": id }))
  const node = el("div", { class: "choice", role: "group", "aria-label": label }, buttons)
  return { node, show: (id) => { for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.id === id)) } }
}

// Everything that is not as at first goes into the address, so that a link opens the same experiment.
export function toLink(page) {
  const query = new URLSearchParams()
  if (page.who !== page.data.names[0]) query.set("ask", page.who)
  if (page.condition !== "memory") query.set("memory", page.condition)
  if (page.picked != null) query.set("fact", String(page.picked + 1))
  if (page.weights !== "trained") query.set("weights", page.weights)
  if (!same(page.text, page.start)) query.set("text", JSON.stringify(page.text))
  const told = query.toString()
  window.history.replaceState(window.history.state, "", window.location.pathname + (told ? `?${told}` : ""))
}

export function fromLink(page) {
  const query = new URLSearchParams(window.location.search)
  const among = (name, list) => (list.some(([id]) => id === query.get(name)) ? query.get(name) : null)
  page.text = textIn(query.get("text")) ?? page.text
  page.condition = among("memory", CONDITIONS) ?? page.condition
  page.weights = among("weights", WEIGHTS) ?? page.weights
  page.who = page.people.includes(query.get("ask")) ? query.get("ask") : page.who
  const fact = Number(query.get("fact"))
  page.picked = Number.isInteger(fact) && fact >= 1 && fact <= page.facts.length ? fact - 1 : null
}

// A text from an address, if it is one; the server checks what is in it.
function textIn(told) {
  try {
    const { segments, noise } = JSON.parse(told ?? "null")
    const whole = segments.every((parts) => Array.isArray(parts) && parts.every((part) =>
      typeof part === "string" || ["who", "how", "where"].every((name) => typeof part[name] === "string")))
    return whole && Number.isInteger(noise) ? { segments, noise } : null
  } catch {
    return null
  }
}
