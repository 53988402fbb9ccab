// The bar under a Plotly figure: save it as SVG or PNG, its numbers as CSV or a table, and full screen.

import { button, el } from "./dom.js"
import { readTheme } from "./theme.js"
import { csv, save } from "./export.js"

const DRAWN = 500 // the most rows of the table; the CSV has all
const PNG_SCALE = 2

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".bar")
  const theme = readTheme(root)
  root.style.setProperty("--muted", theme.muted)
  const open = root.dataset.open === data.name
  const numbers = el("div", {
    class: "numbers", hidden: !open, tabindex: 0, role: "region", "aria-label": `Numbers of ${data.name}`,
  })
  const small = (label, name, act, rest = {}) =>
    button(label, act, { "aria-label": `${name}: ${data.name}`, title: name, ...rest })
  const table = small("Table", "Numbers as a table", () => toggle(), { "aria-pressed": String(open) })
  const toggle = () => {
    numbers.hidden = !numbers.hidden
    root.dataset.open = numbers.hidden ? "" : data.name
    table.setAttribute("aria-pressed", String(!numbers.hidden))
    if (!numbers.hidden) numbers.replaceChildren(...filled(data))
  }
  if (open) numbers.replaceChildren(...filled(data))
  const image = (format) => () => saveImage(chart(root), format, data.file)
  const pictures = data.figure
    ? [
      small("SVG", "Save as SVG", image("svg")),
      small("PNG", "Save as PNG", image("png")),
      small("⤢", "More room", () => moreRoom(root)),
    ]
    : []
  const rows = () => save(`${data.file}.csv`, "text/csv", csv({ columns: data.columns, rows: rowsOf(data.values) }))
  root.replaceChildren(
    el("div", { class: "line" },
      el("p", {}, data.caption),
      el("div", { class: "tools", role: "group", "aria-label": `Export ${data.name}` },
        small("CSV", "Save the numbers as CSV", rows), table, pictures),
    ),
    numbers,
  )
}

const rowsOf = (columns, most = Infinity) =>
  Array.from({ length: Math.min(columns[0]?.length ?? 0, most) }, (_, i) => columns.map((column) => column[i] ?? ""))

const digits = (cell) => String(typeof cell === "number" ? Number(cell.toPrecision(6)) : cell) // the CSV has all

function filled({ columns, values }) {
  const rows = rowsOf(values, DRAWN)
  const more = (values[0]?.length ?? 0) - rows.length
  return [
    el("table", {},
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, el("bdi", {}, digits(cell))))))),
    ),
    more > 0 ? el("p", {}, `And ${more} more rows, all of them in the CSV.`) : "",
  ]
}

const frame = (root) => root.getRootNode().host.closest("[class*='st-key-figure-']")
const chart = (root) => frame(root).querySelector(".js-plotly-plot")

// This script cannot reach Plotly, but it can press the chart's own button, which saves with the options of the chart.
function saveImage(plot, format, filename) {
  const options = plot._context.toImageButtonOptions
  Object.assign(options, { format, filename, scale: format === "png" ? PNG_SCALE : 1 })
  plot.querySelector(".modebar-btn[data-title^='Download plot']").click()
}

// The full screen is a button of the chart, too.
function moreRoom(root) {
  chart(root).querySelector(".modebar-btn[data-title='Fullscreen']").click()
}
