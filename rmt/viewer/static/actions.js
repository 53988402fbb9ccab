// What the surface can be asked to do: one function for each action of the table of keys, and the keys themselves.

import { el } from "./dom.js"
import { dialog } from "./overlay.js"
import { exportDialog } from "./export.js"
import { beatsOf, people, whoOf } from "./people.js"
import { helpTable } from "./toolbar.js"

// A beat is shown in the colours of what happens in it.
const COLOUR_OF = { write: "write", update: "write", append: "write", change: "write", read: "read", look: "read" }

export function actions(surface) {
  const beat = (i) => () => {
    const found = beatsOf(surface.overview, surface.view)[i]
    if (!found) return
    const colour = COLOUR_OF[found.kind]
    if (surface.options.colours.includes(colour)) surface.view = { ...surface.view, colour }
    found.segment + 1 === surface.view.segment ? surface.changed() : surface.go(found.segment + 1)
  }
  return {
    previous: () => surface.go(surface.view.segment - 1),
    next: () => surface.go(surface.view.segment + 1),
    first: () => surface.go(1),
    last: () => surface.go(surface.n),
    play: () => (surface.timer ? surface.stop() : surface.play()),
    beat1: beat(0), beat2: beat(1), beat3: beat(2), beat4: beat(3),
    who: () => {
      const all = people(surface.overview)
      if (all.length) surface.pin({ who: all[(whoOf(surface) + 1) % all.length].name })
    },
    unpin: () => surface.pin({ layer: null, head: null, slot: null, token: null, cell: null }),
    help: () => dialog(surface.root, "Keys", helpTable(surface.options.keys)),
    export: () => dialog(surface.root, "Export", exportables(surface)),
    link: () => copyLink(surface),
  }
}

// A key pressed anywhere on the page, unless somebody is typing or a dialog has it.
export function press(surface, event) {
  const typing = event.composedPath()[0]
  const tag = typing?.tagName
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (typing?.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(tag)) {
    if (event.key !== "Escape" || tag !== "SELECT") return // what is chosen in a list is let go from there, too
  }
  if (event.key === " " && (tag === "BUTTON" || tag === "A")) return
  if (surface.root.querySelector("dialog[open]:not(.room)") || document.querySelector("[role=dialog]")) return
  if (event.key === "Escape" && surface.root.querySelector("dialog[open]")) return
  const key = surface.options.keys.find((each) => each.key === event.key)
  if (!key) return
  event.preventDefault()
  if (key.action !== "play") surface.stop()
  surface.actions[key.action]()
}

// Every card that has something to show.
function exportables({ sides, panels, view, options }) {
  const cards = [...sides.map((side) => ({ ...side.spine, side })), ...panels]
  return exportDialog(
    cards.filter((each) => each.spec.joint || each.frame()?.slice),
    (each) => `${each.side.overview.meta.id.slice(0, 24)}-segment-${view.segment}-${each.spec.id}`,
    options.file,
  )
}

async function copyLink(surface) {
  const link = surface.options.link(surface.view)
  const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false)
  const node = surface.bar.node.querySelector(".link")
  const select = (event) => event.target.select()
  const field = el("input", { readonly: true, value: link, "aria-label": "Link to this view", onfocus: select })
  if (!copied) return dialog(surface.root, "Link", field)
  node.textContent = "Copied"
  setTimeout(() => (node.textContent = "Link"), 1500)
}
