#!/usr/bin/env bash
# Makes: the checkpoints qa4 (which of two places is where) and qa5 (who gave what to whom), in a background as it is, their bundled
# runs with controls, and their rows of BABILong's table.
# Takes: an hour and a quarter of one CPU core each, minutes for scoring. Needs: make app; qa1, whose tokenizer they share (no GPU, no
# network). The shipped weights were made so in parts, some of which began before the lessons had their shape: see their READMEs.
source "$(dirname "$0")/common.sh"

train() { rmt train-stories --tokenizer assets/checkpoints/qa1/tokenizer.json --patience 1000 --go-on --stream-life 400 "$@"; }

train --kinds qa4 --minutes 75 --stream-share 0.7 --stream-steps 2400 --out runs/qa4
train --kinds qa5 --minutes 75 --stream-share 0.6 --stream-steps 1500 --n-memory 16 --out runs/qa5
for kind in qa4 qa5; do
  into "$kind"
  for control in none reset untrained; do
    rmt record "assets/checkpoints/$kind" --task "$kind" --segments 12 --seed 6 --control "$control" --detail thin \
      --out "$(traced "$kind" "$control")"
  done
  "$PYTHON" -m benchmarks.babilong "assets/checkpoints/$kind" --tasks "$kind" --tokens 4k 32k 128k --samples 200 100 50 \
    --add assets/results/babilong.json --json > runs/babilong.json
  mv runs/babilong.json assets/results/babilong.json
done
