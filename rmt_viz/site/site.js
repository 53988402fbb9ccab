// The static site: pages over runs whose slices lie in files beside this one. The view is in the address, after #.

import { button, el } from "./dom.js"
import { mount } from "./surface.js"
import { archive, inflate, keptSource } from "./kept.js"
import { Essay } from "./essay.js"

const PAGES = [["watch", "Watch"], ["attention", "Attention"], ["memory", "Memory"], ["compare", "Compare"], ["tour", "Tour"]]
const NUMBER = /^[1-9]\d{0,8}$/
const FIELDS = { // of the view, in the address: what each may be
  segment: NUMBER, layer: NUMBER, head: NUMBER, slot: NUMBER, colour: /^[a-z]+$/, who: /./,
  how: /^(mean|max)$/, beside: /^(beats|[1-9]\d{0,8})$/, range: /^[1-9]\d{0,8}-[1-9]\d{0,8}$/, show: /^(watch|memory|loss)$/,
}
const BEGIN = { compare: { show: "watch" }, attention: { how: "mean" } } // how a page begins, beside its segment
const [main, nav, choose, about] = ["main", "nav.pages", ".choose", ".about"].map((name) => document.querySelector(name))

let site = null // data/runs.json
let surface = null
let drawn = null // which page and runs are on the screen
let opening = Promise.resolve()
const sources = new Map()

async function load(id, file) {
  const response = await fetch(`data/${id}/${file}.bin`)
  if (!response.ok) throw new Error("A file of this run is not here; copy the whole folder of the site.")
  return archive(await inflate(response.body))
}

function source(id, over) {
  const key = `${id} ${over ?? ""}`
  if (!sources.has(key)) sources.set(key, keptSource((file) => load(id, file), { chunk: site.chunk, over }))
  return sources.get(key)
}

// What the address asks for, with what makes no sense left out.
function wanted() {
  const [page, query] = window.location.hash.slice(1).split("?")
  const asked = new URLSearchParams(query)
  const known = (id) => site.runs.find((run) => run.id === id)
  const run = known([asked.get("trace"), asked.get("control")].filter(Boolean).join(".")) ?? known(asked.get("trace")) ?? site.runs[0]
  const others = comparable(run)
  const beside = others.find((other) => other.id === asked.get("with")) ?? others[0]
  const pages = pagesHere()
  const view = {}
  for (const [field, form] of Object.entries(FIELDS)) {
    const value = asked.get(field)
    if (value != null && form.test(value)) view[field] = NUMBER.test(value) ? Number(value) : value
  }
  if (!run.colours.includes(view.colour)) delete view.colour
  return { page: pages.some(([id]) => id === page) ? page : "watch", run, beside, view, step: asked.get("step") }
}

const pagesHere = () => PAGES.filter(([id]) => (id === "tour" ? site.steps.length : id === "compare" ? site.runs.length > 1 : true))

// Its own controls first, then all others.
function comparable(run) {
  const own = (other) => (other.name === run.name ? 0 : 1)
  return site.runs.filter((other) => other !== run).sort((a, b) => own(a) - own(b))
}

function address({ page, run, beside }, view = {}) {
  const query = new URLSearchParams({ trace: run.name })
  if (run.control) query.set("control", run.control)
  if (page === "compare" && beside) query.set("with", beside.id)
  const begin = { ...BEGIN[page], ...run.view }
  for (const field of Object.keys(FIELDS)) {
    if (view[field] != null && view[field] !== begin[field]) query.set(field, view[field])
  }
  return `#${page}?${query}`
}

const called = (run) => run.title + (run.control ? `, ${run.label.toLowerCase()}` : "")
// What of a view goes along to another page or control.
const kept = (view = surface?.view) => Object.fromEntries(["segment", "layer", "head", "slot", "who"].map((field) => [field, view?.[field]]))

function links(here, view) {
  nav.replaceChildren(...pagesHere().map(([id, name]) =>
    el("a", { href: id === "tour" ? "#tour" : address({ ...here, page: id }, kept(view)), "aria-current": id === here.page ? "page" : null }, name)
  ))
}

function choices(here) {
  if (here.page === "tour") return choose.replaceChildren()
  const go = (next, view) => (window.location.hash = address({ ...here, ...next }, view))
  const select = (label, options, value, onchange) =>
    el("label", {}, label, el("select", { "aria-label": label, onchange: (event) => onchange(options.find((run) => run.id === event.target.value)) },
      options.map((run) => el("option", { value: run.id, selected: run.id === value }, called(run)))))
  const family = site.runs.filter((run) => run.name === here.run.name)
  choose.replaceChildren(
    select("Run", site.runs.filter((run) => !run.control), here.run.name, (run) => go({ run })),
    ...(family.length > 1 ? family.map((run) =>
      button(run.label, () => go({ run }, kept()), { "aria-pressed": String(run === here.run), "data-run": run.id })) : []),
    ...(here.page === "compare" ? [select("Compare with", comparable(here.run), here.beside.id, (run) => go({ beside: run }, kept()))] : []),
  )
}

async function show() {
  const here = wanted()
  const key = [here.page, here.run.id, here.page === "compare" ? here.beside.id : ""].join(" ")
  if (key === drawn) {
    if (here.page === "tour") surface?.open(here.step)
    return
  }
  drawn = key
  links(here)
  choices(here)
  surface?.destroy?.()
  surface?.leave?.()
  surface = null
  document.title = `${PAGES.find(([id]) => id === here.page)[1]} · RMT Viz`
  about.textContent = here.page === "tour" ? "How a memory of a few vectors works, in pictures that you can use." : here.run.about
  const root = el("div", { class: here.page === "tour" ? "tour" : "surface" })
  main.replaceChildren(root)
  try {
    surface = here.page === "tour" ? openTour(root, here) : await openRun(root, here)
  } catch (error) {
    main.replaceChildren(el("p", { class: "wrong" }, error.message))
  }
}

async function openRun(root, here) {
  const { page, run, beside, view } = here
  const pair = page === "compare"
  const over = pair && run.segments !== beside.segments ? Math.max(run.segments, beside.segments) : null
  const replace = (next) => {
    window.history.replaceState(null, "", address(here, next))
    links(here, next)
  }
  const made = await mount(root, source(run.id, over), {
    view: { ...BEGIN[page], ...run.view, ...view }, colours: run.colours, keys: site.keys, page, heads: run.heads ? undefined : false,
    beside: pair ? { source: source(beside.id, over), names: [called(run), called(beside)] } : null,
    onView: replace,
    link: (next) => window.location.href.split("#")[0] + address(here, next),
  })
  replace(made.view)
  return made
}

function openTour(root, { step }) {
  const link = (slug) => (slug ? `#tour?step=${slug}` : "#tour")
  const run = ({ trace, control }) => site.runs.find(({ id }) => id === [trace, control].filter(Boolean).join("."))
  const host = {
    source: (id) => source(id, null),
    watch: ({ trace, control, ...view }) => address({ page: "watch", run: run({ trace, control }) }, view),
    page: (path) => (pagesHere().some(([id]) => id === path) ? address({ ...wanted(), page: path }) : null),
    link,
    at: (slug) => window.location.hash.startsWith("#tour") && window.history.replaceState(null, "", link(slug)),
  }
  return new Essay(root, { steps: site.steps, first: step, keys: site.keys, next: site.next }, host)
}

async function begin() {
  const response = await fetch("data/runs.json")
  if (!response.ok) throw new Error("data/runs.json is not here; copy the whole folder of the site.")
  site = await response.json()
  const next = () => (opening = opening.then(show))
  window.addEventListener("hashchange", next)
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => surface?.retheme())
  next()
}

begin().catch((error) => main.replaceChildren(el("p", { class: "wrong" }, error.message)))
