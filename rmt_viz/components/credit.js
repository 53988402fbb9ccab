// Segments of a text, each token coloured by its attribution: what it adds to the output, or takes from it. A token whose
// credit is contradicted by reading on without it is outlined. A click picks a token. Tokens are text nodes.

import { el, shown, visible } from "./dom.js"
import { colourOf, readTheme } from "./theme.js"

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".credit")
  const theme = readTheme(root)
  for (const name of ["muted", "soft", "ink"]) root.style.setProperty(`--${name}`, theme[name])
  const most = Math.max(...data.groups.flatMap(({ values }) => values.map(Math.abs)), 1e-9)
  const pick = (at) => setTriggerValue("word", at)
  root.replaceChildren(legend(most, theme), ...data.groups.map((group) => segment(group, most, theme, pick)))
}

function segment({ title, tokens, values, without, marked, note, first }, most, theme, pick) {
  const told = (i) => (without[i] == null ? "" : `; without it the output loses ${shown(without[i])}`)
  const words = tokens.map((token, i) => {
    const { fill, ink } = colourOf(theme.ramps.gain, 0.5 + values[i] / most / 2)
    const strong = Math.abs(values[i]) > most / 8
    const style = strong ? `background:${fill};color:${ink};font-weight:600` : `background:${fill};color:${ink}`
    const label = `${visible(token)}: ${shown(values[i])}${told(i)}${marked[i] ? ", which contradicts the credit" : ""}`
    return el("span", { class: marked[i] ? "token marked" : "token", style, title: label, "data-at": first + i }, token.replaceAll("\n", "⏎\n"))
  })
  // One stop for the keyboard: arrows move along the words, Enter picks one.
  const text = el("p", { tabindex: 0, role: "group", "aria-label": `${title}: arrow keys move along its words, Enter picks one` }, words)
  let at = -1
  const go = (next) => {
    words[at]?.classList.remove("here")
    at = Math.min(Math.max(next, 0), words.length - 1)
    words[at].classList.add("here")
  }
  text.onclick = ({ target }) => target.dataset.at && pick(Number(target.dataset.at))
  text.onkeydown = (event) => {
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: words.length - 1 }
    if (event.key in moves) go(moves[event.key])
    else if (event.key === "Enter" && at >= 0) pick(first + at)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return el("section", {}, el("h3", {}, title, el("small", {}, note)), text)
}

function legend(most, theme) {
  const stops = [0, 0.25, 0.5, 0.75, 1].map((at) => colourOf(theme.ramps.gain, at).fill).join(",")
  return el("div", { class: "legend" },
    el("span", {}, `takes ${shown(most)}`),
    el("span", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` }),
    el("span", {}, `adds ${shown(most)}`),
    el("span", { class: "token marked" }, "outlined"),
    el("span", {}, "contradicted by reading on without it"),
  )
}
