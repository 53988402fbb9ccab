// What is wrong with the layout of the page as it stands: scrolls sideways, sticks out, lies over its neighbour.
() => {
  const main = document.querySelector("[data-testid=stMain]")
  const wrong = []
  for (const [name, node] of [["page", document.documentElement], ["main", main]]) {
    if (node.scrollWidth > node.clientWidth) wrong.push(`${name} scrolls sideways by ${node.scrollWidth - node.clientWidth}`)
  }
  const all = (root) => [...root.querySelectorAll("*")].flatMap((node) => [node, ...(node.shadowRoot ? all(node.shadowRoot) : [])])
  const seen = (node) => {
    const { width, height } = node.getBoundingClientRect()
    return width > 1 && height > 1 && node.checkVisibility({ opacityProperty: true, visibilityProperty: true })
      && !node.closest(".modebar, [hidden], [aria-hidden=true], dialog:not([open])")
  }
  const called = (node) => `${node.tagName.toLowerCase()} “${(node.getAttribute("aria-label") ?? node.textContent).trim().slice(0, 30)}”`
  const scrolls = (node) => {
    for (let n = node; n && n !== main; n = n.parentElement ?? n.getRootNode().host) {
      if (n.scrollWidth > n.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(n).overflowX)) return true
    }
    return false
  }
  const nodes = all(main).filter((node) => node.matches("button, select, input, textarea, a[href], h1, h2, h3, [role=slider]") && seen(node))
  const boxes = nodes.map((node) => ({ node, box: node.getBoundingClientRect() }))
  for (const { node, box } of boxes) {
    if ((box.right > innerWidth + 1 || box.left < -1) && !scrolls(node)) wrong.push(`${called(node)} sticks out`)
  }
  const inside = (a, b) => { for (let n = a; n; n = n.parentElement ?? n.getRootNode().host) if (n === b) return true; return false }
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left)
    const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top)
    if (across > 2 && down > 2 && !inside(a.node, b.node) && !inside(b.node, a.node) && !scrolls(a.node) && !scrolls(b.node)) {
      wrong.push(`${called(a.node)} lies over ${called(b.node)}`)
    }
  }))
  const texts = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    const own = []
    while (walker.nextNode()) own.push(walker.currentNode)
    return own
  }
  const roots = [document.body, ...all(document.body).flatMap((node) => node.shadowRoot ?? [])]
  for (const text of roots.flatMap(texts)) {
    const node = text.parentElement
    if (!node || !text.data.trim() || node.closest("style, script, svg title, sub, sup, tspan[style*='%'], [data-testid^=stIcon]") || !seen(node)) continue
    const size = parseFloat(getComputedStyle(node).fontSize)
    if (size < 12) wrong.push(`“${text.data.trim().slice(0, 30)}” is written in ${size} px`)
  }
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    const [title, bar] = [".gtitle", ".modebar"].map((name) => plot.querySelector(name)?.getBoundingClientRect())
    if (title?.width && bar?.width && bar.top < title.bottom && bar.bottom > title.top) wrong.push("Plotly's buttons lie over a title")
  }
  return [...new Set(wrong)]
}
