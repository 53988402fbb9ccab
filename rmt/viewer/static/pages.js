// Which cards a page has, beside the spine that all of them have.

import { tokensPanel } from "./tokens.js"
import { slotsPanel } from "./slots.js"
import { answersPanel } from "./answers.js"
import { blocksPanel, headsPanel } from "./heads.js"
import { mapsPanel } from "./maps.js"
import { attentionPanel } from "./attention.js"
import { retrievedPanel } from "./retrieved.js"
import { pathsPanel } from "./paths.js"
import { stripsPanel } from "./strips.js"
import { distancesPanel } from "./distances.js"
import { likenessPanel } from "./likeness.js"
import { wordsPanel } from "./words.js"
import { changedPanel } from "./changed.js"
import { affectedPanel } from "./affected.js"
import { curvesPanel, positionsPanel } from "./curves.js"

export const PAGES = {
  watch: [tokensPanel, answersPanel, slotsPanel, headsPanel, mapsPanel],
  "what-if": [affectedPanel, answersPanel, tokensPanel, slotsPanel],
  attention: [blocksPanel, attentionPanel, retrievedPanel],
  memory: [pathsPanel, stripsPanel, distancesPanel, likenessPanel, wordsPanel, changedPanel],
  loss: [curvesPanel, positionsPanel, answersPanel, tokensPanel],
}
