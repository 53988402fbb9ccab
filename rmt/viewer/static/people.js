// Those that can be asked for at any moment, people as a rule: whose answers are shown, and a row of the spine for each.

import { el, range, svg, visible } from "./dom.js"
import { box, words } from "./draw.js"
import { factHue, mix } from "./theme.js"

const LETTER = 6.3 // pixels of a letter of 11.5 pixels, near enough
const HEAD = 16
const COLUMN = 58
const CONTROLS = ["reset", "untrained"]
const LEGEND = "if asked now, after each segment · a bar: another answer · dashed ✗: wrong"
const NOBODY = "never mentioned"

export const people = (overview) => overview.meta.people ?? []

// Whom the view follows, counted from 0: the one it names, else whom the text itself asks about; -1 where nobody is.
export function whoOf({ overview, view }) {
  const names = people(overview).map(({ name }) => name)
  const chosen = names.indexOf(view.who)
  return chosen >= 0 ? chosen : names.indexOf(overview.meta.who)
}

export function beatsOf(overview, view) {
  return people(overview)[whoOf({ overview, view })]?.beats ?? overview.meta.beats
}

// What is answered about whom the view follows, before and after the segment: {question, before, after, right}; null
// where nothing is asked. right: a class, null where it is not known.
export function askedOf(frame) {
  const { overview, slice } = frame
  const who = whoOf(frame)
  if (who < 0 || !slice?.each) {
    if (!slice?.asked) return null
    return {
      question: overview.meta.question, before: slice.asked_before.data, after: slice.asked.data,
      right: overview.meta.label,
    }
  }
  const classes = overview.meta.classes.length
  const of = ({ data }) => data.subarray(who * classes, (who + 1) * classes)
  const right = slice.truth.data[who]
  return {
    question: people(overview)[who].question, before: of(slice.each_before), after: of(slice.each),
    right: right < 0 ? null : right, who,
  }
}

// P(right answer) about whom the view follows, a number a bin; null where nobody is.
export function knowsOf(frame) {
  const [who, { who_knows: rows }] = [whoOf(frame), frame.overview]
  return who < 0 ? null : rows.data.subarray(who * rows.shape[1], (who + 1) * rows.shape[1])
}

export const questionOf = (frame) => people(frame.overview)[whoOf(frame)]?.question ?? frame.overview.meta.question

// Buttons that choose whom to follow.
export function pickWho(frame, act) {
  const who = whoOf(frame)
  return people(frame.overview).map(({ name }, i) => {
    const node = el("button", {
      type: "button", class: "who", "aria-pressed": String(i === who), title: `Ask about ${name}`, "data-who": name,
      onclick: () => act.pin({ who: name }),
    }, el("bdi", {}, visible(name)))
    node.style.setProperty("--hue", factHue(frame.theme, i))
    return node
  })
}

// One of a row's numbers, (Q, B).
const at = (overview, name, row, bin) => {
  const array = overview[name]
  return array.data[row * array.shape[1] + bin]
}

export function heightOf(overview, each) {
  const n = people(overview).length
  return n ? HEAD + n * each + 4 : 0
}

// Pixels that names take at the left end of rows, and the space beside them.
export function labelsWidth(overview) {
  return Math.max(0, ...people(overview).map(({ name }) => LETTER * visible(name).length + 10))
}

// Pixels that scores take at the right end of rows.
export function scoresWidth(overview, width) {
  return people(overview).length && width > 700 ? COLUMN * columnsOf(overview).length + 6 : 0
}

const columnsOf = (overview) => ["", ...CONTROLS.filter((name) => people(overview)[0]?.controls[name])]

// The rows: place has left, right, step, width, and `people`, where they begin; `each` is the height of one.
export function drawPeople(frame, place) {
  const { overview, theme } = frame
  const found = people(overview)
  const who = whoOf(frame)
  const y = place.people + HEAD
  return svg("g", { class: "people" },
    words(place.left, y - 4, fit(LEGEND, (place.width - place.right - place.left) * 1.15), {
      "font-size": 12, fill: theme.muted,
    }),
    place.scores ? scoreHeads(overview, place, y - 4, theme) : null,
    found.map((one, i) =>
      svg("g", { class: "person", "data-who": one.name },
        i === who ? box(-4, y + i * place.each + 1, place.width, place.each - 2, theme.soft, { rx: 5 }) : null,
        words(0, y + i * place.each + place.each - 6, visible(one.name), {
          fill: factHue(theme, i), "font-weight": i === who ? 750 : 600,
        }),
        answers(frame, i, place, y + i * place.each),
        place.scores ? scores(overview, one, place, y + i * place.each + place.each - 6, theme) : null,
      )
    ),
  )
}

function answers({ overview, theme }, row, place, y) {
  const hue = factHue(theme, row)
  const height = place.each - 5
  return runs(overview, row).map(({ from, to, answer, wrong }) => {
    const [x, width] = [place.left + from * place.step, (to - from) * place.step]
    const never = overview.meta.classes[answer] === NOBODY
    const tint = wrong ? theme.page : never ? theme.soft : mix(theme.page, hue, 0.26)
    const bins = wrong
      ? box(x + 1, y + 3, width - 2, height - 1, tint, { rx: 2, stroke: hue, "stroke-dasharray": "3 2" })
      : range(to - from).map((i) => {
        const tall = height * Math.min(at(overview, "who_p", row, from + i), 1)
        return box(x + i * place.step, y + 2 + height - tall, place.step + 0.3, tall, tint)
      })
    const text = fit(`${wrong ? "✗ " : ""}${visible(overview.meta.classes[answer])}`, width - 9)
    return svg("g", { "data-answer": overview.meta.classes[answer], "data-wrong": String(wrong) },
      bins,
      box(x, y + 2, Math.min(3, Math.max(width - 1, 1)), height, never && !wrong ? theme.muted : hue),
      text
        ? words(x + 6, y + place.each - 6, text, {
          "font-size": 12, fill: never ? theme.muted : theme.ink, "font-weight": wrong ? 700 : 500,
        })
        : null,
    )
  })
}

// Neighbouring bins with one answer, right or wrong.
function runs(overview, row) {
  const found = []
  for (const bin of range(overview.who_answer.shape[1])) {
    const [answer, wrong] = [at(overview, "who_answer", row, bin), at(overview, "who_wrong", row, bin) > 0]
    const last = found.at(-1)
    if (last?.answer === answer && last.wrong === wrong) last.to = bin + 1
    else found.push({ from: bin, to: bin + 1, answer, wrong })
  }
  return found
}

function fit(text, width) {
  const room = Math.floor(width / LETTER)
  if (text.length <= room) return text
  return room >= 4 ? `${text.slice(0, room - 1).trimEnd()}…` : ""
}

function scoreHeads(overview, place, y, theme) {
  return columnsOf(overview).map((name, i) =>
    words(columnAt(place, i), y, name || "right", { "text-anchor": "middle", "font-size": 12, fill: theme.muted })
  )
}

// After how many segments it is answered right, of those after which the text had told of it; then the controls.
function scores(overview, one, place, y, theme) {
  return columnsOf(overview).map((name, i) => {
    const [right, of] = name ? one.controls[name] : one.score
    return words(columnAt(place, i), y, of ? `${right} of ${of}` : "–", {
      class: "score", "text-anchor": "middle", "font-size": 12, fill: name ? theme.muted : theme.ink, "font-weight": name ? 400 : 650,
      style: "font-variant-numeric: tabular-nums",
    })
  })
}

const columnAt = (place, i) => place.width - place.scores + COLUMN * (i + 0.5) + 4

// What stands in a tip over a bin, a line for each.
export function tipOf(overview, bin) {
  return people(overview).map(({ name }, row) => {
    const wrong = at(overview, "who_wrong", row, bin)
    const mark = Number.isFinite(wrong) ? (wrong > 0 ? " ✗" : " ✓") : ""
    const answer = overview.meta.classes[at(overview, "who_answer", row, bin)]
    return `${visible(name)}: ${visible(answer)} ${at(overview, "who_p", row, bin).toFixed(2)}${mark}`
  })
}

// The row under a point of the spine, null where there is none.
export function rowAt(overview, place, y) {
  const row = Math.floor((y - place.people - HEAD) / place.each)
  return row >= 0 && row < people(overview).length ? row : null
}

// Columns and cells of the table of the spine.
export const peopleColumns = (overview) =>
  people(overview).flatMap(({ name }) => [`answer about ${name}`, `P(answer) about ${name}`, `${name}: wrong`])

export const peopleCells = (overview, bin) =>
  people(overview).flatMap((_, row) => {
    const wrong = at(overview, "who_wrong", row, bin)
    return [
      overview.meta.classes[at(overview, "who_answer", row, bin)], at(overview, "who_p", row, bin).toFixed(2),
      Number.isFinite(wrong) ? wrong.toFixed(2) : "–",
    ]
  })

// Marks of facts above the spine: their owners' names where there is room.
export function ownedMark(overview, marks, x, room, theme) {
  const names = people(overview).map(({ name }) => name)
  const letters = marks.reduce((sum, { who }) => sum + names[who].length + 2, 0)
  const triangles = marks.map(({ who }, i) => {
    const left = x + (i - (marks.length - 1) / 2) * 9
    return svg("path", { d: `M${left - 4} 13h8l-4 4z`, fill: factHue(theme, who) })
  })
  if (letters * LETTER > room) return svg("g", {}, triangles)
  const text = words(x, 10, "", { "text-anchor": "middle", "font-size": 12, "font-weight": 600 })
  text.append(...marks.flatMap(({ who }, i) => [
    i ? svg("tspan", { fill: theme.muted }, " ") : null, svg("tspan", { fill: factHue(theme, who) }, visible(names[who])),
  ]).filter(Boolean))
  return svg("g", {}, text, triangles)
}

