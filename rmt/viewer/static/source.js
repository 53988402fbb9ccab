// Slices from the server, with a small cache, so that a step draws what is already here.

const KEPT = 96
const RETRY_MS = 4000
const TYPES = { "<f4": Float32Array, "<i4": Int32Array }

export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true)
  const { meta, arrays } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
  const slice = { meta }
  for (const [name, { dtype, shape, offset }] of Object.entries(arrays)) {
    const items = shape.reduce((product, n) => product * n, 1)
    slice[name] = { shape, data: new TYPES[dtype](buffer, 4 + length + offset, items) }
  }
  return slice
}

export const httpSource = (base, over) => remoteSource((path) => fetch(`${base}/${path}`).then(read), over)

// slice(path): the promise of a slice. over: segments of the longest run beside this one, so that both are pooled alike.
export function remoteSource(slice, over) {
  const cache = new Map() // path -> slice, or the promise of it
  const asked = new Map() // path -> {slice, stale}

  function get(path) {
    const hit = cache.get(path)
    if (hit) return hit
    const promise = slice(path)
    cache.set(path, promise)
    promise.then((slice) => cache.set(path, slice), () => cache.delete(path))
    if (cache.size > KEPT) cache.delete(cache.keys().next().value)
    return promise
  }

  function segment(index, layer, head) {
    const query = new URLSearchParams()
    if (layer != null) query.set("layer", layer)
    if (head != null) query.set("head", head)
    return get(`segment/${index}${query.size ? `?${query}` : ""}`)
  }

  // Slices of one page alone: what is here, else null, and came() is called when it is. One that says `again` in its
  // meta is unfinished: it is shown, and asked for once more after so many milliseconds.
  function ask(path, came) {
    const known = asked.get(path)
    if (known && !known.stale) return known.slice
    asked.delete(path)
    const entry = { slice: known?.slice ?? null, stale: false }
    asked.set(path, entry)
    if (asked.size > KEPT) asked.delete(asked.keys().next().value)
    const failed = (error) => ({ meta: { error: error.message, again: RETRY_MS } })
    slice(path).catch(failed).then((got) => {
      entry.slice = got
      if (got.meta.again) setTimeout(() => stale(entry, came), got.meta.again)
      came()
    })
    return entry.slice
  }

  function stale(entry, came) {
    entry.stale = true
    came()
  }

  return {
    overview: () => get(over ? `overview?over=${over}` : "overview"),
    segment,
    ask,
    prefetch: (index, layer, head) => Promise.resolve(segment(index, layer, head)).catch(() => {}),
  }
}

async function read(response) {
  if (response.ok) return unpack(await response.arrayBuffer())
  const told = await response.json().catch(() => ({}))
  throw new Error(told.error ?? "The server did not answer.")
}
