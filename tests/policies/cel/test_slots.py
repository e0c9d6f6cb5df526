"""Slots: one for what is asked of a field, however often."""

from gateway.app.policy_schemas import OfficialSchemas
from policies.cel.shapes import payload_of
from policies.cel.slots import Record, Use
from policies.vocabulary import Vocabulary
from policies.words import Kind, Stage, Target

METER_VALUES = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "MeterValues")


def test_a_field_that_is_asked_for_twice_has_one_slot() -> None:
    record = Record("payload", payload_of([METER_VALUES], Vocabulary(OfficialSchemas())))
    meters, number = record.shape.step("meterValue"), record.shape.step("connectorId")
    first = record.slot("v0", "payload.meterValue", ("meterValue",), Use.VALUE, meters)

    assert record.slot("v1", "payload.meterValue", ("meterValue",), Use.VALUE, meters) is first
    assert record.slot("v1", "payload.meterValue", ("meterValue",), Use.SIZE, meters) is not first
    assert first.elements is not None
    assert record.slot("v2", "payload.connectorId", ("connectorId",), Use.VALUE, number).elements is None
