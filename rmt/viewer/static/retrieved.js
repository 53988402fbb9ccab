// Which earlier segments were retrieved, where memory is read by blocks: the weight of each, and of the tokens within it.

import { el, picker, range, shown, visible } from "./dom.js"
import { box, figure, heat, words } from "./draw.js"
import { path } from "./attention.js"
import { locked } from "./panel.js"
import { colourOf } from "./theme.js"

const TALLEST = 260 // pixels of all queries
const ROW = 14 // of one query, where there is room
const [LEFT, HEAD] = [70, 22]
const MOST = 4 // blocks whose tokens are written out

export const retrievedPanel = {
  id: "retrieved",
  when: (sides) => sides.every(({ overview }) => overview.meta.read_blocks),
  title: (frame) => finding(frame),
  note: (frame) => `${frame.whose}: the weight of each earlier segment (colour: its square root), and of each token within it`,
  controls: (frame, act) => {
    const slice = blocksOf(frame)
    if (!slice) return []
    const tokens = slice.meta.tokens.map((token, i) => [String(i), `“${visible(token)}” (${slice.meta.start + i + 1})`])
    const pinned = String(pin(frame, slice) ?? "")
    return [picker("query", [["", "mean of all"], ...tokens], pinned, (text) => act.pin({ token: text ? Number(text) : null }))]
  },
  draw(body, frame, act) {
    const slice = frame.ask(path(frame.view.segment, frame.view))
    if (!slice) return body.firstChild ? undefined : locked(body, "The blocks come with the whole map.")
    if (!slice.block_weight) return locked(body, why(slice, frame))
    body.replaceChildren(drawWeights(slice, frame, act, body.clientWidth), ...drawInside(slice, frame))
  },
  table(frame) {
    const slice = blocksOf(frame)
    if (!slice) return { columns: ["query"], rows: [] }
    const { start, tokens, blocks } = slice.meta
    const rows = tokens.map((token, i) => [start + i + 1, token, ...weightsOf(slice, i).map(shown)])
    return { columns: ["token", "query", ...blocks.map(({ segment }) => `segment ${segment + 1}`), "own segment"], rows }
  },
}

function blocksOf(frame) {
  const slice = frame.ask(path(frame.view.segment, frame.view))
  return slice?.block_weight ? slice : null
}

function why({ meta }, frame) {
  if (meta.state === "loading") return "The blocks come with the whole map."
  if (!meta.known || meta.error) return meta.error ?? meta.why ?? "The blocks come with the whole map, which is made in the app."
  if (frame.view.how === "max" && !(frame.view.layer && frame.view.head)) return "Take the mean of layers and heads, or one of them: a maximum has no blocks."
  return meta.blocks ? "Nothing was read before this segment, so there is no block to retrieve." : "The app has the blocks; they are not among these files."
}

const pin = ({ view }, slice) => (view.token != null && view.token < slice.meta.tokens.length ? view.token : null)

// The weight of each block for a query, or on average, and at the end that of the query's own segment.
function weightsOf(slice, query) {
  const { shape: [n, columns], data } = slice.block_weight
  const rows = query == null ? range(n) : [query]
  const weights = range(columns).map((c) => rows.reduce((sum, r) => sum + data[r * columns + c], 0) / rows.length)
  return [...weights, Math.max(0, 1 - weights.reduce((sum, weight) => sum + weight, 0))]
}

// The shares of a block's tokens for a query, or on average over the queries, each as much as it reads the block.
function insideOf(slice, query, block) {
  const { blocks } = slice.meta
  const { shape: [n, width], data } = slice.block_inside
  const { shape: [, columns], data: weight } = slice.block_weight
  const first = blocks.slice(0, block).reduce((sum, { tokens }) => sum + tokens.length, 0)
  const rows = query == null ? range(n) : [query]
  const whole = rows.reduce((sum, r) => sum + weight[r * columns + block], 0) || 1
  return blocks[block].tokens.map((_, i) =>
    rows.reduce((sum, r) => sum + weight[r * columns + block] * data[r * width + first + i], 0) / whole
  )
}

const percent = (share) => `${Math.round(100 * share)} %`

function finding(frame) {
  const slice = blocksOf(frame)
  if (!slice) return "Which earlier segments are retrieved"
  const query = pin(frame, slice)
  const weights = weightsOf(slice, query)
  const own = weights.pop()
  const best = weights.indexOf(Math.max(...weights))
  const who = query == null ? `Segment ${frame.view.segment}` : `“${visible(slice.meta.tokens[query])}”`
  return `${who} gives ${percent(own)} of its attention to its own segment and most of the rest to segment ` +
    `${slice.meta.blocks[best].segment + 1}: ${percent(weights[best])}`
}

// A row for each query, a column for each block and one for the own segment.
function drawWeights(slice, frame, act, width) {
  const { theme } = frame
  const { tokens, blocks, start } = slice.meta
  const names = [...blocks.map(({ segment }) => String(segment + 1)), "own"]
  const row = Math.min(ROW, TALLEST / tokens.length)
  const area = { x: LEFT, y: HEAD, width: width - LEFT - 4, height: row * tokens.length }
  const values = tokens.flatMap((_, i) => weightsOf(slice, i))
  const node = figure(width, HEAD + area.height + 4, finding(frame), theme)
  const step = area.width / names.length
  const every = Math.ceil(names.length * 16 / area.width) // columns a label
  const chosen = pin(frame, slice)
  node.append(
    words(0, 12, "segment", { fill: theme.muted }),
    ...names.map((name, i) => i % every && i < names.length - 1 ? "" : words(LEFT + (i + 0.5) * step, 12, name, { "text-anchor": "middle", fill: theme.muted })),
    heat(values.map(Math.sqrt), tokens.length, names.length, area, theme.ramps.read, 1),
    ...(row < 11 ? [] : tokens.map((token, i) =>
      words(LEFT - 6, HEAD + (i + 0.5) * row + 4, visible(token).slice(0, 9), { "text-anchor": "end", fill: theme.muted, "font-size": 11 })
    )),
    chosen == null ? "" : box(LEFT - 1, HEAD + chosen * row - 1, area.width + 2, row + 1, "none", { stroke: theme.ink, "stroke-width": 1.5 }),
  )
  const under = (event) => {
    const at = node.getBoundingClientRect()
    const [r, c] = [Math.floor((event.clientY - at.top - HEAD) / row), Math.floor((event.clientX - at.left - LEFT) / step)]
    return r >= 0 && r < tokens.length && c >= 0 && c < names.length ? { r, c } : null
  }
  node.onpointermove = (event) => {
    const cell = under(event)
    act.tip(cell ? event : null, cell && [
      `“${visible(tokens[cell.r])}” (${start + cell.r + 1}) → ${cell.c < blocks.length ? `segment ${names[cell.c]}` : "its own segment"}`,
      `weight ${shown(values[cell.r * names.length + cell.c])}`,
    ])
  }
  node.onpointerleave = () => act.tip(null)
  node.onclick = (event) => under(event) && act.pin({ token: under(event).r })
  return node
}

// The blocks with most weight, their tokens coloured by their share within the block.
function drawInside(slice, frame) {
  const query = pin(frame, slice)
  const weights = weightsOf(slice, query).slice(0, -1)
  const order = range(weights.length).sort((a, b) => weights[b] - weights[a]).slice(0, MOST)
  return order.map((block) => {
    const { segment, tokens } = slice.meta.blocks[block]
    const shares = insideOf(slice, query, block)
    const most = Math.max(...shares, 1e-9)
    const text = tokens.map((token, i) => {
      const colour = colourOf(frame.theme.ramps.read, shares[i] / most)
      return el("span", { class: "token", style: `background: ${colour.fill}; color: ${colour.ink}`, title: shown(shares[i]) }, token.replaceAll("\n", "⏎\n"))
    })
    const best = shares.indexOf(most)
    const told = best < 0 ? "" : ` · most within it: “${visible(tokens[best])}” ${percent(most)}`
    return el("div", { class: "block" },
      el("p", { class: "remark" }, `Segment ${segment + 1}: ${percent(weights[block])}${told}`), el("p", { class: "strip" }, text))
  })
}
