// Which cards a page has, beside the spine that all of them have.

import { tokensPanel } from "./tokens.js"
import { slotsPanel } from "./slots.js"
import { answersPanel } from "./answers.js"
import { blocksPanel, headsPanel } from "./heads.js"
import { mapsPanel } from "./maps.js"
import { attentionPanel } from "./attention.js"

export const PAGES = {
  watch: [tokensPanel, slotsPanel, answersPanel, headsPanel, mapsPanel],
  attention: [blocksPanel, attentionPanel],
}
