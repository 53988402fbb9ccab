// Segments of a text, each token coloured by its attribution: what it adds to the output, or takes from it. Tokens are text nodes.

import { el, shown, visible } from "./dom.js"
import { colourOf, readTheme } from "./theme.js"

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".credit")
  const theme = readTheme(root)
  for (const name of ["muted", "soft"]) root.style.setProperty(`--${name}`, theme[name])
  const most = Math.max(...data.groups.flatMap(({ values }) => values.map(Math.abs)), 1e-9)
  root.replaceChildren(legend(most, theme), ...data.groups.map((group) => segment(group, most, theme)))
}

function segment({ title, tokens, values, note }, most, theme) {
  const words = tokens.map((token, i) => {
    const { fill, ink } = colourOf(theme.ramps.gain, 0.5 + values[i] / most / 2)
    const strong = Math.abs(values[i]) > most / 8
    const style = strong ? `background:${fill};color:${ink};font-weight:600` : `background:${fill};color:${ink}`
    return el("span", { class: "token", style, title: `${visible(token)}: ${shown(values[i])}` }, token.replaceAll("\n", "⏎\n"))
  })
  return el("section", {}, el("h3", {}, title, el("small", {}, note)), el("p", {}, words))
}

function legend(most, theme) {
  const stops = [0, 0.25, 0.5, 0.75, 1].map((at) => colourOf(theme.ramps.gain, at).fill).join(",")
  return el("div", { class: "legend" },
    el("span", {}, `takes ${shown(most)}`),
    el("span", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` }),
    el("span", {}, `adds ${shown(most)}`),
  )
}
