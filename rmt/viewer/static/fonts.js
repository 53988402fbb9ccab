// The page's web font put into a saved figure, so that it looks the same where the font is not installed.

const kept = new Map() // address of a font -> a promise of it as a data: URL

// <style> text with the web fonts of this page among the families, each as a data: URL; "" where there are none.
export async function webFonts(families) {
  const wanted = families.split(",").map(bare)
  const faces = rules().filter((rule) => wanted.includes(bare(rule.style.getPropertyValue("font-family"))) && upright(rule))
  return (await Promise.all(faces.map(embedded))).join("")
}

const bare = (family) => family.trim().replace(/^["']|["']$/g, "")
const upright = (rule) => !["italic", "oblique"].includes(rule.style.getPropertyValue("font-style"))

function rules() {
  return [...document.styleSheets].flatMap((sheet) => {
    try {
      return [...sheet.cssRules].filter((rule) => rule instanceof CSSFontFaceRule)
    } catch { // of another origin
      return []
    }
  })
}

async function embedded(rule) {
  const source = rule.style.getPropertyValue("src").match(/url\(["']?([^"')]+)/)?.[1]
  if (!source) return ""
  const address = new URL(source, rule.parentStyleSheet.href ?? document.baseURI).href
  if (!kept.has(address)) kept.set(address, asData(address))
  const data = await kept.get(address)
  if (!data) return ""
  const more = ["font-weight", "unicode-range"].map((name) => [name, rule.style.getPropertyValue(name)])
  const rest = more.filter(([, value]) => value).map(([name, value]) => `${name}:${value};`).join("")
  return `@font-face{font-family:${rule.style.getPropertyValue("font-family")};${rest}src:url(${data})}`
}

async function asData(address) {
  try {
    const blob = await (await fetch(address)).blob()
    return await new Promise((resolve) => {
      const reader = new FileReader()
      reader.onloadend = () => resolve(reader.result)
      reader.readAsDataURL(blob)
    })
  } catch { // the figure is saved with a font of the reader's
    return ""
  }
}
