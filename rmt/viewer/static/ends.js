// The ends of scales: over the whole run and its controls, so that a colour means the same in every segment.

// The largest number of the shown layer and head in the whole run and its controls, of both runs side by side: a colour
// means the same in every segment. Of runs that were recorded without maps there is none.
export function mapEnd(frame, name) {
  const { layer, head } = frame.view
  const ends = frame.all.map(({ overview }) => overview.meta.maps?.[name]?.[layer ?? 0]?.[head ?? 0] ?? 0)
  return Math.max(...ends) || null
}

// Whose numbers a scale goes to.
export const runsOf = (frame) =>
  frame.all.length > 1 ? "both runs" : frame.overview.meta.shared ? "run and controls" : "the run"
