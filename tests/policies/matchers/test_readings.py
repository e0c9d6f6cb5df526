"""Energy registers as either version writes them."""

from typing import Any

import pytest

from policies.matchers.readings import MULTIPLIER_MAX, reading_of, register_of

IMPORT = ("Energy.Active.Import.Register", "Outlet", None)


@pytest.mark.parametrize(
    ("sample", "readings"),
    [
        ({"value": 5}, [(IMPORT, 5.0)]),
        ({"value": 5.5, "unitOfMeasure": {}}, [(IMPORT, 5.5)]),
        ({"value": 5, "unitOfMeasure": {"unit": "kWh"}}, [(IMPORT, 5000.0)]),
        ({"value": 5, "unitOfMeasure": {"multiplier": 3}}, [(IMPORT, 5000.0)]),
        ({"value": 5, "unitOfMeasure": {"unit": "kWh", "multiplier": -3}}, [(IMPORT, 5.0)]),
        ({"value": 5, "unitOfMeasure": {"unit": " KWH "}}, [(IMPORT, 5000.0)]),
        ({"value": 5, "unitOfMeasure": {"unit": "parsec"}}, [(IMPORT, None)]),
        ({"value": 5, "unitOfMeasure": {"multiplier": MULTIPLIER_MAX + 1}}, [(IMPORT, None)]),
        ({"value": 5, "unitOfMeasure": {"multiplier": -(2**60)}}, [(IMPORT, None)]),
        ({"value": "5.25"}, [(IMPORT, 5.25)]),
        ({"value": "5", "unit": "kWh"}, [(IMPORT, 5000.0)]),
        ({"value": "5", "unit": "W"}, [(IMPORT, None)]),
        ({"value": "nan"}, [(IMPORT, None)]),
        ({"value": "AB==", "format": "SignedData"}, []),
        ({"value": "5", "format": "Raw"}, [(IMPORT, 5.0)]),
        ({"value": 5, "measurand": "Voltage"}, []),
        ({"value": 5, "measurand": "Energy.Active.Import.Interval"}, []),
        (
            {"value": 5, "measurand": "Energy.Reactive.Export.Register", "phase": "L1", "location": "Inlet"},
            [(("Energy.Reactive.Export.Register", "Inlet", "L1"), 5.0)],
        ),
    ],
)
def test_registers(sample: dict[str, Any], readings: list[Any]) -> None:
    register = register_of(sample)
    assert ([] if register is None else [(register, reading_of(sample))]) == readings
