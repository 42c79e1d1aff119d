from __future__ import annotations

import pytest

from stream.testing.place import Place, make_place


@pytest.fixture(
    params=[
        "embedded at_least_once",
        pytest.param("apache at_least_once", marks=pytest.mark.kafka),
        pytest.param("apache exactly_once", marks=pytest.mark.kafka),
    ]
)
async def place(request: pytest.FixtureRequest) -> Place:
    broker, delivery = request.param.split()
    running_broker = request.getfixturevalue(
        "embedded_broker" if broker == "embedded" else "apache_kafka"
    )
    return await make_place(running_broker, delivery)
