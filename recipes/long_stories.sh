#!/usr/bin/env bash
# Makes: the checkpoint qa1-long (who is where, unfiltered background, 499 tokens a segment) and its rows of BABILong's table.
# Takes: two hours of one CPU core for training, half an hour for scoring. Needs: make app; qa1, which ships (no GPU, no network).
# The shipped weights were made in three parts: see assets/checkpoints/qa1-long/README.md.
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds qa1 --init assets/checkpoints/qa1 --segment-length 499 --shortest 250 --rows 20 --lr 1e-3 \
  --stream-life 300 --stream-share 0.7 --stream-steps 2400 --first 9 --patience 400 --go-on --minutes 110 \
  --precision bf16 --compile --out runs/qa1-long
into qa1-long
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa1-long --tasks qa1 --tokens 4k 32k 128k 1M --samples 200 100 50 20 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
