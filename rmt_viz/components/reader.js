// Numbers of a text, asked of the server until they are there; the latest text asked for is the only one that counts.

const [ROUNDED, BUNDLED] = [10, 3] // results kept

export class TextReader {
  // on: {state(sentence, share), found(result, ms), failed(sentence)}
  constructor(path, on) {
    Object.assign(this, { path, on, kept: new Map(), turn: 0 })
  }

  keep(text, model, result) {
    const key = JSON.stringify([text, model])
    this.kept.delete(key)
    this.kept.set(key, result)
    if (this.kept.size > ROUNDED + BUNDLED) this.kept.delete([...this.kept.keys()][BUNDLED]) // the bundled ones come first
  }

  // Have the model opened, and a text read, for what comes next: the first edit need not wait for it then.
  warm(text, model) {
    if (this.warmed) return
    this.warmed = true
    this.once({ ...text, model })
  }

  stop() {
    this.turn += 1
  }

  async read(text, model) {
    const turn = (this.turn += 1)
    const kept = this.kept.get(JSON.stringify([text, model]))
    if (kept) return this.on.found(kept, null)
    this.warmed = true
    const began = performance.now()
    this.on.state("Reading the text again …", null)
    while (turn === this.turn) {
      const answer = await this.once({ ...text, model })
      if (turn !== this.turn) return
      if (answer.error) return this.on.failed(answer.error)
      if (answer.state === "ready") {
        this.keep(text, model, answer)
        return this.on.found(answer, performance.now() - began)
      }
      const slow = performance.now() - began > 1500
      this.on.state(answer.total
        ? `Reading segment ${answer.done} of ${answer.total} …`
        : slow ? "Opening the model, which takes some seconds the first time …" : "Reading the text again …",
        answer.total ? answer.done / answer.total : null)
      await new Promise((later) => setTimeout(later, answer.again))
    }
  }

  async once(document) {
    try {
      const answer = await fetch(this.path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(document),
      })
      return await answer.json()
    } catch {
      return { error: "The server does not answer; see whether it still runs, then edit the text again." }
    }
  }
}
