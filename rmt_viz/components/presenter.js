// The Tour in a hall: one picture and one sentence fill the screen; the picture itself is moved here and back.

import { el } from "./dom.js"

const WIDTH = 960 // pixels that a picture has, in its own measure, on a screen as wide as this or wider
const LEAST = 1.5 // type of 12 pixels becomes 18

export class Presenter {
  constructor(essay) {
    Object.assign(this, { essay, shown: null })
  }

  open() {
    if (this.shown) return
    this.line = el("p", { class: "line", "aria-live": "polite" })
    this.stage = el("div", { class: "stage", tabindex: -1 })
    const label = "Presentation: right and left arrow for the next and the last picture, Escape ends it"
    this.dialog = el("dialog", { class: "presenter", "aria-label": label }, this.line, this.stage)
    this.dialog.oncancel = (event) => {
      if (!this.essay.active) return
      event.preventDefault() // the picture gives the keys back first
      this.essay.hold(null)
    }
    this.dialog.onclose = () => this.end()
    this.onResize = () => this.size()
    window.addEventListener("resize", this.onResize)
    this.essay.root.append(this.dialog)
    this.dialog.showModal()
    this.show(this.essay.steps[this.essay.current])
  }

  show(step) {
    this.putBack()
    this.shown = step
    this.place = document.createComment(step.slug)
    step.picture.replaceWith(this.place)
    this.stage.replaceChildren(step.picture)
    this.size()
    this.stage.scrollTop = 0
    this.stage.focus()
    this.essay.draw(step)
    this.say(step, step.claimed.textContent)
  }

  say(step, sentence) {
    if (step === this.shown) this.line.textContent = sentence
  }

  size() {
    this.stage.style.setProperty("--zoom", Math.max(LEAST, window.innerWidth / WIDTH))
  }

  putBack() {
    if (this.shown) this.place.replaceWith(this.shown.picture)
    this.shown = null
  }

  close() {
    this.dialog?.close()
  }

  end() {
    this.putBack()
    window.removeEventListener("resize", this.onResize)
    this.dialog.remove()
    this.dialog = null
    this.essay.hold(null)
    this.essay.go(this.essay.current)
  }
}
