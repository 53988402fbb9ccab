#!/usr/bin/env bash
# Makes: the checkpoint qa1 (who is where, unfiltered background), its bundled run with controls, what is found of it for What if,
# Facts and Why (causes.sh), and BABILong's table.
# Takes: an hour and a half of one CPU core for training, as long again for scoring. Needs: make app (no GPU, no network).
# The shipped weights had more streams than this in several parts, the last of them as below: see assets/checkpoints/qa1/README.md.
source "$(dirname "$0")/common.sh"

rmt train-stories --kinds qa1 --minutes 90 --stream-life 400 --stream-share 0.7 --rows 48 --go-on --out runs/qa1
into qa1

for control in none reset untrained; do
  rmt record assets/checkpoints/qa1 --task qa1 --segments 12 --seed 6 --control "$control" --detail thin \
    --out "$(traced qa1 "$control")"
  rmt record assets/checkpoints/qa1 --task qa1 --segments 64 --seed 6 --control "$control" --out "$(traced qa1-64 "$control")"
done
recipes/causes.sh qa1
"$PYTHON" -m benchmarks.babilong assets/checkpoints/qa1 --tasks qa1 --tokens 4k 32k 128k --samples 200 100 50 --json \
  > assets/results/babilong.json
