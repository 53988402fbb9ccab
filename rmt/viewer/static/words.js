// Each slot read as words: by a language model's own head, or as the nearest embeddings.

import { el, range, shown, visible } from "./dom.js"
import { locked } from "./panel.js"
import { colourOf } from "./theme.js"

const WIDE = 215 // pixels of a word with its numbers; those that have no room are in the table
const SAME = 0.0005 // no change that three decimals show
const UNITS = { head: "probability by the model’s own head", embeddings: "cosine to the model’s embeddings" }

export const wordsPanel = {
  id: "words",
  title(frame) {
    const found = wordsOf(frame)
    if (!found?.score) return "Each slot as words"
    const best = found.score.data.indexOf(Math.max(...found.score.data))
    const k = found.score.shape[1]
    const [slot, word] = [Math.floor(best / k), visible(found.meta.texts[Math.floor(best / k)][best % k])]
    return `Nearest to any word: slot ${slot + 1}, to “${word}” (${shown(found.score.data[best])})`
  },
  note(frame) {
    const found = wordsOf(frame)
    const unit = UNITS[found?.meta.by] ?? "read by the model itself"
    return `${unit} after segment ${frame.view.segment}, and the change in it; near is not the same as used`
  },
  draw(body, frame, act) {
    const found = wordsOf(frame)
    if (!frame.overview.meta.n_memory) return locked(body, "This model has no memory.")
    if (found?.meta.error ?? found?.meta.why) return locked(body, found.meta.error ?? found.meta.why)
    if (!found?.score) {
      if (!body.querySelector("table")) locked(body, "The model is being opened to read them.")
      return
    }
    const [slots, k] = found.score.shape
    const seen = Math.min(k, Math.max(3, Math.floor(body.clientWidth / WIDE)))
    const top = Math.max(...frame.all.map((each) => Math.max(...(wordsOf(each)?.score?.data ?? [0]))))
    const rows = range(slots).map((slot) =>
      el("tr", { class: frame.view.slot === slot + 1 ? "chosen" : "" },
        el("th", { scope: "row", class: "pickable", onclick: () => pin(frame, act, slot) }, `slot ${slot + 1}`),
        range(seen).map((i) => word(found, slot * k + i, found.meta.texts[slot][i], top, frame)),
      )
    )
    const label = `The ${seen} words nearest to each slot after segment ${frame.view.segment}`
    body.replaceChildren(el("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": label },
      el("table", { class: "near" }, el("tbody", {}, rows)),
    ))
  },
  table(frame) {
    const found = wordsOf(frame)
    const columns = ["slot", "rank", "word", "now", "before", "rank before"]
    if (!found?.score) return { columns, rows: [] }
    const k = found.score.shape[1]
    const rows = range(found.score.data.length).map((i) => [
      Math.floor(i / k) + 1, (i % k) + 1, found.meta.texts[Math.floor(i / k)][i % k],
      shown(found.score.data[i]), shown(found.before.data[i]), found.rank.data[i] + 1,
    ])
    return { columns, rows }
  },
}

const wordsOf = (frame) => frame.ask(`words/${frame.view.segment - 1}`)
const pin = (frame, act, slot) => act.pin({ slot: frame.view.slot === slot + 1 ? null : slot + 1 })

function word(found, i, text, top, { theme }) {
  const [now, before, was] = [found.score.data[i], found.before.data[i], found.rank.data[i]]
  const colour = colourOf(theme.ramps.change, now / Math.max(top, 1e-9))
  const change = now - before
  const told = Math.abs(change) < SAME ? "same" : `${change < 0 ? "−" : "+"}${shown(Math.abs(change))}`
  const from = was >= found.score.shape[1] ? `, rank ${(was + 1).toLocaleString("en")} before` : ""
  const chip = el("span", { class: "chip" }, el("bdi", {}, visible(text)))
  chip.style.background = colour.fill
  chip.style.color = colour.ink
  return el("td", {}, chip, el("span", { class: "note" }, ` ${shown(now)} (${told}${from})`))
}
