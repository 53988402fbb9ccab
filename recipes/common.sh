# What the recipes share: the Python of .venv (or PYTHON=...), the root of the repository, copying a finished run, recording one.
# Sourced, not run. Every training command goes on where it stopped: start a recipe again after an interruption.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-.venv/bin/python}

rmt() { "$PYTHON" -m rmt "$@" < /dev/null; }

# into NAME: copy what ships of runs/NAME into assets/checkpoints/NAME.
into() {
  local file
  for file in config.json model.safetensors adapter.safetensors tokenizer.json metrics.jsonl; do
    test ! -e "runs/$1/$file" || install -m 644 -D "runs/$1/$file" "assets/checkpoints/$1/$file"
  done
}

# traced NAME CONTROL: the path of a bundled trace.
traced() { echo "assets/traces/$1$(test "$2" = none || echo ".$2").trace.safetensors"; }

# detail CONTROL: how much a bundled trace holds; those of controls have no maps: a tenth of the size.
detail() { test "$1" = none && echo thin || echo summary; }

# recorded TASK SEED: the bundled run of the checkpoint of a task, with its controls.
recorded() {
  local control
  for control in none reset untrained; do
    rmt record "assets/checkpoints/$1" --task "$1" --segments 12 --seed "$2" --control "$control" \
      --detail "$(detail "$control")" --out "$(traced "$1" "$control")"
  done
}
