#!/usr/bin/env bash
# Makes: a memory of 8 slots that is told where up to 16 people are, and the table of page Capacity.
# Takes: an hour of one CPU core for training, minutes for the table. Needs: make app; qa1, which ships (no GPU, no network).
# SLOTS="4 16" makes others; they begin from nothing, since qa1 has 8 slots.
source "$(dirname "$0")/common.sh"

for slots in ${SLOTS:-8}; do
  init=$(test "$slots" != 8 || echo "--init assets/checkpoints/qa1")
  # shellcheck disable=SC2086  # two words or none
  rmt train-stories --kinds many-facts --n-memory "$slots" $init --lr 1e-3 --patience 600 --go-on --stream-life 60 \
    --stream-share 0.5 --stream-steps 1000 --questions 6 --out "runs/many-facts-$slots"
  into "many-facts-$slots"
done
"$PYTHON" -m benchmarks.capacity assets/checkpoints/many-facts-* --segments 7 --documents 200 --json > runs/capacity.json
mv runs/capacity.json assets/results/capacity.json
