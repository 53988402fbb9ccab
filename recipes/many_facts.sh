#!/usr/bin/env bash
# Makes: memories of 8 and 16 slots that are told where up to 16 people are, a bundled run with controls, and the table of page Capacity.
# Takes: an hour of one CPU core for each, a quarter of an hour for the table. Needs: make app; qa1, which ships (no GPU, no network).
# SLOTS="4 16" makes others. The shipped weights of 16 slots were made in parts: see assets/checkpoints/many-facts-16/README.md.
source "$(dirname "$0")/common.sh"

for slots in ${SLOTS:-8 16}; do
  if test "$slots" = 8; then
    rmt train-stories --kinds many-facts --n-memory 8 --init assets/checkpoints/qa1 --lr 1e-3 --patience 600 --go-on --stream-life 60 \
      --stream-share 0.5 --stream-steps 1000 --questions 6 --out runs/many-facts-8
  else
    rmt train-stories --kinds many-facts --n-memory "$slots" --layers 2 --heads 2 --segment-length 32 --questions 3 --optimizer muon \
      --lr 3e-3 --rung-floor 0.15 --patience 600 --go-on --stream-lr 1.5e-3 --stream-life 120 --minutes 50 --compile \
      --out "runs/many-facts-$slots"
  fi
  into "many-facts-$slots"
done
for control in none reset untrained; do
  rmt record assets/checkpoints/many-facts-16 --task many-facts --segments 12 --seed 1 --control "$control" --detail thin \
    --out "$(traced many-facts "$control")"
done
"$PYTHON" -m benchmarks.capacity assets/checkpoints/many-facts-* --segments 7 100 --documents 200 --json > runs/capacity.json
mv runs/capacity.json assets/results/capacity.json
