#!/usr/bin/env bash
# Makes: what the pages What if, Facts and Why open with: assets/what_if and the files why.*, slots.* and facts.* of assets/results.
# Takes: an hour on two CPU cores. Needs: make app; the checkpoints and traces of small_models.sh (they ship).
source "$(dirname "$0")/common.sh"
mkdir -p assets/what_if

while IFS='|' read -r name change; do
  rmt what-if "assets/checkpoints/$name" "$(traced "$name" none)" --change "$change" \
    --out "assets/what_if/$name.trace.safetensors"
done <<CHANGES
detect|edit:289-294:Sandra went to the garden.
memorize|edit:1-6:John travelled to the kitchen.
reasoning|edit:99-106:The garden is west of the office.
CHANGES

for name in detect memorize reasoning; do
  for control in none reset untrained; do
    trace=$(traced "$name" "$control")
    run=$(basename "$trace" .trace.safetensors)
    rmt why "assets/checkpoints/$name" "$trace" --json > "assets/results/why.$run.json"
    rmt what-if "assets/checkpoints/$name" "$trace" --map --json > "assets/results/slots.$run.json"
  done
done

facts() { rmt facts "assets/checkpoints/$1" --json "${@:2}"; }
facts detect --segments 50 --transplants > assets/results/facts.detect.json
for name in memorize reasoning; do facts "$name" --segments 16 > "assets/results/facts.$name.json"; done
for name in detect memorize reasoning; do
  for control in reset untrained; do
    facts "$name" --segments 16 --samples 100 --control "$control" > "assets/results/facts.$name.$control.json"
  done
done

# What the first page draws before anything is computed: under a minute.
"$PYTHON" -m rmt_viz.work.experiment
