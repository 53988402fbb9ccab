#!/usr/bin/env bash
# Makes: memories of 4, 8 and 16 slots that are told where up to 16 people are, and the table of page Capacity.
# Takes: half an hour of one CPU core each for training, minutes for the table. Needs: make app (no GPU, no network).
source "$(dirname "$0")/common.sh"

for slots in 4 8 16; do
  rmt train-stories --kinds many-facts --n-memory "$slots" --minutes 30 --patience 700 --go-on --stream-life 60 \
    --stream-share 0.5 --out "runs/many-facts-$slots"
  into "many-facts-$slots"
done
"$PYTHON" -m benchmarks.capacity assets/checkpoints/many-facts-{4,8,16} --segments 7 100 --documents 200 --json \
  > assets/results/capacity.json
