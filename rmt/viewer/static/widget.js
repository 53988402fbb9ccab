// The surface as a notebook's widget: slices come from the kernel by messages, and the selection is shared with it.

import { mount } from "./surface.js"
import { remoteSource, unpack } from "./source.js"

const SHARED = ["segment", "layer", "head", "slot"]
const dark = matchMedia("(prefers-color-scheme: dark)")
const isDark = () => (document.body.dataset.jpThemeLight ? document.body.dataset.jpThemeLight === "false" : dark.matches)

// Ask the kernel for a slice: {ask, number} goes out, {number} or {number, error} comes back.
function asking(model) {
  const waiting = new Map()
  let number = 0
  const answered = (content, buffers) => {
    const { resolve, reject } = waiting.get(content.number) ?? {}
    if (!resolve) return
    waiting.delete(content.number)
    if (content.error) return reject(new Error(content.error))
    const view = buffers[0]
    const bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength)
    resolve(unpack(bytes.slice().buffer))
  }
  model.on("msg:custom", answered)
  const ask = (path) => new Promise((resolve, reject) => {
    number += 1
    waiting.set(number, { resolve, reject })
    model.send({ ask: path, number })
  })
  return { ask, end: () => model.off("msg:custom", answered) }
}

async function render({ model, el }) {
  const root = document.createElement("div")
  root.className = `surface rmt-widget${isDark() ? " dark" : ""}`
  root.tabIndex = 0
  root.setAttribute("aria-label", "The run, segment by segment")
  el.replaceChildren(root)
  const { ask, end } = asking(model)
  const options = model.get("_options")
  // The kernel counts from 0, as Python does; the surface from 1, as people do.
  const shown = (value) => (value == null ? null : value + 1)
  const chosen = () => Object.fromEntries(SHARED.map((name) => [name, shown(model.get(name))]))
  const tell = (view) => {
    for (const name of SHARED) {
      const value = view[name] == null ? null : view[name] - 1
      if (value !== model.get(name)) model.set(name, value)
    }
    model.save_changes()
  }
  let surface = null
  try {
    surface = await mount(root, remoteSource(ask), {
      ...options, view: { ...options.view, ...chosen() }, keyHost: root, onView: tell,
    })
  } catch (error) {
    root.textContent = error.message
  }
  const follow = () => {
    const { segment, ...others } = chosen()
    if (!surface) return
    surface.go(segment)
    if (SHARED.slice(1).some((name) => others[name] !== (surface.view[name] ?? null))) surface.pin(others)
  }
  for (const name of SHARED) model.on(`change:${name}`, follow)
  const retheme = () => {
    root.classList.toggle("dark", isDark())
    surface?.retheme()
  }
  dark.addEventListener("change", retheme)
  return () => {
    surface?.destroy()
    dark.removeEventListener("change", retheme)
    for (const name of SHARED) model.off(`change:${name}`, follow)
    end()
  }
}

export default { render }
