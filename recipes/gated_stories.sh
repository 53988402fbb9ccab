#!/usr/bin/env bash
# Makes: the checkpoint qa1-gated (who is where, unfiltered background, memory written through gates), its bundled run, and its
# rows of BABILong's table.
# Takes: three hours of one CPU core for training, an hour for scoring. Needs: make app; qa1, which ships (no GPU, no network).
# The shipped weights were made in parts, and this command was not run as a whole: see assets/checkpoints/qa1-gated/README.md.
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds qa1 --init assets/checkpoints/qa1 --gated --gate-cost 0.8 --quiet-cost 4 --optimizer muon --first 11 --rows 48 \
  --stream-lr 4e-4 --stream-life 1000 --stream-share 0.4 --minutes 180 --precision bf16 --compile --out runs/qa1-gated
into qa1-gated

rmt record assets/checkpoints/qa1-gated --task qa1 --segments 12 --seed 6 --detail thin --out "$(traced qa1-gated none)"
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa1-gated --tasks qa1 --tokens 4k 32k 128k 1M --samples 200 200 100 20 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
