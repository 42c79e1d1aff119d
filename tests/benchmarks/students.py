"""The students of the benchmark: ours, twice, and the plain one in transformers' own format."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from distill.bundle.export import export_bundle
from distill.training.base import load_base
from distill.training.batches import TrainExample
from distill.training.train import Trained, train
from schemas.bio import tag_names
from schemas.categories import of_labels
from schemas.files.bundle import bundle_digest, save_bundle
from schemas.files.bundle_store import open_bundle_store
from schemas.files.corpus import Example, write_jsonl
from schemas.files.kind import Kind
from schemas.files.manifest import MANIFEST_NAME, manifest_bytes, manifest_digest, parse_manifest
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.settings import KafkaSettings, Recipe, Settings, StudentSettings
from schemas.types import Promotion, RoutingPolicy, policy_digest
from schemas.wire.codec import Codec
from stream.kafka.promotions import append_promotion, read_history
from tests.benchmarks.worker import Worker
from tests.benchmarks.workload import LABELS, make_workload, pieces_of

_CALIBRATION_TEXTS = 200
_POLICY = RoutingPolicy(threshold=0.9, audit_share=0.02, audit_seed=0)
TASK_NAME = "bench"


@dataclass(frozen=True, slots=True)
class Made:
    """Where the trained things are. `bundle` and `other` differ in their version alone."""

    registry: Path
    bundle: Path
    other: Path
    plain: Path
    task: Path
    corpus: Path


def make(folder: Path, *, n_texts: int, steps: int, kind: Kind = "entities") -> Made:
    """Train both kinds of student for `steps` steps on the same generated texts.

    Speed does not depend on how good a student is, so the training is short.
    """
    ours, plain = _recipe(kind, steps), _recipe("entities", steps, layers=6, casing=False)
    examples = make_workload(n_texts, seed=7, pieces=pieces_of(load_base(ours.base).tokenizer_json))
    corpus = folder / "texts.jsonl"
    write_jsonl(corpus, examples)
    task = _task(kind)
    (folder / "task.yaml").write_text(task_yaml(task), encoding="utf-8")
    bundles = [_bundle(folder, examples, ours, task, version) for version in ("one", "two")]
    # What Faust serves is a model of entities, of whatever kind ours is.
    _save_plain(_train(examples, plain, _task("entities")), folder / "plain")
    return Made(
        folder / "models", bundles[0], bundles[1], folder / "plain", folder / "task.yaml", corpus
    )


async def promote(worker: Worker, bundle: Path, *, sequence: int) -> None:
    """Append a promotion of `bundle` to the worker's history."""
    data = (bundle / MANIFEST_NAME).read_bytes()
    manifest = parse_manifest(data)
    settings = KafkaSettings(bootstrap_servers=worker.bootstrap)
    topic = worker.topics.promotions
    history = await read_history(settings, topic, Codec(), manifest.task)
    promotion = Promotion(
        task=TASK_NAME,
        task_digest=manifest.task_digest,
        sequence=sequence,
        parent=history[-1].student_version if history else "",
        action="promote",
        student_version=manifest.version,
        digest=manifest_digest(data),
        location=f"{manifest.task}/{manifest.version}",
        policy=_POLICY,
        policy_digest=policy_digest(_POLICY),
        gold_digest="",
        reason="benchmark",
        promoted_at_ms=int(time.time() * 1000),
    )
    await append_promotion(settings, topic, Codec(), promotion)


def _recipe(kind: Kind, steps: int, **changes: Any) -> Recipe:
    few = {"epochs": 0.01, "min_steps": steps}
    return Settings().recipe_of(kind).model_copy(update=few | changes)


def _task(kind: Kind) -> Task:
    labels = tuple(LabelSpec(name, f"a name of kind {name}", ()) for name in LABELS)
    if kind == "entities":
        return Task(TASK_NAME, "en", labels, "Mark every name.", ())
    return Task(TASK_NAME, "en", labels, "Name all kinds.", kind=kind, choose="any")


def _train(examples: list[Example], recipe: Recipe, task: Task) -> Trained:
    rows = [_train_example(example, task) for example in examples]
    return train(rows, task=task, recipe=recipe, seed=0)


def _train_example(example: Example, task: Task) -> TrainExample:
    """Give its entities, or the labels that these have as categories."""
    if task.kind == "entities":
        return TrainExample(example.text, example.entities)
    labels = of_labels(entity.label for entity in example.entities)
    return TrainExample(example.text, (), categories=labels)


def _bundle(
    folder: Path, examples: list[Example], recipe: Recipe, task: Task, version: str
) -> Path:
    made = folder / version
    made.mkdir()
    if version == "two":  # the same student under another version
        return _renamed(folder, made, version)
    exported = export_bundle(
        _train(examples[_CALIBRATION_TEXTS:], recipe, task),
        task=task,
        version=version,
        calibration=[_train_example(e, task) for e in examples[:_CALIBRATION_TEXTS]],
        parity_texts=[example.text for example in examples[:_CALIBRATION_TEXTS]],
        lineage={},
    )
    save_bundle(exported.bundle, made)
    return _added(folder / "models", made)


def _renamed(folder: Path, made: Path, version: str) -> Path:
    first = folder / "one"
    shutil.copytree(first, made, dirs_exist_ok=True)
    manifest = parse_manifest((first / MANIFEST_NAME).read_bytes())
    (made / MANIFEST_NAME).write_bytes(manifest_bytes(replace(manifest, version=version)))
    return _added(folder / "models", made)


def _added(registry: Path, made: Path) -> Path:
    store = open_bundle_store(StudentSettings(registry=registry))
    return store.fetch(store.add(made), bundle_digest(made))


def _save_plain(trained: Trained, folder: Path) -> None:
    """As `save_pretrained` writes it, so that `pipeline("ner")` loads it as any other model."""
    tags = tag_names(LABELS)
    config = BertConfig(
        **(
            trained.model.body.config.to_dict()
            | {"id2label": dict(enumerate(tags)), "label2id": {t: i for i, t in enumerate(tags)}}
        )
    )
    model = BertForTokenClassification(config)  # type: ignore[no-untyped-call] # transformers
    model.bert.load_state_dict(trained.model.body.encoder.state_dict())
    model.classifier.load_state_dict(trained.model.head.state_dict())
    model.save_pretrained(folder)
    tokenizer_file = folder / "tokenizer.json"
    tokenizer_file.write_bytes(trained.tokenizer_json)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers
        tokenizer_file=str(tokenizer_file), pad_token="[PAD]", unk_token="[UNK]"
    )
    tokenizer.save_pretrained(folder)
