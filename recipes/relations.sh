#!/usr/bin/env bash
# Makes: the checkpoint qa4 (which of two places is where, unfiltered background), and its rows of BABILong's table.
# Takes: an hour of one CPU core for training, minutes for scoring. Needs: make app; qa1, whose tokenizer it shares (no GPU, no network).
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds qa4 --tokenizer assets/checkpoints/qa1/tokenizer.json --minutes 75 --stream-life 400 \
  --stream-share 0.7 --go-on --out runs/qa4
into qa4
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa4 --tasks qa4 --tokens 4k 32k 128k --samples 200 100 50 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
