// What lies over the page: the tip at the pointer, and dialogs.

import { button, el } from "./dom.js"

// tip(event, lines) shows lines at the pointer, the first one strong; tip(null) hides them.
export function tips(root) {
  const node = el("div", { class: "tip", role: "tooltip", hidden: true })
  return (event, lines) => {
    node.hidden = !event
    if (!event) return
    const host = root.querySelector("dialog[open]") ?? root // a dialog lies over everything that is not in it
    if (node.parentNode !== host) host.append(node)
    node.replaceChildren(...lines.map((line, i) => el(i ? "div" : "b", {}, line)))
    const zoom = node.currentCSSZoom ?? 1 // in a hall the figure is drawn larger, and its pixels with it
    const [offsetWidth, offsetHeight] = [node.offsetWidth * zoom, node.offsetHeight * zoom]
    const below = event.clientY + 18
    const fits = below + offsetHeight <= window.innerHeight
    node.style.left = `${Math.min(event.clientX + 14, window.innerWidth - offsetWidth - 8) / zoom}px`
    node.style.top = `${(fits ? below : event.clientY - offsetHeight - 10) / zoom}px`
  }
}

export function dialog(root, title, content) {
  const close = button("×", () => node.close(), { class: "close", "aria-label": "Close" })
  const inside = el("div", { class: "inside" }, el("h2", {}, title), close, content)
  const onclick = (event) => event.target === node && node.close()
  const node = el("dialog", { "aria-label": title, onclick }, inside)
  node.onclose = () => node.remove()
  root.append(node)
  node.showModal()
}
