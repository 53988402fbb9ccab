#!/usr/bin/env bash
# Makes: what the pages What if, Facts and Why open with: assets/what_if and the files why.*, slots.* and facts.* of assets/results.
# Takes: an hour on two CPU cores. Needs: make app; the checkpoints and traces of small_models.sh and who_is_where.sh (they ship).
# With names, such as recipes/causes.sh qa1, it does those alone.
source "$(dirname "$0")/common.sh"
mkdir -p assets/what_if
NAMES=${*:-detect memorize reasoning qa1}
facts() { rmt facts "assets/checkpoints/$1" --json "${@:2}"; }

declare -A CHANGES=(
  [detect]="edit:289-294:Sandra went to the garden."
  [memorize]="edit:1-6:John travelled to the kitchen."
  [reasoning]="edit:99-106:The garden is west of the office."
  [qa1]="edit:284-289:John moved to the garden."
)
for name in $NAMES; do
  for control in none reset; do # the control is shown beside models of whom several things can be asked
    test "$name" = qa1 -o "$control" = none || continue
    rmt what-if "assets/checkpoints/$name" "$(traced "$name" "$control")" --change "${CHANGES[$name]}" \
      --out "assets/what_if/$(basename "$(traced "$name" "$control")")"
  done

  for control in none reset untrained; do
    trace=$(traced "$name" "$control")
    run=$(basename "$trace" .trace.safetensors)
    rmt why "assets/checkpoints/$name" "$trace" --json > "assets/results/why.$run.json"
    rmt what-if "assets/checkpoints/$name" "$trace" --map --json > "assets/results/slots.$run.json"
  done

  case $name in # a probe looks for one answer in a memory, and qa1's holds several
    detect) own=(--segments 50 --transplants) controls=(--segments 16 --samples 100) ;;
    qa1) own=(--segments 16 --samples 100 --no-probe) controls=(--segments 16 --samples 50 --no-probe) ;;
    *) own=(--segments 16) controls=(--segments 16 --samples 100) ;;
  esac
  facts "$name" "${own[@]}" > "assets/results/facts.$name.json"
  for control in reset untrained; do
    facts "$name" "${controls[@]}" --control "$control" > "assets/results/facts.$name.$control.json"
  done
done

# What the first page draws before anything is computed: under a minute.
"$PYTHON" -m rmt_viz.work.experiment
