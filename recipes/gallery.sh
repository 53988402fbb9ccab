#!/usr/bin/env bash
# Makes: the rows of the page Gallery, assets/results/gallery.json: nearly four hundred fresh texts, the first seeds of each kind, none left out.
# Takes: about nine minutes on one CPU core. Needs: make app; the checkpoints that ship.
source "$(dirname "$0")/common.sh"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
n=0
rows() { n=$((n + 1)); rmt gallery "assets/checkpoints/$1" "${@:2}" --json > "$made/$(printf %02d "$n").json"; }

rows qa1 --segments 12 --segments 64 --samples 20
rows qa1 --segments 12 --segments 64 --samples 10 --never
rows many-facts-8 --segments 8 --segments 16 --segments 32 --samples 20
rows detect --segments 12 --segments 64 --samples 20
rows reasoning --segments 8 --segments 16 --samples 20
for task in qa1-gated qa2 qa4 qa5 open-words; do rows "$task" --segments 12 --segments 64 --samples 15; done
rows qa3 --segments 64 --samples 20 # whose stories are too long for twelve

"$PYTHON" - "$made"/*.json <<'PYTHON' > assets/results/gallery.json
import json, sys

documents = [json.load(open(path)) for path in sys.argv[1:]]
print(json.dumps({
    "command": "recipes/gallery.sh",
    "commands": [document["command"] for document in documents],
    "made_by": {document["made_by"]["checkpoint"]: document["made_by"] for document in documents},
    "results": [row for document in documents for row in document["results"]],
}, separators=(",", ":")))
PYTHON
