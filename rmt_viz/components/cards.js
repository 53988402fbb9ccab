// The text as cards, one a segment: prose, facts as chips that can be dragged to another segment, and what is answered
// when the question comes right after it.

import { button, el } from "./dom.js"
import { hue, isFact, sentence } from "./story.js"

const FAR = 6 // pixels after which a press is a drag

// look: {text, facts, people, exchanged: {index, place} or null, names, places}. on: what the visitor can ask for.
export function cards(look, on) {
  let index = 0
  return look.text.segments.map((parts, segment) => {
    const body = parts.map((part) => {
      if (!isFact(part)) return el("p", { class: "text" }, part)
      return chip(look.facts[index++], look, on)
    })
    const told = parts.some(isFact)
    return el("li", { class: `card${told ? " told" : ""}`, "data-segment": segment },
      el("header", {}, el("b", {}, `${segment + 1}`),
        button("+", () => on.add(segment), { class: "small", "aria-label": `Add a fact to segment ${segment + 1}`, title: "Add a fact" }),
        button("✎", () => on.prose(segment), { class: "small", "aria-label": `Edit the prose of segment ${segment + 1}`, title: "Edit or paste prose" }),
      ),
      el("div", { class: "parts" }, body),
      el("p", { class: "now" }),
    )
  })
}

function chip(fact, look, on) {
  const changed = look.exchanged?.index === fact.index ? look.exchanged.place : null
  const unknown = !look.names.includes(fact.who) || !look.places.includes(fact.where)
  const said = `${sentence(fact)} ${changed ? `Exchanged: ${changed}. ` : ""}${unknown ? "Unknown to the model. " : ""}`
  const node = el("button", {
    type: "button", "data-fact": fact.index, style: `--hue: ${hue(look.people, fact.who)}`,
    class: `chip${fact.old ? " old" : ""}${unknown ? " unknown" : ""}${changed ? " changed" : ""}`,
    "aria-label": `${said}Segment ${fact.segment + 1}. Enter changes it, Shift and arrows move it, Delete deletes it.`,
    title: `${said}Drag it to another segment, or click to change it.`,
    onclick: (event) => { if (!event.currentTarget.dragged) on.edit(fact) },
    onkeydown: (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key]
      if (step && event.shiftKey) on.move(fact, fact.segment + step)
      else if (event.key === "Delete" || event.key === "Backspace") on.remove(fact)
      else return
      event.preventDefault()
      event.stopPropagation()
    },
    onpointerdown: (event) => drag(event, fact, on),
  }, el("b", {}, fact.who), el("span", {}, changed ? [el("s", {}, fact.where), ` ${changed}`] : fact.where, unknown ? " ?" : null))
  return node
}

// A chip follows the pointer; the card it is let go over takes it. Fingers scroll: they move a chip by its dialog.
function drag(press, fact, on) {
  const node = press.currentTarget
  node.dragged = false
  if (press.button || press.pointerType === "touch") return
  const root = node.getRootNode()
  let ghost = null
  let over = null
  const move = (event) => {
    const [x, y] = [event.clientX - press.clientX, event.clientY - press.clientY]
    if (!ghost && Math.hypot(x, y) < FAR) return
    if (!ghost) {
      ghost = node.cloneNode(true)
      const { width } = node.getBoundingClientRect()
      ghost.classList.add("ghost")
      ghost.style.width = `${width}px`
      node.after(ghost)
      node.classList.add("lifted")
    }
    ghost.style.left = `${event.clientX - 20}px`
    ghost.style.top = `${event.clientY - 14}px`
    const card = root.elementsFromPoint(event.clientX, event.clientY).map((one) => one.closest(".card")).find(Boolean)
    if (card !== over) {
      over?.classList.remove("over")
      card?.classList.add("over")
      over = card ?? null
    }
  }
  const drop = (event) => {
    node.onpointermove = node.onpointerup = node.onpointercancel = null
    node.dragged = Boolean(ghost)
    ghost?.remove()
    node.classList.remove("lifted")
    over?.classList.remove("over")
    if (ghost && over && event.type === "pointerup") on.move(fact, Number(over.dataset.segment))
  }
  node.setPointerCapture(press.pointerId)
  Object.assign(node, { onpointermove: move, onpointerup: drop, onpointercancel: drop })
}
