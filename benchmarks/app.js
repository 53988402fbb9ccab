// Actions of the benchmark on a page; each returns the milliseconds until its result was painted.
const everything = (root) =>
  [...root.querySelectorAll("*")].flatMap((node) => [node, ...(node.shadowRoot ? everything(node.shadowRoot) : [])])
const find = (css) => everything(document).find((node) => node.matches(css))
const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))

function until(done) {
  const began = performance.now()
  return new Promise((tell) => {
    const look = () =>
      done() ? requestAnimationFrame(() => tell(performance.now() - began)) : requestAnimationFrame(look)
    requestAnimationFrame(look)
  })
}

window.bench = {
  // Nothing but looking, for what comes by itself.
  there: (css) => until(() => find(css)),
  edit(label) {
    const page = find(".experiment")
    const was = page.dataset.read
    everything(document).findLast((node) => node.matches("button") && node.textContent === label).click()
    return until(() => page.dataset.state === "ready" && page.dataset.read !== was)
  },
  step(key) {
    const surface = find(".surface")
    const was = surface.dataset.drawn
    press(key)
    return until(() => surface.dataset.drawn !== was)
  },
  choose([label, value]) {
    const box = find(`select[aria-label=${label}]`)
    const was = find(".panel.maps svg")
    box.value = value
    box.dispatchEvent(new Event("change"))
    return until(() => find(".panel.maps svg") !== was)
  },
  whole(key) {
    const body = find("[data-whole]")
    const was = body.dataset.whole
    press(key)
    return until(() => body.dataset.whole && body.dataset.whole !== was)
  },
  // Frames a second, over three seconds.
  frames() {
    return new Promise((done) => {
      let [began, n] = [performance.now(), 0]
      const next = (now) => (now - began > 3000 ? done((1000 * n) / (now - began)) : ((n += 1), requestAnimationFrame(next)))
      requestAnimationFrame(next)
    })
  },
}
