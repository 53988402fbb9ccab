// The tour on a Streamlit page: runs come from routes of the same server, and the step is in the address.

import { httpSource } from "./source.js"
import { Tour } from "./tour.js"

const tours = new WeakMap()

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".tour")
  const here = tours.get(root)
  if (here) here.retheme()
  else tours.set(root, new Tour(root, data, hostOf(data)))
  return () => {
    tours.get(root)?.leave()
    tours.delete(root)
  }
}

function hostOf(data) {
  return {
    source: (run) => httpSource(`${data.base}/${run}`),
    watch(query) {
      const given = Object.entries(query).filter(([, value]) => value != null)
      return `${data.root.replace(/\/$/, "")}/watch?${new URLSearchParams(given)}`
    },
    at(step) {
      const query = step ? `?step=${step + 1}` : ""
      window.history.replaceState(window.history.state, "", window.location.pathname + query)
    },
  }
}
