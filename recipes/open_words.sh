#!/usr/bin/env bash
# Makes: the checkpoint open-words (where one of hundreds of people is, unfiltered background, memory written through gates), its
# bundled run with controls, and its rows of the table of scores.
# Takes: an hour and a half of one CPU core for training, ten minutes for scoring. Needs: make app (no GPU, no network).
# The shipped weights were made in parts, and this command was not run as a whole: see assets/checkpoints/open-words/README.md.
source "$(dirname "$0")/common.sh"

# Words begin wide apart: to tell hundreds of them from each other is the first thing to learn.
rmt train-stories --kinds open-words --word-std 1 --gated --quiet-cost 0.3 --n-memory 16 --optimizer muon --lr 2e-3 --rung-floor 0.1 \
  --patience 1000 --go-on --rows 48 --stream-lr 4e-4 --stream-life 300 --stream-share 0.4 --stream-steps 900 --minutes 90 \
  --precision bf16 --compile --out runs/open-words
into open-words
recorded open-words 12
"$PYTHON" -m benchmarks.babilong assets/checkpoints/open-words --tasks open-words --tokens 4k 32k 128k --samples 200 200 100 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
