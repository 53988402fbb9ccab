// The surface on a Streamlit page: mount it, follow the theme and the choice of trace, keep the address in step.

import { mount } from "./surface.js"
import { httpSource } from "./source.js"

const SYNC_MS = 200
const mounted = new WeakMap()

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".surface")
  const here = mounted.get(root) ?? { surface: null, run: null, name: null, timer: 0 }
  mounted.set(root, here)
  if (here.run === shownBy(data)) here.surface?.retheme()
  else open(root, here, data)
  return () => {
    clearTimeout(here.timer)
    here.surface?.destroy()
    mounted.delete(root)
  }
}

async function open(root, here, data) {
  const view = startingView(here, data)
  const run = shownBy(data)
  Object.assign(here, { run, name: data.name })
  here.surface?.destroy()
  const options = {
    view, colours: data.colours, keys: data.keys, page: data.page, file: fileOf(data),
    reset: data.reset,
    beside: data.beside && { source: source(data, data.beside.run), names: data.beside.names },
    onView: (next) => sync(here, data, next),
    link: (next) => window.location.origin + address(data, next),
  }
  try {
    const surface = await mount(root, source(data, data.run), options)
    if (here.run !== run) return surface.destroy()
    here.surface = surface
    sync(here, data, surface.view)
  } catch (error) {
    root.textContent = error.message
  }
}

// Where what is on the screen is to be had as one file: the run, or two side by side.
function fileOf({ base, run, beside }) {
  return `${base}/${run}/page${beside ? `?with=${encodeURIComponent(beside.run)}` : ""}`
}

const source = (data, run) => httpSource(`${data.base}/${run}`, data.beside?.over)
const shownBy = (data) => `${data.run} ${data.beside?.run ?? ""}`

// The view to begin with: a control of the same run, or another page of it, keeps the visitor's view; another run begins
// with its own defaults. data.first: the first segment that a change reached, where a changed run is shown at once.
function startingView(here, data) {
  const view = keptView(here, data)
  const asked = !here.surface && new URLSearchParams(window.location.search).has("segment")
  return data.first && !asked ? { ...view, segment: data.first } : view
}

function keptView(here, data) {
  if (!here.surface) return { ...data.view, ...(cameWith(data) ? {} : left(data)) }
  if (here.name !== data.name) return data.defaults
  const { colour, ...view } = here.surface.view
  return { ...data.view, ...view, colour: data.colours.includes(colour) ? colour : data.defaults.colour }
}

// Whether the address that the visitor came with names a view.
function cameWith(data) {
  const asked = new URLSearchParams(window.location.search)
  return data.fields.some((field) => asked.has(field))
}

// The view of the same run that the visitor had on another page.
function left(data) {
  const { name, view } = window.rmtLeft ?? {}
  const { segment, layer, head, slot, who } = view ?? {}
  return name === data.name ? { segment, layer, head, slot, who } : {}
}

function address(data, view) {
  const query = new URLSearchParams(data.fixed)
  for (const field of data.fields) {
    const value = view[field]
    if (value != null && value !== data.defaults[field]) query.set(field, value)
  }
  const text = query.toString()
  return window.location.pathname + (text ? `?${text}` : "")
}

function sync(here, data, view) {
  window.rmtLeft = { name: data.name, view }
  clearTimeout(here.timer)
  here.timer = setTimeout(() => window.history.replaceState(window.history.state, "", address(data, view)), SYNC_MS)
}
