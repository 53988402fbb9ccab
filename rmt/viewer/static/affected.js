// Who is affected by a change: what is answered about each after the shown segment, as it was and changed.

import { el, visible } from "./dom.js"
import { people } from "./people.js"
import { factHue } from "./theme.js"

const COLUMNS = ["about", "as it was", "changed", "with memory reset"]

export const affectedPanel = {
  id: "affected",
  joint: true,
  when: (sides) => sides.length > 1 && sides.every(({ overview }) => people(overview).length),
  title(frame) {
    const found = rowsOf(frame)
    const turned = found.filter(({ before, after }) => before.name !== after.name).map(({ name }) => visible(name))
    const when = `After segment ${frame.view.segment}`
    if (!turned.length) return `${when} all answers are as they were`
    const rest = found.length - turned.length
    return `${when} another answer about ${turned.join(", ")}; ${rest} of ${found.length} as they were`
  },
  note: (frame) =>
    "the answer if asked now, and its probability · ✓ right, ✗ wrong by the text that was read" +
    (frame.reset ? " · reset: the same two texts, memory put back before every segment" : ""),
  draw(body, frame) {
    const rows = rowsOf(frame).map((row) => {
      const name = el("th", { scope: "row" }, el("bdi", {}, visible(row.name)))
      name.style.color = factHue(frame.theme, row.who)
      const turned = row.before.name !== row.after.name
      return el("tr", { class: turned ? "turned" : "", "data-who": row.name },
        name, el("td", {}, told(row.before)), el("td", {}, turned ? told(row.after) : `stays: ${told(row.after)}`),
        frame.reset ? el("td", {}, row.reset) : null)
    })
    const columns = frame.reset ? COLUMNS : COLUMNS.slice(0, 3)
    body.replaceChildren(el("table", { class: "affects" },
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows)))
  },
  table(frame) {
    const columns = ["about", "as it was", "P", "changed", "P", ...(frame.reset ? ["reset: as it was → changed"] : [])]
    const rows = rowsOf(frame).map(({ name, before, after, reset }) =>
      [name, before.name, before.p, after.name, after.p, ...(frame.reset ? [reset] : [])]
    )
    return { columns, rows }
  },
}

const told = ({ name, p, right }) => `${visible(name)} ${p}${right == null ? "" : right ? " ✓" : " ✗"}`

// Whom both runs know, with the answers of both; of one that has ended, its last.
function rowsOf(frame) {
  const [one, other] = frame.all
  return people(one.overview).flatMap(({ name }, who) => {
    const there = people(other.overview).findIndex((each) => each.name === name)
    if (there < 0 || !one.slice || !other.slice) return []
    return [{ name, who, before: answerOf(one, who), after: answerOf(other, there), reset: resetOf(frame, name) }]
  })
}

function answerOf({ overview, slice }, who) {
  const { classes } = overview.meta
  const shares = [...slice.each.data.subarray(who * classes.length, (who + 1) * classes.length)]
  const best = shares.indexOf(Math.max(...shares))
  const truth = slice.truth.data[who]
  return { name: classes[best], p: shares[best].toFixed(2), right: truth < 0 ? null : truth === best }
}

function resetOf({ reset, overview, view }, name) {
  const [was, now] = (reset ?? []).map((answers) => {
    const row = answers[name] ?? []
    return visible(overview.meta.classes[row[Math.min(view.segment, row.length - 1)]] ?? "–")
  })
  return was === now ? `stays: ${was}` : `${was} → ${now}`
}
