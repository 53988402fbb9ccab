// A card around a figure: title, note, controls, its numbers as a table, and more room when asked.

import { button, el } from "./dom.js"

// spec: {id, title(frame), note(frame), draw(body, frame, act), table(frame), and where there are some
//   controls(frame, act), mark(body, frame)}.
// `table` gives {columns, rows}; it is what the table shows and what the CSV holds, unless `csv` gives more.
export function panel(spec, act) {
  const title = el("h2")
  const note = el("p", { class: "note" })
  const controls = el("div", { class: "controls" })
  const body = el("div", { class: "body" })
  const table = el("div", { class: "numbers", hidden: true, tabindex: 0, role: "region", "aria-label": "Numbers" })
  const tableButton = button("≡", toggleTable, {
    class: "small", "aria-label": "Numbers as a table", title: "Numbers as a table", "aria-pressed": "false",
  })
  const moreButton = button("⤢", maximise, { class: "small", "aria-label": "More room", title: "More room" })
  const head = el("header", {}, title, el("div", { class: "tools" }, tableButton, moreButton), note, controls)
  const node = el("section", { class: `panel ${spec.id}${spec.joint ? " joint" : ""}`, "aria-label": spec.id }, head, body, table)
  let frame = null

  function update(next) {
    frame = next
    if (!frame.slice && !spec.joint) return end()
    title.textContent = spec.title(frame)
    note.textContent = spec.note?.(frame) ?? ""
    if (spec.controls) keepFocus(controls, () => controls.replaceChildren(...spec.controls(frame, act)))
    if (table.hidden) spec.draw(body, frame, act)
    else fillTable()
  }

  // Of two runs side by side one may be over.
  function end() {
    for (const each of [note, controls, table]) each.replaceChildren()
    body.key = null // what was drawn is gone
    locked(body, `This run ends at segment ${frame.overview.meta.n_segments}.`)
  }

  function toggleTable() {
    table.hidden = !table.hidden
    body.hidden = !table.hidden
    tableButton.setAttribute("aria-pressed", String(!table.hidden))
    if (table.hidden) update(frame)
    else fillTable()
  }

  function fillTable() {
    if (!frame.slice && !spec.joint) return end()
    const { columns, rows } = spec.table(frame)
    table.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, String(cell)))))),
    ))
  }

  function maximise() {
    const dialog = el("dialog", { class: "room", "aria-label": title.textContent })
    const place = document.createComment(spec.id)
    node.replaceWith(place)
    dialog.append(node)
    act.root.append(dialog)
    dialog.onclose = () => {
      place.replaceWith(node)
      dialog.remove()
      moreButton.onclick = () => maximise()
      update(frame)
    }
    moreButton.onclick = () => dialog.close()
    dialog.showModal()
    update(frame)
  }

  return { spec, node, body, update, mark: () => frame && spec.mark?.(body, frame), frame: () => frame }
}

// Rebuilding controls must not take the keyboard away from the one in use.
function keepFocus(host, rebuild) {
  const focused = [...host.querySelectorAll("select,button")].indexOf(host.getRootNode().activeElement)
  rebuild()
  if (focused >= 0) host.querySelectorAll("select,button")[focused]?.focus()
}

export const NO_ATTENTION = "This is a recurrent net: its layers have a state in place of attention, so there are no maps. Change, answers and loss are recorded of it."

export function locked(body, sentence) {
  body.replaceChildren(el("p", { class: "locked" }, sentence))
}
