// The row of buttons: steps, play, beats, link, export, help.

import { button, el } from "./dom.js"
import { beatsOf } from "./people.js"

const STEPS = [
  { action: "first", shown: "⇤", name: "First segment" },
  { action: "previous", shown: "←", name: "Previous segment" },
  { action: "play", shown: "Play", name: "Play" },
  { action: "next", shown: "→", name: "Next segment" },
  { action: "last", shown: "⇥", name: "Last segment" },
]

// pages: [[id, name]] of what two runs can be compared on; onPage(id) is called when one is chosen.
export function toolbar(overview, actions, hasLink, pages = [], onPage = null) {
  const steps = STEPS.map(({ action, shown, name }) =>
    button(shown, actions[action], { "aria-label": name, title: name, class: action, "data-action": action })
  )
  const beats = el("div", { class: "beats", role: "group", "aria-label": "Beats" })
  let drawn = null
  const drawBeats = (found) => {
    if (found === drawn) return // another one is followed
    drawn = found
    const why = overview.meta.question || overview.meta.who ? "no answer turned here" : "nothing stands out here"
    beats.replaceChildren(...found.map(({ kind, segment, from }, i) =>
      button(`${i + 1} ${kind}`, actions[`beat${i + 1}`], {
        class: `beat ${kind}`,
        title: `Segment ${segment + 1}, as ${from.join(" and ")} show${from.at(-1).endsWith("s") ? "" : "s"}`,
        "data-segment": segment + 1,
      })), ...(found.length ? [] : [el("span", { class: "note" }, `no beats: ${why}`)]))
  }
  const link = hasLink ? button("Link", actions.link, { title: "Copy a link to this view", class: "link" }) : null
  const shown = pages.map(([id, name]) => button(name, () => onPage(id), { class: "page", "data-page": id }))
  const node = el("div", { class: "toolbar", role: "toolbar", "aria-label": "Steps" },
    el("div", { class: "steps" }, steps),
    beats,
    shown.length ? el("div", { class: "beats", role: "group", "aria-label": "Compare on" }, shown) : null,
    el(
      "div",
      { class: "right" },
      link,
      button("Export", actions.export, { class: "export-button" }),
      button("?", actions.help, { "aria-label": "Keys", title: "Keys" }),
    ),
  )
  const play = node.querySelector(".play")

  function update(view, playing, n) {
    play.textContent = playing ? "Stop" : "Play"
    play.setAttribute("aria-label", playing ? "Stop" : "Play")
    for (const page of shown) page.setAttribute("aria-pressed", String(page.dataset.page === view.show))
    drawBeats(beatsOf(overview, view))
    for (const beat of beats.querySelectorAll("button")) beat.setAttribute("aria-pressed", String(Number(beat.dataset.segment) === view.segment))
    for (const step of steps) {
      const back = step.dataset.action === "first" || step.dataset.action === "previous"
      const on = step.dataset.action === "next" || step.dataset.action === "last"
      step.setAttribute("aria-disabled", String((back && view.segment === 1) || (on && view.segment === n)))
    }
  }

  return { node, update }
}

export function helpTable(keys) {
  const rows = keys.map((key) =>
    el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key.shown)), el("td", {}, key.help))
  )
  return el("div", {},
    el("table", {}, el("tbody", {}, rows)),
    el(
      "p",
      {},
      "Pointing at a token, a head or a cell previews it with its numbers; a click pins it, Esc lets go. ",
      "Segment, layer, head, slot, colour and whom you ask about are in the address: the link brings others to the same view.",
    ),
  )
}

// Words of the document stand in <bdi>: marks of writing direction in them must not turn ours around.
export function sentence(parts) {
  const drawn = {
    text: (text) => text,
    strong: (text) => el("strong", {}, el("bdi", {}, text)),
    token: (text) => el("mark", {}, el("bdi", {}, text)),
    quote: (text) => el("bdi", {}, text),
  }
  return parts.map(({ kind, text }) => drawn[kind](text))
}
