"""OpenLineage events of a round, for catalogues: what it read, what it wrote, how it ended.

Where they are sent, and under which namespace, say OpenLineage's own variables and file
(https://openlineage.io/docs/client/python). Nothing of a label or text is in them, and a catalogue
that cannot be reached stops no round.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import structlog

from distill.result import RoundResult
from schemas.errors import ConfigError, SilverstreamError
from schemas.files.store_url import harmless, shown
from schemas.settings import Settings
from schemas.wire.topics import TopicNames

if TYPE_CHECKING:  # an extra
    from openlineage.client.event_v2 import InputDataset, OutputDataset

_log = structlog.get_logger(__name__)

State = Literal["START", "COMPLETE", "ABORT", "FAIL"]
_ENDS: Final[dict[str, State]] = {"promoted": "COMPLETE", "refused": "COMPLETE", "waiting": "ABORT"}
_PRODUCER: Final = "urn:silverstream:distill"
_MISSING = (
    "distill.openlineage needs the package `openlineage-python`: "
    "pip install 'silverstream[openlineage]'"
)


@contextmanager
def round_events(settings: Settings, task: str) -> Iterator[Callable[[RoundResult], None]]:
    """Tell that a round starts, and how it ends: by the result that is given, or by its error.

    Raises `ConfigError` where the package is missing or its own settings are wrong. Does nothing
    unless `distill.openlineage` is set.
    """
    if not settings.distill.openlineage:
        yield lambda _: None
        return
    run = _Run(settings, task)
    run.tell("START")
    try:
        yield lambda result: run.tell(_ENDS[result.status], result)
    except BaseException as error:
        run.tell("FAIL", error=error)
        raise


class _Run:
    """One run of the job `round.<task>`; its events have one id."""

    def __init__(self, settings: Settings, task: str) -> None:
        try:
            from openlineage.client import OpenLineageClient, set_producer  # noqa: PLC0415
        except ImportError:
            raise ConfigError(_MISSING) from None
        set_producer(_PRODUCER)
        try:
            self._client = OpenLineageClient()
        except Exception as error:  # noqa: BLE001 - of its transports, each as it likes
            raise ConfigError(f"OpenLineage's own settings are wrong: {harmless(error)}") from None
        self._settings = settings
        self._task = task
        self._id = str(uuid.uuid4())

    def tell(
        self, state: State, result: RoundResult | None = None, error: BaseException | None = None
    ) -> None:
        """Send one event; what goes wrong is logged."""
        from openlineage.client import event_v2 as events  # noqa: PLC0415
        from openlineage.client.facet_v2 import (  # noqa: PLC0415
            JobFacet,
            RunFacet,
            error_message_run,
            job_type_job,
            processing_engine_run,
        )

        ours = package_version("silverstream")
        of_run: dict[str, RunFacet] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=ours, name="silverstream"
            )
        }
        if error is not None:
            of_run["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=_told(error), programmingLanguage="Python"
            )
        of_job: dict[str, JobFacet] = {
            "jobType": job_type_job.JobTypeJobFacet(
                processingType="BATCH", integration="SILVERSTREAM", jobType="ROUND"
            )
        }
        namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or "silverstream"
        event = events.RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            eventType=events.RunState[state],
            run=events.Run(self._id, facets=of_run),
            job=events.Job(namespace, f"round.{self._task}", facets=of_job),
            inputs=self._inputs(result),
            outputs=self._outputs(result),
        )
        try:
            self._client.emit(event)
            if state != "START":
                self._client.close()
        except Exception as failure:  # noqa: BLE001 - as above
            _log.warning("lineage_event_unsent", state=state, error=type(failure).__name__)

    def _inputs(self, result: RoundResult | None) -> list[InputDataset]:
        from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415
        from openlineage.client.facet_v2 import input_statistics_input_dataset  # noqa: PLC0415

        read = (
            {
                "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                    rowCount=result.labels
                )
            }
            if result
            else {}
        )
        topic = TopicNames.of(self._settings.kafka).silver_labels
        return [InputDataset(self._brokers, topic, inputFacets=dict(read))]

    def _outputs(self, result: RoundResult | None) -> list[OutputDataset]:
        """Name the bundle that was promoted, by its digest, and the topic that says so."""
        from openlineage.client.event_v2 import OutputDataset  # noqa: PLC0415
        from openlineage.client.facet_v2 import dataset_version_dataset  # noqa: PLC0415

        promotion = result.promotion if result else None
        if promotion is None:
            return []
        version = dataset_version_dataset.DatasetVersionDatasetFacet(promotion.digest)
        where, name = _place(self._settings.student.registry)
        return [
            OutputDataset(
                where,
                "/".join(filter(None, (name, promotion.location))),
                facets={"version": version},
            ),
            OutputDataset(self._brokers, TopicNames.of(self._settings.kafka).promotions),
        ]

    @property
    def _brokers(self) -> str:
        first, *_ = self._settings.kafka.bootstrap_servers.split(",")
        return f"kafka://{first.strip()}"


def _told(error: BaseException) -> str:
    """Say what an error of ours says; another's may quote a text, and is named alone."""
    return harmless(error) if isinstance(error, SilverstreamError) else type(error).__name__


def _place(store: Path | str) -> tuple[str, str]:
    """Name a store as OpenLineage does: its namespace, and its name there."""
    if isinstance(store, Path):
        return "file", str(store.absolute())
    url = urlsplit(shown(store))
    return f"{url.scheme}://{url.netloc}", url.path.strip("/")
