// Pieces of figures. Colours are written into the elements, so that a figure looks the same when it is saved.

import { svg, shown } from "./dom.js"
import { level } from "./theme.js"

export function figure(width, height, label, theme) {
  return svg("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label,
    "font-family": theme.font, "font-size": 12, fill: theme.ink,
  })
}

export function words(x, y, text, attributes = {}) {
  return svg("text", { x, y, ...attributes }, text)
}

export function box(x, y, width, height, fill, attributes = {}) {
  return svg("rect", { x, y, width: Math.max(width, 0), height: Math.max(height, 0), fill, ...attributes })
}

export function rule(x1, y1, x2, y2, stroke, attributes = {}) {
  return svg("line", { x1, y1, x2, y2, stroke, ...attributes })
}

const round = (value) => Math.round(value * 100) / 100

// A matrix of cells: one path a colour, so that a big map costs no more elements than a small one.
export function heat(values, rows, columns, area, scale, most) {
  const [w, h] = [area.width / columns, area.height / rows]
  const gap = w > 6 && h > 6 ? 1 : 0
  const [across, down] = [round(w - gap), round(h - gap)]
  const paths = new Map()
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const at = level(values[row * columns + column] / most)
      const cell = `M${round(area.x + column * w)} ${round(area.y + row * h)}h${across}v${down}h${-across}z`
      paths.set(at, (paths.get(at) ?? "") + cell)
    }
  }
  return svg("g", {}, [...paths].map(([at, d]) => svg("path", { d, fill: scale[at].fill })))
}

// A bar of the scale with its ends in numbers.
export function legend(scale, low, high, theme, label) {
  const [width, height] = [132, 8]
  const [left, right] = [low, high].map((end) => Math.max(34, 12 + 6.4 * shown(end).length))
  const node = figure(left + width + right + 8, 16, `${label}: from ${shown(low)} to ${shown(high)}`, theme)
  const step = width / scale.length
  node.append(
    words(0, 11, shown(low), { fill: theme.muted, "font-size": 12 }),
    ...scale.map((colour, i) => box(left + i * step, 4, step + 0.5, height, colour.fill)),
    box(left, 4, width, height, "none", { stroke: theme.line }),
    words(left + width + 8, 11, shown(high), { fill: theme.muted, "font-size": 12 }),
  )
  return node
}

// Every how many columns a number fits.
export function stride(columns, width, room) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
  return steps.find((step) => (width / columns) * step >= room) ?? columns
}
