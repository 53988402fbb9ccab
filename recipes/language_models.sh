#!/usr/bin/env bash
# Makes: the language models lm-*, assets/results/lm.json and mechanisms.json, and the bundled traces lm.*. Each run starts from
# one backbone, and every mechanism reads the same tokens.
# Takes: about an hour and a half of one CPU core. Needs: make app (no GPU, no network).
source "$(dirname "$0")/common.sh"

train() { rmt train --task language_model --precision bf16 --threads 1 --cpu "$@"; }
from_base() {
  train --init runs/lm-base --segment-length 64 --segments 8 --batch 64 --steps 800 --growth 0.3 --lr 0.003 --warmup 10 \
    --floor 0.02 --seed 1 "$@"
}
train --cell none --at-once 9 --segments 9 --steps 2200 --until 1200 --growth 0.5 --lr 0.002 --warmup 60 --floor 0.2 \
  --out runs/lm-base
from_base --cell rmt --n-memory 8 --initial-std 1 --out runs/lm-rmt
from_base --cell none --n-memory 0 --out runs/lm-none
from_base --cell none --n-memory 0 --at-once 17 --out runs/lm-context
from_base --cell memory-transformer --n-memory 8 --initial-std 1 --out runs/lm-memory-transformer
from_base --cell transformer-xl --n-memory 64 --out runs/lm-transformer-xl
from_base --cell compressive --n-memory 32 --cell-option n_cache=64 --cell-option rate=4 --out runs/lm-compressive

against=() beside=(assets/checkpoints/lm-rmt)
into lm-rmt
for name in none memory-transformer transformer-xl compressive context; do
  into "lm-$name"
  against+=(--against "assets/checkpoints/lm-$name")
  beside+=("assets/checkpoints/lm-$name")
done
rmt evaluate-loss --precision bf16 --json assets/checkpoints/lm-rmt --history 0 1 2 4 8 "${against[@]}" \
  --plain sliding-window=64 > assets/results/lm.json
rmt mechanisms "${beside[@]}" --plain sliding-window=64 --rest --json > assets/results/mechanisms.json
for control in none reset untrained; do
  rmt record assets/checkpoints/lm-rmt --task language_model --segments 8 --seed 22 --control "$control" \
    --detail "$(detail "$control")" --out "$(traced lm "$control")"
done
