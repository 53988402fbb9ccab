#!/usr/bin/env bash
# Makes: models of every stage of training (*-stages), models for segments of 499 tokens and reasoning-long (*-long), the
# scores by length and the measured costs (assets/results/length.json, cost.json).
# Takes: many hours on two CPU cores, most of it scoring. Needs: make app (no GPU, no network).
source "$(dirname "$0")/common.sh"

small() { rmt train --threads 1 --cpu --layers 2 --width 64 --heads 4 --vocabulary 2048 --n-memory 10 "$@"; }
short() { small --segments 7 --segment-length 64 --lr 1e-3 --warmup 100 --threshold 0.997 "$@"; }
paper() { small --segment-length 499 --positions 512 --precision bf16 "$@"; }  # the geometry of the paper
two() {
  rmt train --threads 1 --cpu --precision bf16 --task reasoning --backbone llama --layers 4 --width 64 --heads 4 \
    --vocabulary 1024 --segment-length 32 --keep-stages "$@"
}

short --task detect --keep-stages --stream-steps 500 --stream-wait 20 --out runs/detect-stages
short --task detect --keep-stages --more-steps 552 --out runs/detect-more
short --task memorize --keep-stages --out runs/memorize-stages
two --segments 6 --batch 32 --lr 1.5e-3 --warmup 100 --out runs/reasoning-stages
for steps in 0 4200; do
  two --segments 7 --batch 32 --lr 5e-4 --warmup 20 --init runs/reasoning-stages --more-steps "$steps" \
    --out "runs/reasoning-$steps"
done
two --segments 7 --batch 16 --init runs/reasoning-0 --streams-only --streams 32 --stream-segments 6 --stream-wait 10 \
  --stream-apart 10 --stream-life 80 --stream-give-up 0.5 --stream-keep 2 --stream-noise 0.1 --stream-lr 8e-4 \
  --stream-steps 3000 --out runs/reasoning-long
paper --task detect --init runs/detect-stages --segments 2 --batch 16 --lr 2e-4 --warmup 20 --streams 32 \
  --stream-steps 250 --stream-wait 20 --out runs/detect-499
paper --task detect --init runs/detect-499 --segments 7 --threshold 0.995 --batch 32 --lr 3e-4 --warmup 50 --streams 32 \
  --stream-steps 400 --stream-lr 1.5e-4 --stream-wait 20 --out runs/detect-long
paper --task memorize --init runs/detect-long --segments 2 --batch 16 --lr 5e-5 --warmup 20 --streams 32 \
  --stream-steps 40 --stream-lr 2e-5 --out runs/memorize-long

stages=assets/checkpoints
for task in memorize detect; do
  cp "runs/$task-stages/metrics.jsonl" "runs/$task-stages/stages/tokenizer.json" "$stages/$task-stages/"
  for n in 1 2 3 5 7; do cp -r "runs/$task-stages/stages/$n" "$stages/$task-stages/"; done
done
cp -r runs/detect-stages/stages/streams runs/detect-more/stages/more "$stages/detect-stages/"
for n in 1 2 3 5; do cp -r "runs/reasoning-stages/stages/$n" "$stages/reasoning-stages/"; done
cp -r runs/reasoning-0/stages/7 runs/reasoning-4200/stages/more runs/reasoning-stages/stages/tokenizer.json \
  runs/reasoning-stages/metrics.jsonl "$stages/reasoning-stages/"
cp runs/reasoning-0/metrics.jsonl "$stages/reasoning-stages/metrics-7.jsonl"
for name in reasoning-long detect-long memorize-long; do into "$name"; done

"$PYTHON" -m benchmarks.lengths --json > assets/results/length.json
"$PYTHON" -m benchmarks.methods --json > assets/results/cost.json
