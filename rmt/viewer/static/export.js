// Figures as SVG and PNG, their numbers as CSV: what is on the screen, saved.

import { button, el, svg, visible } from "./dom.js"
import { box, figure, words } from "./draw.js"
import { webFonts } from "./fonts.js"

const PNG_SCALE = 2

// file: where the whole run is to be had as one HTML file.
export function exportDialog(panels, name, file) {
  const rows = panels.map((panel) => el("tr", {},
    el("th", { scope: "row" }, panel.spec.title(panel.frame())),
    el("td", {}, button("SVG", () => savePicture(`${name(panel)}.svg`, picture(panel)))),
    el("td", {}, button("PNG", () => savePicture(`${name(panel)}.png`, picture(panel)))),
    el("td", {}, button("CSV", () => save(`${name(panel)}.csv`, "text/csv", csv(numbers(panel))))),
  ))
  // A link in the page is the host's to follow; one that is in no page is the browser's.
  const onclick = (event) => {
    event.preventDefault()
    el("a", { href: file, download: true }).click()
  }
  const whole = file
    ? el("p", {}, el("a", { href: file, onclick }, "The whole run as one HTML file"), ", to step through offline.")
    : null
  return el("div", {}, el("table", { class: "export" }, el("tbody", {}, rows)), whole)
}

const numbers = ({ spec, frame }) => (spec.csv ?? spec.table)(frame())

// A panel's figure as an element of its own.
export function picture(panel) {
  const drawn = panel.body.querySelector("svg[role]")
  const strip = panel.body.querySelector(".strip")
  const node = strip
    ? drawStrip(strip, panel.frame())
    : drawn
    ? drawn.cloneNode(true)
    : figure(320, 40, "Nothing to show", panel.frame().theme)
  const theme = panel.frame().theme
  node.prepend(svg("rect", { width: "100%", height: "100%", fill: theme.page }))
  return node
}

// A figure with its font inside, saved as SVG or PNG as its name ends.
export async function savePicture(name, node) {
  node.setAttribute("xmlns", "http://www.w3.org/2000/svg")
  const families = [node, ...node.querySelectorAll("text")].map((one) => one.getAttribute("font-family") ?? one.style.fontFamily)
  const style = await webFonts([...new Set(families.filter(Boolean))].join(","))
  if (style) node.prepend(svg("style", {}, style))
  const source = new XMLSerializer().serializeToString(node)
  if (name.endsWith(".svg")) save(name, "image/svg+xml", source)
  else savePng(name, source)
}

// The token strip as it stands on the page, word for word.
function drawStrip(strip, { theme }) {
  const area = strip.getBoundingClientRect()
  const node = figure(Math.ceil(area.width), Math.ceil(area.height) + 8, strip.getAttribute("aria-label"), theme)
  node.setAttribute("font-size", getComputedStyle(strip).fontSize)
  for (const token of strip.children) node.append(...drawWord(token, area, theme))
  return node
}

// A token may go over the end of a line: its ground in parts, its text in the last of them.
function drawWord(token, area, theme) {
  const style = getComputedStyle(token)
  const inside = ({ x, y, width, height }) => ({ x: x - area.x, y: y - area.y, width, height })
  const parts = [...token.getClientRects()].map(inside)
  const last = parts.at(-1)
  if (!last) return []
  const [left, base] = [last.x, last.y + last.height + 1]
  const underline = { x1: left, x2: left + last.width, y1: base, y2: base, stroke: theme.ink }
  return [
    ...parts.map(({ x, y, width, height }) => box(x, y, width, height, style.backgroundColor, { rx: 3 })),
    words(left, last.y + last.height * 0.74, visible(token.textContent), { fill: style.color }),
    ...(token.className.includes("span-") ? [svg("line", underline)] : []),
  ]
}

export function csv({ columns, rows }) {
  const cell = (value) => {
    const text = String(value)
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n"
}

export function save(name, type, content) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }))
  el("a", { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

function savePng(name, source) {
  const image = new Image()
  image.onload = async () => {
    await image.decode() // with the font that is inside
    const canvas = el("canvas", { width: image.width * PNG_SCALE, height: image.height * PNG_SCALE })
    const context = canvas.getContext("2d")
    context.scale(PNG_SCALE, PNG_SCALE)
    context.drawImage(image, 0, 0)
    canvas.toBlob((blob) => save(name, "image/png", blob))
  }
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`
}
