// The text of the experiment as the page edits it: segments of parts, each prose or a fact. Edits return a new text.

export const isFact = (part) => typeof part !== "string"
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

// Facts in the order of the text: which segment, which part of it, and whether a later one tells of the same person.
export function factsOf(text) {
  const found = text.segments.flatMap((parts, segment) =>
    parts.map((part, at) => ({ ...part, segment, at, fact: isFact(part) })).filter(({ fact }) => fact)
  )
  found.forEach((fact, i) => {
    fact.index = i
    fact.old = found.some((other, j) => j > i && other.who === fact.who)
  })
  return found
}

export function peopleOf(text, names) {
  return [...new Set([...names, ...factsOf(text).map(({ who }) => who)])]
}

// The same facts without the prose around them.
export function bare(text) {
  return { ...text, segments: text.segments.map((parts) => parts.filter(isFact)).filter((parts) => parts.length) }
}

const copy = (text) => ({ ...text, segments: text.segments.map((parts) => [...parts]) })

export function replaced(text, { segment, at }, part) {
  const next = copy(text)
  next.segments[segment][at] = part
  return next
}

export function removed(text, { segment, at }) {
  const next = copy(text)
  next.segments[segment].splice(at, 1)
  if (!next.segments[segment].length) next.segments.splice(segment, 1)
  return next
}

// A fact stands after the first prose of its segment, and after the facts that are there.
export function inserted(text, segment, part) {
  const next = copy(text)
  const parts = next.segments[segment] ?? (next.segments[segment] = [])
  const last = parts.findLastIndex(isFact)
  parts.splice(last >= 0 ? last + 1 : Math.min(1, parts.length), 0, part)
  return next
}

export function moved(text, from, segment) {
  if (segment === from.segment || segment < 0 || segment >= text.segments.length) return text
  const part = text.segments[from.segment][from.at]
  const next = inserted(text, segment, part)
  next.segments[from.segment].splice(from.at, 1)
  if (next.segments[from.segment].length === 0) next.segments.splice(from.segment, 1)
  return next
}

// Prose of a segment written anew: its facts stay where they stand between the parts, a segment of nothing goes.
export function rewritten(text, segment, proses) {
  const next = copy(text)
  const left = [...proses]
  const parts = next.segments[segment].map((part) => (isFact(part) ? part : (left.shift() ?? "").trim()))
  next.segments[segment] = [...parts, ...left.map((prose) => prose.trim())].filter((part) => part !== "")
  if (!next.segments[segment].length) next.segments.splice(segment, 1)
  return next
}

export const plain = ({ who, how, where }) => ({ who, how, where })
export const sentence = ({ who, how, where }) => `${who} ${how} to the ${where}.`

// The hue of a person: one of eight, always the same for those whom the model knows.
export const hue = (people, who) => `var(--fact-${(Math.max(people.indexOf(who), 0) % 8) + 1})`
