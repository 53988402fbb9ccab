// The surface in a file of its own: the run stands in the page, compressed, and nothing is asked of any server.

import { mount } from "./surface.js"
import { unpack } from "./source.js"
import { button, el } from "./dom.js"

const LABELS = { run: "Trained", reset: "Memory reset", untrained: "Untrained" }
const root = document.querySelector(".surface")

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))
  return new Response(stream).arrayBuffer()
}

// The archive: a slice that says where the others end, then the overview, then each segment (and its heads).
function archive(buffer) {
  const { meta, ends } = unpack(buffer)
  const length = buffer.byteLength - ends.data.at(-1)
  const part = (i) => unpack(buffer.slice(length + (i ? ends.data[i - 1] : 0), length + ends.data[i]))
  return { meta, part }
}

function fileSource({ meta, part }) {
  const step = meta.options.heads ? 2 : 1
  return {
    overview: () => part(0),
    segment(index, layer, head) {
      const slice = part(1 + index * step)
      return meta.options.heads && (layer != null || head != null)
        ? { ...slice, ...mapsOf(part(2 + index * step), layer, head) }
        : slice
    },
  }
}

// As `_maps` of slices.py: the maps of a layer and head, or means, both (M, T), and the tokens' shares.
function mapsOf({ read, write }, layer, head) {
  const [slots, tokens] = write.shape.slice(2)
  const [ofRead, ofWrite] = [read, write].map((maps) => mean(maps, layer, head))
  const columns = (value) => Float32Array.from({ length: tokens }, (_, t) => value(t))
  const readSlots = read.shape[3]
  const turned = new Float32Array(readSlots * tokens)
  for (let m = 0; m < readSlots; m += 1) {
    for (let t = 0; t < tokens; t += 1) turned[m * tokens + t] = ofRead[t * readSlots + m]
  }
  const over = (map, rows, t) => Array.from({ length: rows }, (_, m) => map[m * tokens + t]).reduce((a, b) => a + b, 0)
  return {
    read: { shape: [readSlots, tokens], data: turned },
    write: { shape: [slots, tokens], data: ofWrite },
    token_read: { shape: [tokens], data: columns((t) => over(turned, readSlots, t)) },
    token_write: { shape: [tokens], data: columns((t) => over(ofWrite, slots, t) / slots) },
  }
}

// (L, H, rows, columns) -> (rows, columns) of a layer and head, the mean over what is not chosen.
function mean({ shape: [layers, heads, rows, columns], data }, layer, head) {
  const size = rows * columns
  const out = new Float32Array(size)
  let n = 0
  for (let l = layer ?? 0; l <= (layer ?? layers - 1); l += 1) {
    for (let h = head ?? 0; h <= (head ?? heads - 1); h += 1, n += 1) {
      const at = (l * heads + h) * size
      for (let i = 0; i < size; i += 1) out[i] += data[at + i]
    }
  }
  return out.map((value) => value / n)
}

// The run, or one of its controls at the same segment, layer and head.
async function open(name) {
  const run = archive(await inflate(document.getElementById(name).textContent))
  const { options } = run.meta
  const view = surface ? { ...surface.view, token: null, cell: null } : options.view
  if (!options.colours.includes(view.colour)) view.colour = options.view.colour
  surface?.destroy()
  surface = await mount(root, fileSource(run), { ...options, view })
  document.querySelector(".about").textContent = options.about
  for (const each of choices) each.setAttribute("aria-pressed", String(each.dataset.run === name))
}

const failed = (error) => root.replaceChildren(el("p", {}, `This run could not be opened: ${error.message}`))

let surface = null
let opening = Promise.resolve()
const show = (name) => (opening = opening.then(() => open(name)).catch(failed))
const names = [...document.querySelectorAll("script[type='text/plain']")].map((script) => script.id)
const choices = names.map((name) => button(LABELS[name], () => show(name), { "data-run": name, "aria-pressed": "false" }))
if (names.length > 1) document.querySelector("header .controls").append(...choices)
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => surface?.retheme())
show("run")
