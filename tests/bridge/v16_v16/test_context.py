"""What a bridge may forget is nothing that a message could be taken for."""

from gateway.bridge.v16_v16.context import Memory
from gateway.wire.errors import CallError
from gateway.wire.schemas import operation
from gateway.wire.versions import Version


def test_a_new_memory_is_no_repetition_of_any_message() -> None:
    memory = Memory()
    for action, (request, _) in {"StartTransaction": memory.last_start, "StopTransaction": memory.last_stop}.items():
        try:
            operation(Version.V16, action).request.check(request)
        except CallError:
            continue
        raise AssertionError(f"{action} could be {request}")
