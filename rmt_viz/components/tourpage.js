// The Tour on a Streamlit page: runs come from routes of the same server, and the step is in the address.

import { httpSource } from "./source.js"
import { Essay } from "./essay.js"

const tours = new WeakMap()

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tour")
  const here = tours.get(root)
  if (here) here.retheme()
  else tours.set(root, new Essay(root, data, hostOf(data)))
  return () => {
    tours.get(root)?.leave()
    tours.delete(root)
  }
}

function hostOf(data) {
  const under = (path) => `${data.root.replace(/\/$/, "")}/${path}`
  const link = (slug) => window.location.pathname + (slug ? `?step=${slug}` : "")
  return {
    source: (run) => httpSource(`${data.base}/${run}`),
    watch(query) {
      const given = Object.entries(query).filter(([, value]) => value != null)
      return under(`watch?${new URLSearchParams(given)}`)
    },
    page: under,
    link,
    at: (slug) => window.history.replaceState(window.history.state, "", link(slug)),
  }
}
