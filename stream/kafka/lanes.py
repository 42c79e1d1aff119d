"""The lanes' public face: what a composition needs to run one worker."""

from stream.kafka.messages import Failed, Outgoing, Processor
from stream.kafka.observer import BatchReport, LaneObserver, NoObserver
from stream.kafka.status import PartitionStatus, WorkerStatus
from stream.kafka.worker import LaneWorker

__all__ = [
    "BatchReport",
    "Failed",
    "LaneObserver",
    "LaneWorker",
    "NoObserver",
    "Outgoing",
    "PartitionStatus",
    "Processor",
    "WorkerStatus",
]
