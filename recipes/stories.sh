#!/usr/bin/env bash
# Makes: the checkpoints qa4 and qa2 (relations; where an object is), which begin with qa1's weights, and their rows of BABILong's table.
# Takes: an hour and a half of one CPU core a checkpoint, minutes for the rows. Needs: make app; qa1, which ships (no GPU, no network).
# With names, such as recipes/stories.sh qa4, it does those alone.
source "$(dirname "$0")/common.sh"

stories() { rmt train-stories --init assets/checkpoints/qa1 --go-on --stream-share 0.75 --stream-steps 600 --threads 1 "$@"; }

for name in ${*:-qa4 qa2}; do
  case $name in
    qa4) stories --kinds qa4 --minutes 95 --stream-life 300 --patience 1200 --out runs/qa4 ;;
    qa2) stories --kinds qa2 --n-memory 16 --lr 1e-3 --minutes 120 --stream-life 200 --patience 1500 --out runs/qa2 ;;
  esac
  into "$name"
  "$PYTHON" -m benchmarks.babilong "assets/checkpoints/$name" --tasks "$name" --tokens 4k 32k 128k --samples 200 100 50 \
    --add assets/results/babilong.json --json > runs/babilong.json
  mv runs/babilong.json assets/results/babilong.json
done
