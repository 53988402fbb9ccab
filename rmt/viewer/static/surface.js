// The stepping surface: one run, one segment at a time. It knows nothing of Streamlit; a source gives it slices.
//
// source: overview() and segment(index, layer, head) give {meta, name: {data, shape}} or a promise of it,
//   prefetch(index, layer, head) may fetch ahead; layer and head count from 0, or are null for the mean.
//   ask(path) gives in the same way what one page alone needs; a source without it has none of that.
// options: {view, colours, keys, page?, beside?, onView?(view), link?(view)}; in a view everything counts from 1.
//   page: whose cards are shown (pages.js), "watch" by default. beside: {source, names: [ours, its]}, a second run on
//   the same cursor and the same scales. file: where the run is to be had as one file. heads: false where the source
//   has means of heads only; locked: why it has no maps. cards: these, whatever the page.
//   keyHost: the element whose keys are taken, the whole page by default.

import { clamp, el } from "./dom.js"
import { readTheme } from "./theme.js"
import { panel } from "./panel.js"
import { spinePanel } from "./spine.js"
import { SHOWN, shareScales } from "./beside.js"
import { PAGES } from "./pages.js"
import { people, whoOf } from "./people.js"
import { tips } from "./overlay.js"
import { sentence, toolbar } from "./toolbar.js"
import { actions, press } from "./actions.js"

const PLAY_MS = 1100
const AHEAD = [1, 2, 3, -1]

export async function mount(root, source, options) {
  const sources = options.beside ? [source, options.beside.source] : [source]
  const overviews = await Promise.all(sources.map((each) => each.overview()))
  const names = options.beside?.names ?? []
  const sides = sources.map((each, i) => ({ source: each, overview: overviews[i], name: names[i], slice: null }))
  const surface = new Surface(root, shareScales(sides), options)
  await surface.start()
  return surface
}

class Surface {
  constructor(root, sides, options) {
    Object.assign(this, { root, sides, options, overview: sides[0].overview })
    this.n = Math.max(...sides.map((side) => side.overview.meta.n_segments))
    this.view = { segment: 1, layer: null, head: null, slot: null, token: null, who: null, ...options.view }
    this.view.segment = clamp(this.view.segment, 1, this.n)
    this.hover = {}
    this.previewed = null
    this.actions = actions(this)
    this.tip = tips(root)
  }

  async start() {
    this.take(await Promise.all(this.fetch()))
    this.build()
    this.listen()
    this.retheme()
    this.prefetch()
  }

  get page() {
    return this.view.show ?? this.options.page ?? "watch"
  }

  build() {
    const pages = this.sides.length > 1 && this.options.page === "compare" ? SHOWN : []
    this.bar = toolbar(this.overview, this.actions, Boolean(this.options.link), pages, (show) => this.pin({ show }))
    for (const side of this.sides) {
      side.sentence = el("p", { class: "sentence", "aria-live": "polite" })
      side.spine = panel(spinePanel, this.acting(side))
    }
    const heads = this.sides.map(({ name, sentence, spine }) =>
      el("div", { class: "side" }, name ? el("h2", { class: "name" }, name) : null, sentence, spine.node)
    )
    const paired = this.sides.length > 1 ? " paired" : ""
    this.grid = el("div")
    this.root.replaceChildren(
      el("div", { class: "top" }, this.bar.node, el("div", { class: `sides${paired}` }, heads)),
      this.grid,
      el("p", { class: "hint" }, "Hover previews, click pins, Esc lets go, ? lists the keys."),
    )
    this.fill()
  }

  // The cards of the page that is shown: one for each side, or one for both.
  fill() {
    this.shown = this.page
    this.grid.className = `grid ${this.shown}-cards${this.sides.length > 1 ? " paired" : ""}`
    const specs = (this.options.cards ?? PAGES[this.shown]).filter((spec) => spec.when?.(this.sides) ?? true)
    this.panels = specs.flatMap((spec) =>
      (spec.joint ? this.sides.slice(0, 1) : this.sides).map((side) => ({ ...panel(spec, this.acting(side)), side }))
    )
    this.grid.replaceChildren(...this.panels.map(({ node }) => node))
  }

  acting(side) {
    return {
      root: this.root,
      go: (segment) => this.go(segment),
      pin: (fields) => this.pin(fields),
      preview: (fields) => this.preview(fields),
      leave: () => this.leave(),
      hover: (what) => this.mark(what, side),
      redraw: () => this.schedule(),
      tip: this.tip,
    }
  }

  listen() {
    this.onKey = (event) => press(this, event)
    this.keyHost = this.options.keyHost ?? document
    this.keyHost.addEventListener("keydown", this.onKey)
    this.resized = new ResizeObserver(() => this.root.clientWidth !== this.width && this.schedule())
    this.resized.observe(this.root)
  }

  destroy() {
    this.stop()
    this.keyHost.removeEventListener("keydown", this.onKey)
    this.resized?.disconnect()
    this.gone = true
  }

  retheme() {
    this.theme = readTheme(this.root)
    const names = ["write", "read", "change", "knows", "muted", "soft"]
    for (const name of names) this.root.style.setProperty(`--${name}`, this.theme[name])
    this.root.style.setProperty("--on-accent", this.theme.dark ? "#10141b" : "#ffffff")
    this.draw()
  }

  // Drawing: at most once a frame, however fast the keys come.

  schedule() {
    if (this.scheduled) return
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0
      if (!this.gone) this.draw()
    })
  }

  frames() {
    const low = window.innerHeight < 800
    const frames = this.sides.map((side) => {
      const view = fitted({ ...this.view, ...this.previewed }, side)
      return {
        overview: side.overview, slice: side.slice, name: side.name, view, theme: this.theme, hover: this.hover,
        colours: this.options.colours, whose: whose(view), n: this.n,
        rowHeight: low ? 27 : 36, panelHeight: low ? 150 : window.innerHeight > 1000 ? 210 : 180,
        ask: (path) => this.ask(side, path), picks: this.options.heads !== false, locked: this.options.locked, reset: this.options.reset,
      }
    })
    for (const frame of frames) frame.all = frames // so that both sides can be drawn on one scale
    return frames
  }

  draw() {
    const frames = this.frames()
    this.width = this.root.clientWidth
    this.bar.update({ ...this.view, show: this.page }, Boolean(this.timer), this.n)
    this.sides.forEach((side, i) => side.spine.update(frames[i]))
    if (!this.fetched || this.fetched !== this.view.segment) return
    if (this.shown !== this.page) this.fill()
    for (const side of this.sides) this.tell(side)
    // While a head is previewed its grid stays as it is: what the pointer is over must not be replaced.
    for (const each of this.panels) {
      if (!this.previewing || !each.spec.stays) each.update(frames[this.sides.indexOf(each.side)])
    }
    this.previewing = Boolean(this.previewed)
    this.root.dataset.drawn = this.view.segment
  }

  tell(side) {
    const { meta } = side.slice ?? {}
    const who = people(side.overview)[whoOf({ overview: side.overview, view: this.view })]?.name
    const told = meta && (meta.sentences?.[who] ?? meta.sentence)
    if (side.spoken === (told ?? null)) return
    side.spoken = told ?? null
    side.sentence.replaceChildren(...(told ? sentence(told) : [ended(side)]))
  }

  // What a page alone needs: the slice when it is here, else null, and the page is drawn again when it comes.
  ask(side, path) {
    const got = side.source.ask?.(path, () => this.schedule())
    return got ?? null
  }

  // Moving.

  go(segment) {
    const next = clamp(segment, 1, this.n)
    if (next === this.view.segment) return
    this.view = { ...this.view, segment: next, token: null }
    this.hover = {}
    this.previewing = false
    this.tip(null)
    this.changed()
  }

  pin(fields) {
    this.previewing = false
    if (this.options.heads === false) fields = { ...fields, layer: null, head: null }
    if (fields.token != null && fields.token === this.view.token) fields = { token: null }
    this.view = { ...this.view, ...fields }
    this.previewed = null
    this.changed()
  }

  async changed() {
    this.options.onView?.(this.view)
    await this.load()
    this.prefetch()
  }

  async load() {
    const asked = (this.asking = {})
    this.schedule()
    const got = this.fetch()
    const slices = got.some((slice) => slice instanceof Promise) ? await Promise.all(got).catch(() => null) : got
    if (asked !== this.asking || this.gone) return
    if (!slices) return this.fail()
    this.take(slices)
    this.schedule()
  }

  take(slices) {
    this.sides.forEach((side, i) => (side.slice = slices[i]))
    this.fetched = this.view.segment
  }

  // Of each side its slice or a promise of it, null where the run has ended.
  fetch() {
    return this.sides.map((side) => {
      const { segment, layer, head } = fitted({ ...this.view, ...this.previewed }, side)
      if (segment > side.overview.meta.n_segments) return null
      return side.source.segment(segment - 1, layer && layer - 1, head && head - 1)
    })
  }

  prefetch() {
    for (const side of this.sides) {
      const { layer, head, segment } = fitted(this.view, side)
      for (const next of AHEAD.map((step) => segment + step)) {
        if (next < 1 || next > side.overview.meta.n_segments) continue
        side.source.prefetch?.(next - 1, layer && layer - 1, head && head - 1)
      }
    }
  }

  fail() {
    this.sides[0].sentence.replaceChildren(
      "This segment could not be fetched; is the server still running? Step again to retry.",
    )
  }

  // Pointing.

  preview(fields) {
    if (this.options.heads === false) return
    this.previewed = fields
    this.previewing = true
    this.load()
  }

  leave() {
    this.tip(null)
    if (!this.previewed) return
    this.previewed = null
    this.load()
  }

  // A token pointed at is marked in every card; on the other side only where the text is the same.
  mark(what, from) {
    if (what.token === this.hover.token) return
    this.hover = what
    for (const each of this.panels) {
      const hover = each.side === from || sameText(each.side.slice, from.slice) ? what : {}
      if (each.frame()) each.mark(Object.assign(each.frame(), { hover }))
    }
  }

  play() {
    if (this.view.segment === this.n) this.go(1)
    this.timer = setInterval(() => {
      if (this.view.segment === this.n) this.stop()
      else this.go(this.view.segment + 1)
    }, PLAY_MS)
    this.schedule()
  }

  stop() {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = 0
    this.schedule()
  }
}

// The view as a side can show it: another model may have fewer layers, heads and slots.
function fitted(view, { overview: { meta } }) {
  const within = (value, most) => (value && value <= most ? value : null)
  return {
    ...view,
    layer: within(view.layer, meta.n_layers),
    head: within(view.head, meta.n_heads),
    slot: within(view.slot, meta.n_memory),
  }
}

const ended = (side) => `This run ends at segment ${side.overview.meta.n_segments}.`

function sameText(one, other) {
  return one?.ids && other?.ids && one.ids.data.join() === other.ids.data.join()
}

function whose({ layer, head, slot }) {
  const of = layer && head
    ? `layer ${layer}, head ${head}`
    : layer
    ? `layer ${layer}, mean of heads`
    : head
    ? `head ${head}, mean of layers`
    : "mean of layers and heads"
  return slot ? `${of}, slot ${slot}` : of
}
