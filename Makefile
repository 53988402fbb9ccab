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

# Train the shipped checkpoints again, record the bundled traces and score both (hours on two cores).
assets: $(VENV)/app.done
	$(BIN)/python assets/make.py

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
