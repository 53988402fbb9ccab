// The text on the surface that is hardest to read: its contrast with what is behind it, as WCAG counts it.
() => {
  const root = document.querySelector(".surface")
    ?? [...document.querySelectorAll("*")].map((node) => node.shadowRoot?.querySelector(".surface")).find(Boolean)
  const rgb = (text) => (text.match(/[\d.]+/g) ?? []).map(Number)
  const light = (colour) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    const [r, g, b] = colour.slice(0, 3).map((c) => linear(c / 255))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (node) => {
    for (let n = node; n; n = n.parentElement ?? n.getRootNode().host) {
      const colour = rgb(getComputedStyle(n).backgroundColor)
      if (colour.length === 3 || colour[3] > 0.99) return colour
    }
    return rgb(getComputedStyle(document.querySelector(".stApp")).backgroundColor)
  }
  let worst = { ratio: 99 }
  for (const node of root.querySelectorAll("h2, p, span, button:not([aria-disabled=true]), label, strong, mark, .token, svg text")) {
    if (!node.textContent.trim() || !node.getClientRects().length) continue
    const inCell = node.tagName === "text" && node.closest("[data-layer]")
    const text = rgb(getComputedStyle(node)[node.tagName === "text" ? "fill" : "color"])
    const behind = inCell ? rgb(getComputedStyle(node.parentNode.querySelector("rect")).fill) : ground(node)
    const [a, b] = [light(text), light(behind)].sort((x, y) => y - x)
    const ratio = (a + 0.05) / (b + 0.05)
    if (ratio < worst.ratio) worst = { ratio, text: node.textContent.slice(0, 40), tag: node.tagName, colour: text, behind }
  }
  return worst
}
