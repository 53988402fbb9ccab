// Two runs on one cursor: what they can be compared on, and the scales they share.

export const SHOWN = [["watch", "Watch"], ["memory", "Memory"], ["loss", "Loss"]]

// Sides whose overviews know the largest numbers of both, so that a bar means the same on either.
export function shareScales(sides) {
  const metas = sides.map((side) => side.overview.meta)
  const most = (name) => Math.max(...metas.map((meta) => meta[name]))
  const shared = Object.fromEntries(["change_scale", "write_scale", "write_mean", "loss_scale", "gain_scale"].map((name) => [name, most(name)]))
  const rows = ["change", "loss"].map((row) =>
    [row, Math.max(...sides.map((side) => Math.max(top(side.overview[`${row}_max`]), side.overview.meta.rows?.[row] ?? 0)))]
  )
  return sides.map((side) => {
    const meta = { ...side.overview.meta, ...shared, most: Object.fromEntries(rows) }
    return { ...side, overview: { ...side.overview, meta } }
  })
}

function top(series) {
  return Math.max(...(series?.data ?? []).filter(Number.isFinite), 1e-9)
}
