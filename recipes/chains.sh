#!/usr/bin/env bash
# Makes: the checkpoint chains (what lies two places away, which two facts say together), its bundled run with controls, and its rows of
# the table of scores.
# Takes: @MINUTES@ minutes of one CPU core for training, ten for scoring. Needs: make app; qa4, which ships (no GPU, no network).
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds chains --init assets/checkpoints/qa4 --gated --gate-cost 0.3 --quiet-cost 2 --optimizer muon --first 13 --rows 48 \
  --questions 3 --stream-lr 6e-4 --stream-life 400 --stream-share 0.3 --minutes 17 --precision bf16 --compile --out runs/chains
into chains
for control in none reset untrained; do
  rmt record assets/checkpoints/chains --task chains --segments 12 --seed 1 --control "$control" --detail thin \
    --out "$(traced chains "$control")"
done
"$PYTHON" -m benchmarks.babilong assets/checkpoints/chains --tasks chains --tokens 4k 32k 128k --samples 200 200 100 \
  --add assets/results/babilong.json --json > runs/babilong.json
mv runs/babilong.json assets/results/babilong.json
