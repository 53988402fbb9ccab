// The rows of the gallery: a text each, with its answer, how sure, and what is special. A click opens it. Words are text nodes.

import { el, shown } from "./dom.js"
import { readTheme } from "./theme.js"

const COLUMNS = ["", "task", "segments", "facts", "question", "answer", "P(answer)", "special", "opens at"]

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".rows")
  const theme = readTheme(root)
  for (const name of ["muted", "soft", "knows", "write"]) root.style.setProperty(`--${name}`, theme[name])
  const open = (id) => setTriggerValue("open", id)
  root.tabIndex = 0
  root.setAttribute("role", "region")
  root.setAttribute("aria-label", "Texts and answers")
  root.replaceChildren(
    el("table", {},
      el("thead", {}, el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col" }, name || el("span", { "aria-label": "right or wrong" }, " "))))),
      el("tbody", {}, data.rows.map((row) => line(row, data.address, open))),
    ),
  )
}

function line(row, address, open) {
  const onclick = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return // a new tab is the browser's
    event.preventDefault()
    open(row.id)
  }
  const truth = row.right ? "" : `, it is ${row.truth}`
  const href = `${address}gallery?${new URLSearchParams({ example: row.id })}`
  return el("tr", { class: row.right ? "right" : "wrong", onclick, "data-id": row.id },
    el("td", { class: "mark" }, row.right ? "✓ right" : "✗ wrong"),
    el("td", {}, row.task),
    el("td", { class: "number" }, String(row.segments)),
    el("td", { class: "number" }, String(row.facts)),
    el("td", {}, el("a", { href }, row.question)),
    el("td", {}, `${row.answer}${truth}`),
    el("td", { class: "number" }, el("span", { class: "bar" }, el("span", { style: `width:${100 * row.p}%` })), shown(row.p)),
    el("td", {}, row.special.map(({ name, about }) => el("span", { class: "tag", title: about }, name))),
    el("td", { class: "moment" }, row.moment),
  )
}
