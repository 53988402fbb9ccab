// Elements, in HTML and SVG. Text is always a text node, never markup.

const SVG = "http://www.w3.org/2000/svg"

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue
    if (name.startsWith("on")) node[name.toLowerCase()] = value
    else node.setAttribute(name, value === true ? "" : value)
  }
  node.append(...children.flat().filter((child) => child != null))
  return node
}

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children)
}

export function button(label, onClick, attributes = {}) {
  // After a click with the mouse the keys go back to the page: Space then plays instead of clicking again.
  const onclick = (event) => {
    if (event.detail > 0) event.currentTarget.blur()
    onClick(event)
  }
  return el("button", { type: "button", onclick, ...attributes }, label)
}

export function picker(label, options, value, onPick) {
  const onchange = (event) => onPick(event.target.value)
  const entries = options.map(([id, shown]) => el("option", { value: id, selected: id === value }, shown))
  return el("label", { class: "pick" }, el("span", {}, label), el("select", { onchange, "aria-label": label }, entries))
}

// Where a pointer is in a figure, in the figure's own pixels, whatever its size on the screen.
export function pointer(event, node) {
  const area = node.getBoundingClientRect()
  const scale = node.viewBox.baseVal.width / area.width
  return { x: (event.clientX - area.left) * scale, y: (event.clientY - area.top) * scale }
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high)
}

export const range = (n) => Array.from({ length: n }, (_, i) => i)

const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })

// A number as people read it: two decimals for shares and probabilities, three for small ones, fewer for large ones.
export function shown(value) {
  if (!Number.isFinite(value)) return "–"
  if (Math.abs(value) >= 1000) return integer.format(value)
  if (Math.abs(value) >= 10) return value.toFixed(1)
  if (Math.abs(value) >= 1e-6 && Math.abs(value) < 0.001) return value.toPrecision(2)
  return value !== 0 && Math.abs(value) < 0.1 ? value.toFixed(3) : value.toFixed(2)
}

// A token on one line of ours: its spaces, line ends and marks of writing direction are seen, not obeyed.
export function visible(token) {
  const plain = token.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(
    /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    "◇",
  )
  return plain.trim() || "␣"
}
