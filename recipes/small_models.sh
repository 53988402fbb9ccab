#!/usr/bin/env bash
# Makes: the checkpoints detect, memorize and reasoning, their bundled traces, and their scores in assets/results.
# Takes: hours on two CPU cores, most of it scoring. Needs: make app (no GPU, no network).
source "$(dirname "$0")/common.sh"

train() { rmt train --precision bf16 --threads 1 "$@"; }
train --task detect --segments 7 --stream-steps 1100 --out runs/detect
train --task memorize --init runs/detect --segments 3 --lr 1e-4 --warmup 20 --stream-steps 120 --out runs/memorize
train --task reasoning --segments 5 --backbone llama --segment-length 32 --batch 32 --lr 1e-3 --warmup 100 \
  --stream-steps 600 --out runs/reasoning
for task in memorize detect reasoning; do into "$task"; done

while read -r name task segments seed; do
  for control in none reset untrained; do
    rmt record "assets/checkpoints/$task" --task "$task" --segments "$segments" --seed "$seed" --control "$control" \
      --detail "$(detail "$control")" --out "$(traced "$name" "$control")"
  done
done <<RUNS
detect detect 12 0
detect-64 detect 64 5
memorize memorize 8 1
reasoning reasoning 8 1
RUNS

score() { rmt evaluate --samples 1000 --json "$@"; }
for task in memorize detect; do
  model=assets/checkpoints/$task
  score "$model" --segments 1000 --precision bf16 > "assets/results/$task.1000.json"
  score "$model" --segments 1 2 3 4 5 6 7 100 --precision bf16 > "assets/results/$task.none.json"
  for control in reset untrained; do
    score "$model" --segments 1 2 3 4 5 6 7 --precision bf16 --control "$control" > "assets/results/$task.$control.json"
  done
done
for control in none reset untrained; do
  score assets/checkpoints/reasoning --segments 1 2 3 4 5 8 --control "$control" > "assets/results/reasoning.$control.json"
done
