// A source of slices that were written to files: archives in an HTML file, or beside it on any web server.

import { range } from "./dom.js"
import { unpack } from "./source.js"

const KEPT = 64 // slices made here that are kept
const LACKING = {
  changed: "What changed in a range of segments is computed in the app; it is not among these files.",
  words: "The model that made this run was not at hand when these files were made, so no slot is read as words here.",
  maps: "Each layer and head of segments this long is in the app; here is the mean.",
}

// An archive: a slice with the names and ends of its parts, then the parts.
export function archive(buffer) {
  const { meta, ends } = unpack(buffer)
  const begin = buffer.byteLength - (ends.data.at(-1) ?? 0)
  const at = new Map(meta.names.map((name, i) => [name, i]))
  const part = (i) => unpack(buffer.slice(begin + (i ? ends.data[i - 1] : 0), begin + ends.data[i]))
  const known = new Map()
  function get(name) {
    if (!at.has(name)) return null
    if (!known.has(name)) known.set(name, part(at.get(name)))
    return known.get(name)
  }
  return { meta, get }
}

export async function inflate(stream) {
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer()
}

// load(file): the promise of an archive; segments are in files of so many, everything else is in "run".
export function keptSource(load, { chunk = null, over = null } = {}) {
  const files = new Map() // file -> archive, or the promise of it
  const made = new Map() // path -> slice

  function file(name) {
    if (!files.has(name)) {
      const promise = load(name)
      files.set(name, promise)
      promise.then((kept) => files.set(name, kept), () => files.delete(name))
    }
    return files.get(name)
  }

  function fileOf(path) {
    const index = /^(?!changed)[a-z]+\/(\d+)/.exec(path)?.[1]
    return chunk && index != null ? `segments-${Math.floor(Number(index) / chunk)}` : "run"
  }

  function get(path, make) {
    const kept = file(fileOf(path))
    return kept instanceof Promise ? kept.then(make) : make(kept)
  }

  function ask(path, came) {
    if (made.has(path)) return made.get(path)
    const keep = (slice) => {
      made.set(path, slice)
      if (made.size > KEPT) made.delete(made.keys().next().value)
      return slice
    }
    const kept = file(fileOf(path))
    if (!(kept instanceof Promise)) return keep(answer(kept, path))
    kept.then((here) => keep(answer(here, path)), (error) => keep({ meta: { error: error.message } })).then(came)
    return null
  }

  return {
    overview: () => get("overview", (kept) => (over && kept.get(`overview?over=${over}`)) ?? kept.get("overview")),
    segment: (index, layer, head) => get(`segment/${index}`, (kept) => segmentOf(kept, index, layer, head)),
    prefetch: (index) => Promise.resolve(get(`segment/${index}`, () => null)).catch(() => {}),
    ask,
  }
}

function segmentOf(kept, index, layer, head) {
  const slice = kept.get(`segment/${index}`)
  const heads = layer != null || head != null ? kept.get(`heads/${index}`) : null
  return heads ? { ...slice, ...mapsOf(heads, layer, head) } : slice
}

// A slice that one page alone asks for: as it was written, or made of what was.
function answer(kept, path) {
  const [name, query] = path.split("?")
  const [kind, index] = name.split("/")
  const whole = kept.get(path) ?? (kind === "memory" ? kept.get(name) : null)
  if (whole) return whole
  if (kind === "attention" && kept.get(`maps/${index}`)) {
    return attention(kept.get(`maps/${index}`), kept.get(`heads/${index}`), new URLSearchParams(query))
  }
  return { meta: { error: LACKING[kind] ?? "This is not among these files; the app has it." } }
}

// As `attention` of attention_slices.py: the map of a layer and head, or their mean or maximum.
function attention(slice, heads, query) {
  const { meta } = slice
  const [layer, head] = ["layer", "head"].map((name) => (query.has(name) ? Number(query.get(name)) : null))
  const how = query.get("how") ?? "mean"
  const one = layer != null && head != null
  if (meta.pooled_here) return layer == null && head == null && how === "mean" ? slice : { meta: { error: LACKING.maps } }
  const { n, layout } = meta
  const reduce = (maps) => reduced(maps, layer, head, how)
  const data = slice.maps ? reduce(slice.maps) : recorded(n, layout, heads, reduce)
  const shares = how === "mean" || one ? sharesOf(data, n, layout) : {}
  return { ...slice, meta: { ...meta, shares }, map: { shape: [n, n], data } }
}

// Of a recorded segment only the recorded blocks are known.
function recorded(n, layout, heads, reduce) {
  const data = new Float32Array(n * n).fill(NaN)
  if (!heads) return data
  const put = (values, [top], [left, right]) => {
    const width = right - left
    values.forEach((value, i) => (data[(top + Math.floor(i / width)) * n + left + (i % width)] = value))
  }
  put(reduce(heads.read), layout.tokens, layout.read)
  put(reduce(heads.write), layout.write, layout.tokens)
  return data
}

// As `_shares`: each block's share of the attention of its rows; local is the rest of all rows.
function sharesOf(data, n, layout) {
  const sum = ([top, bottom], [left, right]) =>
    range(bottom - top).reduce((all, r) => all + range(right - left).reduce((row, c) => row + data[(top + r) * n + left + c], 0), 0)
  const blocks = { read: ["tokens", "read"], write: ["write", "tokens"], carry: ["write", "read"] }
  const shares = {}
  let rest = data.reduce((all, value) => all + value, 0)
  for (const [name, [rows, columns]] of Object.entries(blocks)) {
    const [high, wide] = [rows, columns].map((each) => layout[each][1] - layout[each][0])
    if (!high || !wide) continue
    const block = sum(layout[rows], layout[columns])
    shares[name] = block / high
    rest -= block
  }
  shares.local = rest / n
  return Object.fromEntries(Object.entries(shares).filter(([, share]) => Number.isFinite(share)))
}

// As `_maps` of slices.py: the maps of a layer and head, or means, both (M, T), and the tokens' shares.
function mapsOf({ read, write }, layer, head) {
  const [slots, tokens] = write.shape.slice(2)
  const [ofRead, ofWrite] = [read, write].map((maps) => reduced(maps, layer, head, "mean"))
  const columns = (value) => Float32Array.from({ length: tokens }, (_, t) => value(t))
  const readSlots = read.shape[3]
  const turned = new Float32Array(readSlots * tokens)
  for (let m = 0; m < readSlots; m += 1) {
    for (let t = 0; t < tokens; t += 1) turned[m * tokens + t] = ofRead[t * readSlots + m]
  }
  const over = (map, rows, t) => Array.from({ length: rows }, (_, m) => map[m * tokens + t]).reduce((a, b) => a + b, 0)
  return {
    read: { shape: [readSlots, tokens], data: turned },
    write: { shape: [slots, tokens], data: ofWrite },
    token_read: { shape: [tokens], data: columns((t) => over(turned, readSlots, t)) },
    token_write: { shape: [tokens], data: columns((t) => over(ofWrite, slots, t) / slots) },
  }
}

// (L, H, rows, columns) -> (rows, columns) of a layer and head; the mean or maximum over what is not chosen.
function reduced({ shape: [layers, heads, rows, columns], data }, layer, head, how) {
  const size = rows * columns
  const most = how === "max"
  const out = new Float32Array(size).fill(most ? -Infinity : 0)
  let n = 0
  for (let l = layer ?? 0; l <= (layer ?? layers - 1); l += 1) {
    for (let h = head ?? 0; h <= (head ?? heads - 1); h += 1, n += 1) {
      const at = (l * heads + h) * size
      for (let i = 0; i < size; i += 1) out[i] = most ? Math.max(out[i], data[at + i]) : out[i] + data[at + i]
    }
  }
  return most ? out : out.map((value) => value / n)
}
