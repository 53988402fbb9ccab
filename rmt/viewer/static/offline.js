// The surface in a file of its own: runs stand in the page, compressed, and nothing is asked of any server.

import { mount } from "./surface.js"
import { archive, inflate, keptSource } from "./kept.js"
import { button, el } from "./dom.js"

const LABELS = { run: "Trained", reset: "Memory reset", untrained: "Untrained" }
const root = document.querySelector(".surface")

async function read(name) {
  const bytes = Uint8Array.from(atob(document.getElementById(name).textContent), (letter) => letter.charCodeAt(0))
  return archive(await inflate(new Blob([bytes]).stream()))
}

const source = (kept, over) => keptSource(() => Promise.resolve(kept), { over })

// The run, or one of its controls at the same segment, layer and head; a second run stays beside it.
async function open(name) {
  const run = await read(name)
  const { options } = run.meta
  const view = surface ? { ...surface.view, token: null, cell: null } : options.view
  if (!options.colours.includes(view.colour)) view.colour = options.view.colour
  const other = document.getElementById("beside") ? await read("beside") : null
  const beside = other && { source: source(other, options.over), names: options.names }
  surface?.destroy()
  surface = await mount(root, source(run, options.over), { ...options, beside, view })
  document.querySelector(".about").textContent = options.about
  for (const each of choices) each.setAttribute("aria-pressed", String(each.dataset.run === name))
}

const failed = (error) => root.replaceChildren(el("p", {}, `This run could not be opened: ${error.message}`))

let surface = null
let opening = Promise.resolve()
const show = (name) => (opening = opening.then(() => open(name)).catch(failed))
const names = [...document.querySelectorAll("script[type='text/plain']")].map((script) => script.id).filter((id) => LABELS[id])
const choices = names.map((name) => button(LABELS[name], () => show(name), { "data-run": name, "aria-pressed": "false" }))
if (names.length > 1) document.querySelector("header .controls").append(...choices)
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => surface?.retheme())
show("run")
