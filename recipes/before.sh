#!/usr/bin/env bash
# Makes: the checkpoint qa3 (where an object was before a place, unfiltered background, memory written through gates), from the
# weights of qa2; its bundled run with controls, and its rows of BABILong's table.
# Takes: three hours and a half of one CPU core for training, half an hour for scoring. Needs: make app (no GPU, no network).
# The shipped weights were made in parts, and this command was not run as a whole: see assets/checkpoints/qa3/README.md.
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds qa3 --init assets/checkpoints/qa2 --gated --quiet-cost 0.3 --n-memory 24 --optimizer muon --lr 2e-3 --rung-floor 0.1 \
  --patience 1000 --go-on --rows 32 --lesson-rows 32 --shortest 32 --questions 5 --stream-lr 5e-4 --stream-life 100 --stream-share 0.6 \
  --minutes 210 \
  --precision bf16 --compile --out runs/qa3
into qa3
recorded qa3 2
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa3 --tasks qa3 --tokens 4k 32k 128k 1M --samples 200 200 100 20 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
