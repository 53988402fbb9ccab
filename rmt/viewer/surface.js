// The stepping surface: one run, one segment at a time. It knows nothing of Streamlit; a source gives it slices.
//
// source: overview() and segment(index, layer, head) give {meta, name: {data, shape}} or a promise of it,
//   prefetch(index, layer, head) may fetch ahead; layer and head count from 0, or are null for the mean.
// options: {view, colours, keys, onView?(view), link?(view)}; in a view everything counts from 1.

import { clamp, el } from "./dom.js"
import { readTheme } from "./theme.js"
import { panel } from "./panel.js"
import { spinePanel } from "./spine.js"
import { tokensPanel } from "./tokens.js"
import { slotsPanel } from "./slots.js"
import { answersPanel } from "./answers.js"
import { headsPanel } from "./heads.js"
import { mapsPanel } from "./maps.js"
import { dialog, tips } from "./overlay.js"
import { exportDialog } from "./export.js"
import { helpTable, sentence, toolbar } from "./toolbar.js"

const PLAY_MS = 1100
const AHEAD = [1, 2, 3, -1]
const PANELS = [tokensPanel, slotsPanel, answersPanel, headsPanel, mapsPanel]

export async function mount(root, source, options) {
  const overview = await source.overview()
  const surface = new Surface(root, source, options, overview)
  await surface.start()
  return surface
}

class Surface {
  constructor(root, source, options, overview) {
    Object.assign(this, { root, source, options, overview })
    this.n = overview.meta.n_segments
    this.view = { segment: 1, layer: null, head: null, slot: null, token: null, ...options.view }
    this.view.segment = clamp(this.view.segment, 1, this.n)
    this.hover = {}
    this.previewed = null
    this.actions = this.makeActions()
    this.tip = tips(root)
  }

  async start() {
    this.slice = await this.fetch()
    this.build()
    this.listen()
    this.retheme()
    this.prefetch()
  }

  build() {
    const act = {
      root: this.root,
      go: (segment) => this.go(segment),
      pin: (fields) => this.pin(fields),
      preview: (fields) => this.preview(fields),
      leave: () => this.leave(),
      hover: (what) => this.mark(what),
      tip: this.tip,
    }
    this.bar = toolbar(this.overview, this.actions, Boolean(this.options.link))
    this.sentence = el("p", { class: "sentence", "aria-live": "polite" })
    this.spine = panel(spinePanel, act)
    this.panels = PANELS.map((spec) => panel(spec, act))
    this.root.replaceChildren(
      el("div", { class: "top" }, this.bar.node, this.sentence, this.spine.node),
      el("div", { class: "grid" }, this.panels.map(({ node }) => node)),
      el("p", { class: "hint" }, "Hover previews, click pins, Esc lets go, ? lists the keys."),
    )
  }

  listen() {
    this.onKey = (event) => this.key(event)
    document.addEventListener("keydown", this.onKey)
    this.resized = new ResizeObserver(() => this.root.clientWidth !== this.width && this.schedule())
    this.resized.observe(this.root)
  }

  destroy() {
    this.stop()
    document.removeEventListener("keydown", this.onKey)
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

  frame() {
    const { overview, slice, theme, hover } = this
    const view = { ...this.view, ...this.previewed }
    const low = window.innerHeight < 800
    return {
      overview, slice, view, theme, hover, colours: this.options.colours, whose: whose(view),
      rowHeight: low ? 27 : 36, panelHeight: low ? 150 : window.innerHeight > 1000 ? 210 : 180,
    }
  }

  draw() {
    const frame = this.frame()
    this.width = this.root.clientWidth
    this.bar.update(this.view, Boolean(this.timer), this.n)
    this.spine.update(frame)
    if (!this.slice || this.slice.meta.index !== this.view.segment - 1) return
    if (this.spoken !== this.slice) {
      this.sentence.replaceChildren(...sentence(this.slice.meta.sentence))
      this.spoken = this.slice
    }
    // While a head is previewed its grid stays as it is: what the pointer is over must not be replaced.
    for (const each of this.panels) if (!this.previewing || each.spec !== headsPanel) each.update(frame)
    this.previewing = Boolean(this.previewed)
    this.root.dataset.drawn = this.view.segment
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
    const slice = got instanceof Promise ? await got.catch(() => null) : got
    if (asked !== this.asking || this.gone) return
    if (!slice) return this.fail()
    this.slice = slice
    this.schedule()
  }

  fetch(segment = this.view.segment) {
    const view = { ...this.view, ...this.previewed }
    return this.source.segment(segment - 1, view.layer && view.layer - 1, view.head && view.head - 1)
  }

  prefetch() {
    const { layer, head, segment } = this.view
    for (const step of AHEAD) {
      const next = segment + step
      if (next >= 1 && next <= this.n) this.source.prefetch?.(next - 1, layer && layer - 1, head && head - 1)
    }
  }

  fail() {
    this.sentence.replaceChildren(
      "This segment could not be fetched; is the server still running? Step again to retry.",
    )
  }

  // Pointing.

  preview(fields) {
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

  mark(what) {
    if (what.token === this.hover.token) return
    this.hover = what
    for (const each of this.panels) if (each.frame()) Object.assign(each.frame(), { hover: what })
    for (const each of this.panels) each.mark()
  }

  // Acting: one function for each action of the table of keys.

  makeActions() {
    const beat = (i) => () => {
      const found = this.overview.meta.beats[i]
      if (found) this.go(found.segment + 1)
    }
    return {
      previous: () => this.go(this.view.segment - 1),
      next: () => this.go(this.view.segment + 1),
      first: () => this.go(1),
      last: () => this.go(this.n),
      play: () => (this.timer ? this.stop() : this.play()),
      beat1: beat(0), beat2: beat(1), beat3: beat(2), beat4: beat(3),
      unpin: () => this.pin({ layer: null, head: null, slot: null, token: null }),
      help: () => dialog(this.root, "Keys", helpTable(this.options.keys)),
      export: () => dialog(this.root, 
        "Export",
        exportDialog(
          [this.spine, ...this.panels],
          (each) => `${this.overview.meta.id.slice(0, 24)}-segment-${this.view.segment}-${each.spec.id}`,
        ),
      ),
      link: () => this.copyLink(),
    }
  }

  key(event) {
    const typing = event.composedPath()[0]
    const tag = typing?.tagName
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (typing?.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(tag)) return
    if (event.key === " " && (tag === "BUTTON" || tag === "A")) return
    if (this.root.querySelector("dialog[open]:not(.room)") || document.querySelector("[role=dialog]")) return
    if (event.key === "Escape" && this.root.querySelector("dialog[open]")) return
    const key = this.options.keys.find((each) => each.key === event.key)
    if (!key) return
    event.preventDefault()
    if (key.action !== "play") this.stop()
    this.actions[key.action]()
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

  async copyLink() {
    const link = this.options.link(this.view)
    const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false)
    const node = this.bar.node.querySelector(".link")
    const select = (event) => event.target.select()
    const field = el("input", { readonly: true, value: link, "aria-label": "Link to this view", onfocus: select })
    if (!copied) return dialog(this.root, "Link", field)
    node.textContent = "Copied"
    setTimeout(() => (node.textContent = "Link"), 1500)
  }
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
