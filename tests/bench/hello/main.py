"""The peer of a function: functions-framework's own hello world for CloudEvents. The framework parses the event."""

import functions_framework.aio
from cloudevents.http import CloudEvent


@functions_framework.aio.cloud_event
async def hello(event: CloudEvent) -> None:
    if event["type"] is None or event.data is None:
        raise ValueError("no event")
