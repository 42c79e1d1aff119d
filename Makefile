# Silverstream: every target sets up what it needs.
#   make demo     the whole loop on this machine, about ten minutes
#   make test     all tests, those on a real Apache Kafka and a real schema registry included
#   make check    lint, types, import rules
#   make bench    the benchmark; writes build/bench.json
#   make proofs   the long runs of docs/measurements.md that have a command, hours

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
KAFKA  := .cache/kafka/libs
REGISTRY := .cache/registry/app
# A download that stands still ends (Maven 3 and 4 each know their own names for it).
MVN    := mvn -B -q -Dmaven.wagon.rto=60000 -Daether.connector.requestTimeout=60000
PROOFS := build/proofs
PYTEST_ARGS ?=
# The tests wait more than they work, so two at once pay off on one core too; each starts its own brokers.
TEST_WORKERS ?= 2

# The tests start some hundred processes: each would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

# Tests and demo must not look for a model hub, nor count the machine's usage.
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help install kafka registry demo test check format bench lock audit clean \
  proofs proof-startup proof-replays proof-bench proof-exactly-once proof-demo proof-new proof-budget proof-readers proof-privacy proof-poisoning

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(VENV)/.installed  ## the virtual environment, from the lock file

$(VENV)/.installed: pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Silverstream needs Python 3.11 to 3.13, but $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing (some 5 GB with torch, a few minutes) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

kafka: $(KAFKA)/.fetched  ## Apache Kafka's jars for the tests, through Maven (43 MB)

# Without a JVM and Maven the tests on Apache Kafka skip and say so.
$(KAFKA)/.fetched: deploy/kafka/pom.xml
	@if command -v mvn >/dev/null && command -v java >/dev/null; then \
	  echo "Fetching Apache Kafka (43 MB) ..."; \
	  $(MVN) -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(KAFKA)) && touch $@ \
	    || echo "Maven could not fetch it: the tests on Apache Kafka will be skipped"; \
	else \
	  echo "No java or mvn here: the tests on Apache Kafka will be skipped (install a JDK >= 17 and Maven)"; \
	fi

registry: $(REGISTRY)/.fetched  ## a schema registry for the tests, through Maven (159 MB)

# Without Maven or a Java 21 the tests on a schema registry skip and say so.
$(REGISTRY)/.fetched: deploy/registry/pom.xml | $(VENV)/.installed
	@if command -v mvn >/dev/null && $(BIN)/python -c 'import sys; from stream.testing.java import find_java; sys.exit(find_java(21) is None)'; then \
	  echo "Fetching the schema registry Apicurio (159 MB) ..."; \
	  rm -rf $(REGISTRY) && mkdir -p $(REGISTRY) \
	    && $(MVN) -f deploy/registry/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(REGISTRY)) \
	    && tar -xzf $(REGISTRY)/apicurio-registry-app-*-all.tar.gz -C $(REGISTRY) \
	    && rm $(REGISTRY)/apicurio-registry-app-*-all.tar.gz && touch $@ \
	    || echo "Maven could not fetch it: the tests on a schema registry will be skipped"; \
	else \
	  echo "No mvn or no Java >= 21 here: the tests on a schema registry will be skipped (install a JDK >= 21 and Maven)"; \
	fi

demo: install  ## the whole closed loop on the embedded broker
	$(BIN)/silverstream demo $(ARGS)

test: install kafka registry  ## all tests
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

check: install  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install kafka  ## our worker against the bare student and Faust with a pipeline
	$(BIN)/python -m tests.benchmarks $(ARGS)

# One after the other, so that they do not share the cores. `make test` runs exactly-once whole, and a
# short replay, demo and swaps.
proofs:  ## the long runs whose results stand in docs/measurements.md (hours)
	$(MAKE) proof-exactly-once
	$(MAKE) proof-budget
	$(MAKE) proof-readers
	$(MAKE) proof-startup
	$(MAKE) proof-bench
	$(MAKE) proof-demo
	$(MAKE) proof-new
	$(MAKE) proof-privacy
	$(MAKE) proof-poisoning
	$(MAKE) proof-replays

proof-exactly-once: install kafka  ## 20,000 records through kills on a real Apache Kafka
	SILVERSTREAM_REQUIRE=kafka $(BIN)/python -m pytest tests/faults/test_exactly_once.py --junitxml=$(PROOFS)/exactly-once.xml

proof-budget: install kafka  ## one budget, three workers, faults of every dialect, kills
	$(BIN)/python -m tests.benchmarks.shared_budget --json $(PROOFS)/budget.json

proof-readers: install  ## our check of a model against protobuf and ONNX Runtime, on damaged models
	mkdir -p $(PROOFS) && $(BIN)/python -m tests.benchmarks.fuzz_readers --seconds 1800 tests/compatibility/v0_1_0/models/people/*/student.onnx | tee $(PROOFS)/readers.json

proof-poisoning: install  ## planted labels: how often the attacks succeed, who is refused; and honest rounds
	mkdir -p $(PROOFS) && for corpus in wnut17 uner_ewt isear; do \
	  $(BIN)/python -m tests.benchmarks.poisoning train $$corpus --data $${SILVERSTREAM_DATA:-shared/data} \
	    && $(BIN)/python -m tests.benchmarks.poisoning judge $$corpus --data $${SILVERSTREAM_DATA:-shared/data} || exit 1; \
	done | tee $(PROOFS)/poisoning.jsonl
	for corpus in wnut17 uner_ewt isear btc btc_by_date fewnerd_inter; do \
	  $(BIN)/python -m tests.benchmarks.poisoning honest $$corpus --data $${SILVERSTREAM_DATA:-shared/data} || exit 1; \
	done | tee $(PROOFS)/honest.jsonl

proof-startup: install kafka  ## from a worker's start to its first event
	mkdir -p $(PROOFS) && $(BIN)/python -m tests.benchmarks.startup | tee $(PROOFS)/startup.json

proof-bench: install kafka  ## the benchmark, with its defaults
	$(BIN)/python -m tests.benchmarks --json $(PROOFS)/bench.json

proof-demo: install  ## the demo, with its figures and its picture
	$(BIN)/silverstream demo --json $(PROOFS)/demo.json --picture $(PROOFS)/demo.svg

proof-new: install  ## from a sentence to a serving stream, 800 texts (needs SILVERSTREAM_DATA)
	mkdir -p $(PROOFS) && $(BIN)/python -m tests.benchmarks.new $(SILVERSTREAM_DATA)/proggen_wikigold/xy.jsonl \
	  --verdicts $(SILVERSTREAM_DATA)/proggen_wikigold/verdicts/xy.jsonl.gz > $(PROOFS)/new.json

proof-privacy: install  ## a thousand records with personal data to a teacher that records them
	mkdir -p $(PROOFS)
	SILVERSTREAM_RECORDS=1000 $(BIN)/python -m pytest tests/integration/test_redaction.py --junitxml=$(PROOFS)/privacy.xml

proof-replays: install  ## the replays of whole corpora (needs SILVERSTREAM_DATA); goes on where it ended
	$(BIN)/python -m tests.benchmarks.replays --out $(PROOFS)/replays --plot $(PROOFS)/replays.svg

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate
IMAGE   := $(COMPILE) --constraints requirements-dev.lock pyproject.toml --extra s3 --extra gcs --extra azure \
  --extra signatures --extra redaction --extra openlineage

lock: install  ## pin the development set and the images anew
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --upgrade pyproject.toml --extra demo --group dev --group llm -o requirements-dev.lock
	$(IMAGE) -o deploy/locks/streaming.lock
	$(IMAGE) --extra distill -o deploy/locks/distill.lock
	echo "hatchling>=1.27" | $(COMPILE) --constraints requirements-dev.lock - -o deploy/locks/build.lock

audit: install  ## known vulnerabilities of what is locked (needs a database that pip-audit can reach)
	$(BIN)/python -m pip install --quiet pip-audit
	for lock in requirements-dev.lock deploy/locks/*.lock; do \
	  $(BIN)/pip-audit --disable-pip --require-hashes -r $$lock || exit 1; done

clean:  ## all that was built here
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
