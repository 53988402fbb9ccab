// The segment's tokens, coloured by what memory took from them or what they took from memory.

import { el, picker, range, shown, visible } from "./dom.js"
import { legend } from "./draw.js"
import { locked } from "./panel.js"
import { mapEnd, runsOf } from "./ends.js"
import { colourOf, factHue } from "./theme.js"

const COLOURS = {
  write: {
    label: "write",
    title: (s) => `What memory took from segment ${s}`,
    unit: "share of memory’s attention on the token",
  },
  read: {
    label: "read",
    title: (s) => `What segment ${s} took from memory`,
    unit: "share of the token’s attention on memory",
  },
  loss: { label: "loss", title: (s) => `What surprised the model in segment ${s}`, unit: "loss in nats" },
  gain: {
    label: "Δloss",
    title: (s) => `Where memory helped in segment ${s}`,
    unit: "loss without memory minus loss with it, in nats",
  },
}
const KINDS = { fact: "fact", answer: "the answer in it", question: "question" }

export const tokensPanel = {
  id: "tokens",
  title: (frame) => (COLOURS[frame.view.colour] ?? COLOURS.write).title(frame.view.segment),
  note({ view: { colour }, whose }) {
    const heads = colour === "write" || colour === "read" // a loss is of the whole model
    return `colour: ${COLOURS[colour]?.unit ?? "none"}${heads ? `, ${whose}` : ""}`
  },
  controls: (frame, act) => [
    picker(
      "colour", frame.colours.map((id) => [id, COLOURS[id].label]), frame.view.colour, (colour) => act.pin({ colour }),
    ),
  ],
  draw(body, frame, act) {
    const scale = tokenScale(frame)
    const strip = el(
      "p",
      { class: "strip", role: "img", "aria-label": label(frame, scale) },
      frame.slice.meta.tokens.map((token, i) => drawToken(token, i, frame, scale)),
    )
    interact(strip, frame, act, scale)
    const key = scale
      ? legend(frame.theme.ramps[frame.view.colour], scale.low, scale.high, frame.theme, scale.unit)
      : null
    const kinds = [...new Set(frame.slice.meta.spans.map((span) => span.kind))].filter((kind) => KINDS[kind])
    body.replaceChildren(
      strip,
      el(
        "div",
        { class: "key" },
        key,
        el("span", {}, scale?.told ?? ""),
        kinds.map((kind) => el("span", { class: `span-${kind}` }, KINDS[kind])),
      ),
    )
    if (!frame.slice.meta.tokens.length) locked(body, "This segment has no tokens.")
    markTokens(body, frame)
  },
  mark: markTokens,
  table(frame) {
    const names = ["write", "read", "loss", "gain"].filter((name) => values(frame, name))
    const kind = (i) => frame.slice.meta.spans.filter((span) =>
      span.start <= i && i < span.end
    ).map((span) => span.kind).join(" ")
    const rows = frame.slice.meta.tokens.map((token, i) =>
      [frame.slice.meta.start + i + 1, token, ...names.map((name) => shown(values(frame, name)[i])), kind(i)]
    )
    return { columns: ["token", "text", ...names.map((name) => COLOURS[name].label), "part of"], rows }
  },
}

// A token's numbers: of the pinned slot where there is one, else of all slots.
export function values(frame, colour) {
  const { slice, view } = frame
  if (!slice) return undefined
  const matrix = slice[colour]
  if ((colour === "write" || colour === "read") && view.slot && matrix) {
    const columns = matrix.shape[1]
    return matrix.data.subarray((view.slot - 1) * columns, view.slot * columns)
  }
  return (colour === "write" || colour === "read" ? slice[`token_${colour}`] : slice[colour])?.data
}

// Write is shown from its mean up: attention must go somewhere, and an even spread says nothing.
function tokenScale(frame) {
  const { colour, slot, layer, head } = frame.view
  const series = values(frame, colour)
  if (!series) return null
  const { unit } = COLOURS[colour]
  const { write_scale: most, write_mean: mean } = frame.overview.meta
  const fixed = mapEnd(frame, slot ? colour : `${colour}_tokens`)
  const high = fixed ?? Math.max(...frame.all.map((each) => largest(values(each, colour))), 1e-6)
  const even = series.reduce((sum, value) => sum + value, 0) / series.length
  const { loss_scale: loss, gain_scale: gain } = frame.overview.meta
  const run = runsOf(frame)
  const to = `to the maximum of ${fixed ? run : "this segment"}`
  if (colour === "gain") return { series, low: -gain, high: gain, unit, told: `to the maximum of ${run}` }
  if (colour === "loss") return { series, low: 0, high: loss, unit, told: `to the maximum of ${run}` }
  if (colour === "read") return { series, low: 0, high: slot ? high : 1, unit, told: slot ? to : "" }
  if (slot || layer || head) return { series, low: mapEnd(frame, "write_mean") ?? even, high, unit, told: `mean ${to}` }
  return { series, low: mean, high: most, unit, told: `mean to maximum of ${run}` }
}

const largest = (series) => Math.max(0, ...[...(series ?? [])].filter(Number.isFinite).map(Math.abs))

function drawToken(token, i, frame, scale) {
  const node = el("span", { class: "token", "data-i": i }, token.replaceAll("\n", "⏎\n"))
  if (scale && Number.isFinite(scale.series[i])) {
    const colour = colourOf(
      frame.theme.ramps[frame.view.colour],
      (scale.series[i] - scale.low) / (scale.high - scale.low),
    )
    node.style.background = colour.fill
    node.style.color = colour.ink
  }
  const spans = frame.slice.meta.spans.filter((span) => span.start <= i && i < span.end && KINDS[span.kind])
  node.classList.add(...spans.map((span) => `span-${span.kind}`))
  const owner = spans.find((span) => span.who != null)
  if (owner) node.style.textDecorationColor = factHue(frame.theme, owner.who)
  return node
}

function label(frame, scale) {
  if (!scale) return `The tokens of segment ${frame.view.segment}`
  const order = range(scale.series.length).sort((a, b) => scale.series[b] - scale.series[a]).slice(0, 3)
  const named = order.map((i) => `${visible(frame.slice.meta.tokens[i])} ${shown(scale.series[i])}`)
  return `The tokens of segment ${frame.view.segment}; most: ${named.join(", ")}`
}

function interact(strip, frame, act) {
  const at = (event) => event.target.dataset?.i
  strip.onpointermove = (event) => {
    if (at(event) === undefined) return
    const i = Number(at(event))
    const lines = ["write", "read", "loss", "gain"].filter((name) => values(frame, name)).map((name) =>
      `${COLOURS[name].label} ${shown(values(frame, name)[i])}`
    )
    const { tokens, start } = frame.slice.meta
    act.tip(event, [`“${visible(tokens[i])}” · token ${start + i + 1}`, ...lines])
    act.hover({ token: i })
  }
  strip.onpointerleave = () => {
    act.tip(null)
    act.hover({})
  }
  strip.onclick = (event) => at(event) !== undefined && act.pin({ token: Number(at(event)) })
}

function markTokens(body, frame) {
  for (const node of body.querySelectorAll(".marked")) node.classList.remove("marked")
  const token = frame.hover.token ?? frame.view.token
  if (token != null) body.querySelector(`[data-i="${token}"]`)?.classList.add("marked")
}
