#!/usr/bin/env bash
# Makes: the checkpoint qa5 (who gave what to whom, unfiltered background, memory written through gates), its bundled run with
# controls, and its rows of BABILong's table.
# Takes: two hours of one CPU core for training, a quarter of an hour for scoring. Needs: make app (no GPU, no network).
# The shipped weights were made in three parts, and this command was not run as a whole: see assets/checkpoints/qa5/README.md.
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds qa5 --gated --quiet-cost 0.3 --n-memory 16 --optimizer muon --lr 2e-3 --rung-floor 0.1 --patience 900 --go-on \
  --rows 32 --lesson-rows 32 --questions 3 --stream-lr 4e-4 --stream-life 400 --stream-share 0.4 --stream-steps 1500 --minutes 112 \
  --precision bf16 --compile --out runs/qa5
into qa5
recorded qa5 5
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa5 --tasks qa5 --tokens 4k 32k 128k 1M --samples 200 200 100 20 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
