# Two commands do all the set-up on a fresh machine: `make demo` and `make test`. They need Python 3.10 to 3.13 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
# Processes that share the tests: one more than two cores, because some tests wait for servers.
WORKERS ?= 3
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo zoo test mutants docs tour check format clean

# One environment for everything; made again when the dependencies change.
$(VENV)/.installed: setup.py pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "$(PYTHON): expected Python 3.10 to 3.13; choose one with make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	$(BIN)/python -m pip install --quiet --editable ".[serving,test]"
	touch $@

# The main job on embedded data: train, evaluate, export, sample.
demo: $(VENV)/.installed
	$(BIN)/python -m trainers.train --config=configs/digits.py --workdir=$(DEMO)/run
	$(BIN)/python -m export.evaluate --workdir=$(DEMO)/run
	$(BIN)/python -m export.saved_model --workdir=$(DEMO)/run --model_base_path=$(DEMO)/models --model_name=digits
	$(BIN)/python -m export.sample --saved_model=$(DEMO)/models/digits --num=64 --out=$(DEMO)/samples.png
	@echo
	@echo "report      $(CURDIR)/$(DEMO)/run/report/report.html"
	@echo "grid        $(CURDIR)/$(DEMO)/samples.png"
	@echo "SavedModel  $$(ls -d $(CURDIR)/$(DEMO)/models/digits/*/ | sort -V | tail -n 1)"

# The pretrained models of configs/zoo.py that the package lacks: hours. Stopped, it goes on when started again.
zoo: $(VENV)/.installed
	$(BIN)/python -m export.make_zoo

test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Which mistakes the tests notice; its score stands in CONTRIBUTING.md.
mutants: $(VENV)/.installed
	$(BIN)/python tests/run_mutants.py

# The pages of docs/ and the API reference as a site.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site        $(CURDIR)/site/index.html"

# docs/tour.ipynb run anew for its outputs, in an empty folder. Pictures are kept as PNG alone.
tour: $(VENV)/.installed
	rm -rf build/tour
	mkdir -p build/tour
	cp docs/tour.ipynb build/tour
	$(BIN)/jupyter nbconvert --log-level=ERROR --to=notebook --execute --inplace build/tour/tour.ipynb \
	  --ExecutePreprocessor.record_timing=False "--ExecutePreprocessor.extra_arguments=['--JPEGFormatter.enabled=False']"
	cp build/tour/tour.ipynb docs

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO) *.egg-info build site
