#!/usr/bin/env bash
# Makes: the checkpoint qa4 (which place lies where of which other, unfiltered background), its bundled run with controls, and its
# rows of BABILong's table.
# Takes: three hours of one CPU core for training, a quarter of an hour for scoring. Needs: make app (no GPU, no network).
# The shipped weights were made in parts, and this command was not run as a whole: see assets/checkpoints/qa4/README.md.
source "$(dirname "$0")/common.sh"

common="--kinds qa4 --optimizer muon --questions 3 --precision bf16 --compile"
# First without gates, whose price would shut them before there is anything to write.
rmt train-stories $common --lr 1.5e-3 --rung-floor 0.1 --patience 700 --go-on --rows 32 --lesson-rows 32 --stream-lr 2.5e-4 --stream-life 60 \
  --minutes 90 --out runs/qa4-without-gates
rmt train-stories $common --init runs/qa4-without-gates --gated --gate-cost 0.5 --quiet-cost 4 --first 13 --rows 48 --stream-lr 4e-4 --floor 0.03 \
  --stream-life 1000 --stream-share 0.35 --minutes 90 --out runs/qa4
into qa4
recorded qa4 7
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa4 --tasks qa4 --tokens 4k 32k 128k 1M --samples 200 200 100 20 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
