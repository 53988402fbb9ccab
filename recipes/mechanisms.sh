#!/usr/bin/env bash
# Makes: what each memory mechanism gives back (a quotation, one of many facts, a fact from far back), a file for each in
# runs/recall, and all together in runs/recall.json.
# Takes: 3 to 20 minutes of one CPU core a mechanism. Needs: nothing (no GPU, no network). A mechanism whose file is
# there is left out; KINDS="rmt landmark" chooses, STEPS, SEED and CORES (mechanisms at a time) are as below.
source "$(dirname "$0")/common.sh"

mkdir -p runs/recall
one() {
  local file="runs/recall/$1.${SEED:-0}.json"
  test -s "$file" && return
  OMP_NUM_THREADS=1 "$PYTHON" -m benchmarks.recall "$1" --steps "${STEPS:-1500}" --seed "${SEED:-0}" --json > "$file.part"
  mv "$file.part" "$file"
}
export -f one
export PYTHON
kinds=${KINDS:-$("$PYTHON" -c 'from rmt.memory import WORDS; print(*(words.kind for words in WORDS))')}
tr ' ' '\n' <<< "$kinds" | xargs -P "${CORES:-1}" -I KIND bash -euo pipefail -c 'one KIND'
"$PYTHON" -m benchmarks.recall --join runs/recall/*.json > runs/recall.json
