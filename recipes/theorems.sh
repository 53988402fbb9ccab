#!/usr/bin/env bash
# Makes: the scores of the lemma task, assets/results/lm-metamath.json; its two models stay in runs/.
# Takes: two runs of 600 steps of one CPU core, not timed. Needs: make app, and set.mm in the root of the repository. Debian has it:
#   apt-get download metamath-databases && dpkg-deb -x metamath-databases_*.deb .    (then copy set.mm here)
source "$(dirname "$0")/common.sh"

prove() {
  rmt train --task language_model --precision bf16 --threads 1 --cpu --corpus metamath:set.mm --ends --segments 5 \
    --steps 600 --growth 0.3 --lr 0.003 --warmup 40 --seed 1 "$@"
}
prove --cell rmt --n-memory 16 --initial-std 1 --out runs/lm-theorems
prove --cell none --n-memory 0 --out runs/lm-theorems-none
rmt evaluate-loss --precision bf16 --json runs/lm-theorems --positions 640 --history 0 --documents 200 --targets 1 \
  --corpus metamath:set.mm --against runs/lm-theorems-none > assets/results/lm-metamath.json
