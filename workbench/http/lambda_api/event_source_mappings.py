"""Event source mappings.

Source: Lambda API reference, CreateEventSourceMapping and its kin; Lambda Developer Guide, "How Lambda processes
records from stream and queue-based event sources".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from workbench.http.lambda_api.event_sources import SETTINGS, Source, check, defaults, source_of
from workbench.http.lambda_api.operations import Call, operation
from workbench.http.lambda_api.paging import page
from workbench.http.lambda_api.tags import check_new
from workbench.model.errors import ResourceNotFound
from workbench.model.names import parse_function_ref
from workbench.model.records import EventSourceMapping

PAGE = 100
# What is no UUID at all is missed like one that nobody has (recorded), so its length is not checked.


@operation("CreateEventSourceMapping", unchecked=("StartingPosition",))
async def create_event_source_mapping(call: Call) -> Mapping[str, Any]:
    params = call.params
    source = source_of(params.get("EventSourceArn"), params.get("SelfManagedEventSource"))
    check(source, params, new=True)
    ref = parse_function_ref(params["FunctionName"], None, call.account)
    streaming = source in (Source.KINESIS, Source.DYNAMODB)
    mapping = EventSourceMapping(
        id="",
        function=ref.name,
        qualifier=ref.qualifier,
        source=params.get("EventSourceArn"),
        enabled=params.get("Enabled", True),
        state_transition_reason="User action" if streaming else "USER_INITIATED",
        last_processing_result="No records processed" if streaming else None,
        settings={**defaults(source), **_given(params)},
        tags=check_new(params.get("Tags", {})),
        last_modified=0.0,
    )
    return _describe(call, await call.port.create_event_source_mapping(mapping))


@operation("UpdateEventSourceMapping", unchecked=("UUID",))
async def update_event_source_mapping(call: Call) -> Mapping[str, Any]:
    params = call.params
    mapping = await _find(call)
    source = source_of(mapping.source, mapping.settings.get("SelfManagedEventSource"))
    check(source, {"EventSourceArn": mapping.source, **mapping.settings, **params}, new=False)
    name = params.get("FunctionName")
    changed = await call.port.update_event_source_mapping(
        mapping.id,
        ref=parse_function_ref(name, None, call.account) if name is not None else None,
        enabled=params.get("Enabled"),
        settings=_given(params),
    )
    return _describe(call, changed)


@operation("GetEventSourceMapping", unchecked=("UUID",))
async def get_event_source_mapping(call: Call) -> Mapping[str, Any]:
    return _describe(call, await _find(call))


@operation("DeleteEventSourceMapping", unchecked=("UUID",))
async def delete_event_source_mapping(call: Call) -> Mapping[str, Any]:
    return _describe(call, await call.port.delete_event_source_mapping(call.params["UUID"]))


@operation("ListEventSourceMappings")
async def list_event_source_mappings(call: Call) -> Mapping[str, Any]:
    params = call.params
    mappings = await call.port.list_event_source_mappings()
    if (arn := params.get("EventSourceArn")) is not None:
        mappings = tuple(mapping for mapping in mappings if mapping.source == arn)
    if (name := params.get("FunctionName")) is not None:
        ref = parse_function_ref(name, None, call.account)
        mappings = tuple(
            mapping
            for mapping in mappings
            if mapping.function == ref.name and ref.qualifier in (None, mapping.qualifier)
        )
    chunk, marker = page(mappings, lambda mapping: (mapping.id,), params, cap=PAGE)
    return {"EventSourceMappings": [_describe(call, mapping) for mapping in chunk], "NextMarker": marker}


async def _find(call: Call) -> EventSourceMapping:
    for mapping in await call.port.list_event_source_mappings():
        if mapping.id == call.params["UUID"]:
            return mapping
    raise ResourceNotFound("The resource you requested does not exist.")


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a request; a moment as epoch seconds, since settings travel as JSON."""
    return {
        member: value.timestamp() if isinstance(value := params[member], datetime) else value
        for member in SETTINGS
        if member in params
    }


def _describe(call: Call, mapping: EventSourceMapping) -> dict[str, Any]:
    return {
        **mapping.settings,
        "UUID": mapping.id,
        "EventSourceArn": mapping.source,
        "FunctionArn": call.account.function_arn(mapping.function, mapping.qualifier),
        "EventSourceMappingArn": call.account.arn(mapping.kind, mapping.id),
        "LastModified": datetime.fromtimestamp(mapping.last_modified, UTC),
        "LastProcessingResult": mapping.last_processing_result,
        "State": mapping.state.value,
        "StateTransitionReason": mapping.state_transition_reason,
    }
