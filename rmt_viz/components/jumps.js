// The list of tokens that memory helped and hurt most, each a link to its segment on Watch. Tokens are text nodes.

import { el, visible } from "./dom.js"
import { colourOf, readTheme } from "./theme.js"

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".jumps")
  const theme = readTheme(root)
  for (const name of ["read", "write", "muted", "soft"]) root.style.setProperty(`--${name}`, theme[name])
  const most = Math.max(...data.groups.flatMap(({ rows }) => rows.map(({ gain }) => Math.abs(gain))), 1e-9)
  const go = (segment) => setTriggerValue("open", segment)
  root.replaceChildren(...data.groups.map((group) => list(group, data, most, theme, go)))
}

function list({ kind, title, rows }, { trace, address }, most, theme, go) {
  const entries = rows.map((row) => el("li", {}, link(row, trace, address, most, theme, go)))
  return el("section", { class: kind },
    el("h3", {}, title, el("small", {}, "P without → with memory, nats saved")),
    entries.length ? el("ol", {}, entries) : el("p", { class: "none" }, "None in this text."),
  )
}

function link(row, trace, address, most, theme, go) {
  const { segment, before, token, after, gain } = row
  const onclick = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return // a new tab is the browser's
    event.preventDefault()
    go(segment)
  }
  const query = new URLSearchParams({ trace, segment, colour: "gain" })
  const { fill, ink } = colourOf(theme.ramps.gain, 0.5 + gain / most / 2)
  const label = `${visible(token)}, segment ${segment}: ${signed(gain)} nats; open it on Watch`
  return el("a", { href: `${address}watch?${query}`, onclick, "aria-label": label, title: `segment ${segment}` },
    el("span", { class: "context" },
      el("span", { class: "before" }, el("bdi", {}, line(before))),
      el("mark", { style: `background:${fill};color:${ink}` }, el("bdi", {}, visible(token))),
      el("span", { class: "after" }, el("bdi", {}, line(after))),
    ),
    el("span", { class: "chance" }, `${share(row.without)} → ${share(row.with_memory)}`),
    el("span", { class: "gain" }, signed(gain)),
  )
}

const MARKS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g // marks of writing direction, shown as a sign and not applied
const line = (text) => text.replaceAll("\n", " ").replace(MARKS, "◇")
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`
const share = (p) => p >= 0.01 ? p.toFixed(2) : p >= 0.0001 ? p.toFixed(4).replace(/^0/, "") : "<.0001"
