#!/usr/bin/env bash
# Makes: memories of 8 and 16 slots that are told where up to 16 people are, a bundled run with controls, and the table of page Capacity.
# Takes: an hour of one CPU core for 16 slots, an hour and a half for 8, a quarter of an hour for the table. Needs: make app (no GPU, no network).
# SLOTS="4 16" makes others. The shipped weights were made in parts: see the READMEs of their checkpoints.
source "$(dirname "$0")/common.sh"

for slots in ${SLOTS:-8 16}; do
  common="--kinds many-facts --n-memory $slots --layers 2 --heads 2 --segment-length 32 --questions 3 --optimizer muon --compile"
  rmt train-stories $common --lr 3e-3 --rung-floor 0.15 --patience 600 --go-on --stream-lr 1.5e-3 --stream-life 120 --minutes 50 \
    --out "runs/many-facts-$slots"
  if test "$slots" = 8; then # gates on weights that hold: from nothing they were not tried
    rmt train-stories $common --init runs/many-facts-8 --gated --quiet-cost 0.5 --first 11 --minutes 45 --out runs/many-facts-8-gated
    mv runs/many-facts-8 runs/many-facts-8-without-gates
    mv runs/many-facts-8-gated runs/many-facts-8
  fi
  into "many-facts-$slots"
done
for control in none reset untrained; do
  rmt record assets/checkpoints/many-facts-16 --task many-facts --segments 12 --seed 1 --control "$control" \
    --detail "$(detail "$control")" --out "$(traced many-facts "$control")"
done
"$PYTHON" -m benchmarks.capacity assets/checkpoints/many-facts-* --segments 7 100 --documents 200 --json > runs/capacity.json
mv runs/capacity.json assets/results/capacity.json
