# Two commands do everything: `make app` opens the app, `make test` runs every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: app test check assets bench clean

app: $(VENV)/app.done
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: $(VENV)/test.done
	$(BIN)/python -m pytest

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

bench: $(VENV)/app.done
	for name in recording scaling baseline; do $(BIN)/python -m benchmarks.$$name; done

$(VENV)/app.done: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/test.done: requirements-dev.txt $(VENV)/app.done
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) test-output .pytest_cache .ruff_cache
