// The report of a checkpoint; all names and sentences are text nodes.

import { el } from "./dom.js"
import { readTheme } from "./theme.js"

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".report")
  const theme = readTheme(root)
  for (const name of ["read", "write", "change", "knows", "loss", "muted", "soft"]) {
    root.style.setProperty(`--${name}`, theme[name])
  }
  root.replaceChildren(head(data), strip(data.blocks), facts(data), ...data.groups.map(group))
}

function head({ name, ready }) {
  const badge = el("span", { class: ready ? "badge ready" : "badge" }, ready ? "ready to run" : "not ready yet")
  return el("header", {}, el("h2", {}, el("bdi", {}, name)), badge)
}

function strip(blocks) {
  if (!blocks.length) return ""
  const label = `A segment is read as ${blocks.map((block) => block.text).join(", ")}`
  const parts = blocks.map(({ kind, text }) => el("span", { class: `block ${kind}` }, text))
  return el("div", { class: "strip", role: "img", "aria-label": label }, parts)
}

function facts({ facts, classes, answers }) {
  const tiles = facts.map(([label, value]) => el("div", {}, el("dd", {}, value), el("dt", {}, label)))
  const how = answers === "several" ? "It says yes or no to each of " : "It answers with one of "
  const words = classes.length ? el("p", { class: "classes" }, how, names(classes), ".") : ""
  return el("section", {}, el("dl", {}, tiles), words)
}

const names = (classes) => classes.flatMap((name, i) => [i ? ", " : "", el("bdi", { class: "class" }, name)])

function group({ title, sentences }) {
  const kind = title === "Missing" ? "group missing" : title === "What to do" ? "group next" : "group"
  return el("section", { class: kind }, el("h3", {}, title), el("div", {}, sentences.map((told) => el("p", {}, told))))
}
