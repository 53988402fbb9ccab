// The bar under a Plotly figure: save it as SVG or PNG, its numbers as CSV or a table, and full screen.

import { button, el, svg } from "./dom.js"
import { readTheme } from "./theme.js"
import { csv, save, savePicture } from "./export.js"

const DRAWN = 500 // the most rows of the table; the CSV has all

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

// A chart as it is drawn: Plotly's layers one over another, with their ground, and without what is for the mouse alone.
function saveImage(plot, format, name) {
  const { width, height } = plot._fullLayout
  const node = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` })
  node.append(svg("rect", { width, height, fill: plot._fullLayout.paper_bgcolor }))
  for (const layer of plot.querySelectorAll(".main-svg")) node.append(...[...layer.cloneNode(true).childNodes])
  for (const idle of node.querySelectorAll(".draglayer, .hoverlayer, .zoomlayer, .scrollbar-handle")) idle.remove()
  savePicture(`${name}.${format}`, node)
}

// The full screen is a button of the chart, too.
function moreRoom(root) {
  chart(root).querySelector(".modebar-btn[data-title='Fullscreen']").click()
}
