#!/usr/bin/env bash
# Makes: the checkpoints qa2 (where an object is) and qa3 (where it was before), unfiltered background, memory written through gates,
# their bundled runs with controls, and their rows of BABILong's table.
# Takes: TRAINING, SCORING. Needs: make app (no GPU, no network).
# The shipped weights were made in parts, and this command was not run as a whole: see assets/checkpoints/qa2/README.md.
source "$(dirname "$0")/common.sh"

train() {
  rmt train-stories --gated --n-memory 16 --optimizer muon --lr 2e-3 --rung-floor 0.1 --patience 1500 --go-on --lesson-rows 32 \
    --stream-lr 4e-4 --stream-life 400 --stream-share 0.4 --precision bf16 --compile "$@"
}
train --kinds qa2 --quiet-cost 0.3 --rows 32 --questions 4 --minutes 80 --out runs/qa2
train --kinds qa3 --init runs/qa2 --quiet-cost 0.3 --rows 32 --questions 3 --minutes 75 --out runs/qa3
for name in qa2 qa3; do
  into "$name"
  for control in none reset untrained; do # the controls without their maps, a tenth of the size
    detail=$(test "$control" = none && echo thin || echo summary)
    rmt record "assets/checkpoints/$name" --task "$name" --segments 12 --seed 5 --control "$control" --detail "$detail" \
      --out "$(traced "$name" "$control")"
  done
  "$PYTHON" -m benchmarks.babilong "assets/checkpoints/$name" --tasks "$name" --tokens 4k 32k 128k 1M --samples 200 200 100 20 \
    --add assets/results/babilong.json --json > runs/babilong.json
  mv runs/babilong.json assets/results/babilong.json
done
