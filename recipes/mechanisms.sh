#!/usr/bin/env bash
# Makes: what each memory mechanism gives back (a quotation, one of many facts, a fact from far back), a file for each in
# runs/recall, and all together in
# assets/results/recall.json; then what becomes of texts longer than a model was trained on, assets/results/stretched.json.
# Takes: 2 to 10 minutes of one CPU core a mechanism. Needs: make app (no GPU, no network). A mechanism whose file is
# there is left out; KINDS="rmt landmark" chooses, STEPS, SEED and CORES (mechanisms at a time) are as below.
source "$(dirname "$0")/common.sh"

mkdir -p runs/recall
one() {
  local file="runs/recall/$1.${SEED:-0}.json"
  test -s "$file" && return
  OMP_NUM_THREADS=1 "$PYTHON" -m benchmarks.recall "$1" --seed "${SEED:-0}" \
    --first "runs/recall/first.${SEED:-0}.safetensors" --steps "${STEPS:-1000}" --json \
    > "$file.part" 2> "runs/recall/$1.${SEED:-0}.log"
  mv "$file.part" "$file"
}
export -f one
export PYTHON
kinds=${KINDS:-$("$PYTHON" -c 'from rmt.memory.words import WORDS; print(*(words.kind for words in WORDS))')}
tr ' ' '\n' <<< "$kinds" | xargs -P "${CORES:-1}" -I KIND bash -euo pipefail -c 'one KIND'
"$PYTHON" -m benchmarks.recall --join runs/recall/*.json > assets/results/recall.json
"$PYTHON" -m benchmarks.recall_table --write  # into docs/mechanisms.md
"$PYTHON" -m benchmarks.stretched assets/checkpoints/lm-context --times 2 4 --steps 12 --json \
  > assets/results/stretched.json
