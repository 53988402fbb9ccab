// Colours: Streamlit's theme read once, and one even ramp from the page to each hue, mixed in OKLab.

const HUES = {
  light: { write: "#c24a17", read: "#1b69ae", change: "#664a9e", knows: "#26764a", loss: "#8a5a00" },
  dark: { write: "#ff9a66", read: "#6db3f2", change: "#b79cf0", knows: "#62c48a", loss: "#e0b050" },
}
const FACTS = 8 // hues of facts.css
const LEVELS = 64

export function readTheme(element) {
  const style = getComputedStyle(element)
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback
  const page = read("--st-background-color", "#ffffff")
  const ink = read("--st-text-color", "#1a2233")
  const dark = luminance(rgb(page)) < 0.2
  const hues = dark ? HUES.dark : HUES.light
  const theme = {
    dark, page, ink, ...hues,
    accent: read("--st-primary-color", "#3557d4"),
    line: read("--st-border-color", "#e3e7ee"),
    muted: mix(page, ink, dark ? 0.66 : 0.68),
    soft: mix(page, ink, 0.06),
    font: [...new Set(read("--st-font", "sans-serif").split(","))].join(","),
  }
  theme.ramps = Object.fromEntries(
    Object.keys(hues).map((name) => [name, ramp([soften(page, hues[name], dark), hues[name]])]),
  )
  theme.facts = Array.from({ length: FACTS }, (_, i) => ofPage(read(`--fact-${i + 1}`, ink), dark))
  theme.local = theme.muted
  theme.ramps.local = ramp([soften(page, ink, dark), mix(page, ink, dark ? 0.8 : 0.76)])
  theme.pixels = Object.fromEntries(Object.entries(theme.ramps).map(([name, scale]) => [name, scale.map(pixel)]))
  theme.pixels.unknown = pixel({ fill: mix(page, ink, dark ? 0.15 : 0.09) })
  theme.ramps.gain = ramp([hues.write, theme.soft, hues.read])
  return theme
}

// Of light-dark(…, …) the one that is meant; colours are written into figures, which are saved without a page's styles.
function ofPage(value, dark) {
  const [light, other] = value.match(/#[0-9a-f]{6}/gi) ?? [value]
  return dark ? other ?? light : light
}

// The hue of a fact, counted from 0; with more facts than hues they come again.
export const factHue = (theme, i) => theme.facts[i % theme.facts.length]

const soften = (page, hue, dark) => mix(page, hue, dark ? 0.09 : 0.05)

// Colours from 0 to 1 through the stops, each with the ink that reads on it.
function ramp(stops) {
  return Array.from({ length: LEVELS }, (_, i) => {
    const at = (i / (LEVELS - 1)) * (stops.length - 1)
    const from = Math.min(Math.floor(at), stops.length - 2)
    const fill = mix(stops[from], stops[from + 1], at - from)
    return { fill, ink: inkOn(fill) }
  })
}

const pixel = ({ fill }) => [...rgb(fill).map((part) => Math.round(part * 255)), 255]

export function level(value) {
  return Number.isFinite(value) ? Math.round(Math.min(Math.max(value, 0), 1) * (LEVELS - 1)) : 0
}

export const colourOf = (scale, value) => scale[level(value)]

function inkOn(fill) {
  const light = luminance(rgb(fill))
  return (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000000" : "#ffffff" // one of them always has 4.5 : 1
}

export function mix(from, to, share) {
  const a = oklab(rgb(from))
  const b = oklab(rgb(to))
  return hex(unlab(a.map((value, i) => value + (b[i] - value) * share)))
}

function rgb(colour) {
  if (colour.startsWith("#")) {
    const digits = colour.length === 4 ? [...colour.slice(1)].map((d) => d + d) : colour.slice(1).match(/../g)
    return digits.slice(0, 3).map((d) => parseInt(d, 16) / 255)
  }
  return (colour.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map((value) => value / 255)
}

const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
const gamma = (c) => (c <= 0.0031308 ? c * 12.92 : 1.055 * c ** (1 / 2.4) - 0.055)

function luminance(colour) {
  const [r, g, b] = colour.map(linear)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

// Björn Ottosson, "A perceptual color space for image processing" (2020).
function oklab(colour) {
  const [r, g, b] = colour.map(linear)
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

function unlab([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map(gamma)
}

function hex(colour) {
  return "#" + colour.map((c) => Math.round(Math.min(Math.max(c, 0), 1) * 255).toString(16).padStart(2, "0")).join("")
}
