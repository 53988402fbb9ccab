// Dialogs of the experiment: a fact reworded, moved, doubled or deleted; the prose of a segment written anew.

import { button, el, picker, range } from "./dom.js"
import { dialog } from "./overlay.js"
import { isFact, plain, sentence } from "./story.js"

const OTHER = "another word …"

// words: {names, places, actions} that the model knows. on: {change(fact, segment), double(), remove()}.
export function editFact(root, fact, segments, words, on, isNew = false) {
  const chosen = plain(fact)
  const preview = el("p", { class: "preview", "aria-live": "polite" })
  const warning = el("p", { class: "warning" })
  let segment = fact.segment
  const show = () => {
    preview.textContent = sentence(chosen)
    const unknown = [[words.names, chosen.who], [words.places, chosen.where]].filter(([known, word]) => !known.includes(word))
    warning.textContent = unknown.length
      ? `The model was never trained on ${unknown.map(([, word]) => `“${word}”`).join(" and ")}: see what it makes of it.`
      : ""
  }
  const field = (label, known, name) => {
    const own = el("input", {
      type: "text", "aria-label": `${label}: another word`, maxlength: 20, placeholder: "one word",
      hidden: known.includes(chosen[name]), value: known.includes(chosen[name]) ? null : chosen[name],
      oninput: () => { chosen[name] = own.value.trim() || known[0]; show() },
    })
    const value = known.includes(chosen[name]) ? chosen[name] : OTHER
    const pick = picker(label, [...known, OTHER].map((word) => [word, word]), value, (next) => {
      own.hidden = next !== OTHER
      chosen[name] = next === OTHER ? own.value.trim() || known[0] : next
      if (next === OTHER) own.focus()
      show()
    })
    return el("div", { class: "field" }, pick, own)
  }
  const how = picker("How", words.actions.map((word) => [word, `${word} to the`]), chosen.how, (next) => {
    chosen.how = next
    show()
  })
  const places = range(segments).map((s) => [String(s), String(s + 1)])
  const where = picker("In segment", places, String(segment), (next) => { segment = Number(next) })
  const act = (name) => (event) => { shut(event); on[name]() }
  form(root, isNew ? "A new fact" : "Change this fact", () => on.change(chosen, segment), isNew ? "Add it" : "Read it so",
    [preview, field("Who", words.names, "who"), el("div", { class: "field" }, how), field("Where", words.places, "where"),
      el("div", { class: "field" }, where), warning],
    isNew ? [] : [button("Double it", act("double")), button("Delete it", act("remove"))],
  )
  show()
}

export function editProse(root, parts, segment, characters, onChange) {
  const proses = parts.filter((part) => !isFact(part))
  const areas = (proses.length ? proses : [""]).map((prose, i, all) =>
    el("textarea", { rows: all.length > 1 ? 4 : 8, maxlength: characters, "aria-label": `Prose, part ${i + 1}` }, prose)
  )
  const told = "Write or paste what you like. What does not fit into 64 tokens goes on in a new segment, and a sentence "
    + "such as “Mary went to the garden.” becomes a fact."
  form(root, `The prose of segment ${segment + 1}`, () => onChange(areas.map((area) => area.value)), "Read it so",
    [el("p", {}, told), ...areas], [])
}

const shut = (event) => event.target.closest("dialog").close()

function form(root, title, onDone, label, fields, more) {
  const done = (event) => { shut(event); onDone() }
  const onkeydown = (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return
    event.preventDefault()  // or the same key would press the chip that has the focus next, and open this again
    done(event)
  }
  const buttons = el("div", { class: "buttons" }, button(label, done, { class: "main" }), more)
  dialog(root, title, el("div", { class: "edit", onkeydown }, fields, buttons))
  root.querySelector("dialog[open] :is(select, textarea)")?.focus()
}
