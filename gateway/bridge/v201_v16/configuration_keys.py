"""The configuration keys of 1.6 and the variables of 2.0.1 behind them, as data (blocks B05 and B06)."""

import re
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.guarded_variables import is_guarded, is_secret
from gateway.bridge.v201_v16.configuration_words import (
    BOOLEAN,
    INTEGER,
    MEASURANDS,
    PLAIN,
    RATE_UNITS,
    WITH_REGISTER,
    Words,
)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the device model; names are compared without regard to case (OCPP 2.0.1 identifierString)."""

    component: str
    name: str
    instance: str | None = None
    component_instance: str | None = None
    evse_id: int | None = None
    connector_id: int | None = None

    @property
    def path(self) -> str:
        """``component[instance].variable[instance]@evse.connector``, casefolded: the same for the same variable."""
        return name_of(*self.addressed().values())

    def addressed(self) -> Json:
        """Return the ``component`` and ``variable`` fields of GetVariables and SetVariables."""
        component: Json = {"name": self.component}
        variable: Json = {"name": self.name}
        if self.component_instance is not None:
            component["instance"] = self.component_instance
        if self.evse_id is not None:
            component["evse"] = {"id": self.evse_id}
            if self.connector_id is not None:
                component["evse"]["connectorId"] = self.connector_id
        if self.instance is not None:
            variable["instance"] = self.instance
        return {"component": component, "variable": variable}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of 1.6 that stands for a variable."""

    variable: Variable
    readonly: bool = False
    words: Words = PLAIN
    also: "tuple[Key, ...]" = ()
    """What is set together with it, and never read."""


def name_of(component: Json, variable: Json) -> str:
    """Return :attr:`Variable.path` for the fields of a message."""
    parts = [component["name"], _in_brackets(component), ".", variable["name"], _in_brackets(variable)]
    evse: Json = component.get("evse", {})
    if evse:
        parts += [f"@{evse['id']}", f".{evse['connectorId']}" if "connectorId" in evse else ""]
    return "".join(parts).casefold()


def _in_brackets(named: Json) -> str:
    return f"[{named['instance']}]" if "instance" in named else ""


def _rw(path: str, words: Words = PLAIN, *also: Key) -> Key:
    return Key(_variable(path), words=words, also=also)


def _ro(path: str, words: Words = PLAIN) -> Key:
    return Key(_variable(path), readonly=True, words=words)


def _variable(path: str) -> Variable:
    """Read ``Component.Variable`` or ``Component.Variable[instance]``."""
    component, name = path.split(".")
    name, _, instance = name.removesuffix("]").partition("[")
    return Variable(component, name, instance or None)


KEYS: Final = {
    # Core
    "AllowOfflineTxForUnknownId": _rw("AuthCtrlr.OfflineTxForUnknownIdEnabled", BOOLEAN),
    "AuthorizationCacheEnabled": _rw("AuthCacheCtrlr.Enabled", BOOLEAN),
    "AuthorizeRemoteTxRequests": _rw("AuthCtrlr.AuthorizeRemoteStart", BOOLEAN),
    "ClockAlignedDataInterval": _rw(
        "AlignedDataCtrlr.Interval", INTEGER, _rw("AlignedDataCtrlr.TxEndedInterval", INTEGER)
    ),
    "ConnectionTimeOut": _rw("TxCtrlr.EVConnectionTimeOut", INTEGER),
    "HeartbeatInterval": _rw("OCPPCommCtrlr.HeartbeatInterval", INTEGER),
    "LocalAuthorizeOffline": _rw("AuthCtrlr.LocalAuthorizeOffline", BOOLEAN),
    "LocalPreAuthorize": _rw("AuthCtrlr.LocalPreAuthorize", BOOLEAN),
    "MaxEnergyOnInvalidId": _rw("TxCtrlr.MaxEnergyOnInvalidId", INTEGER),
    "MessageTimeout": _rw("OCPPCommCtrlr.MessageTimeout[Default]", INTEGER),
    "MeterValueSampleInterval": _rw("SampledDataCtrlr.TxUpdatedInterval", INTEGER),
    "MeterValuesAlignedData": _rw("AlignedDataCtrlr.Measurands", MEASURANDS),
    "MeterValuesSampledData": _rw(
        "SampledDataCtrlr.TxUpdatedMeasurands",
        MEASURANDS,
        _rw("SampledDataCtrlr.TxStartedMeasurands", WITH_REGISTER),  # 1.6 has no key for what is sampled at the start
    ),
    "MinimumStatusDuration": _rw("ChargingStation.MinimumStatusDuration", INTEGER),
    "ResetRetries": _rw("OCPPCommCtrlr.ResetRetries", INTEGER),
    "StopTransactionOnEVSideDisconnect": _rw("TxCtrlr.StopTxOnEVSideDisconnect", BOOLEAN),
    "StopTransactionOnInvalidId": _rw("TxCtrlr.StopTxOnInvalidId", BOOLEAN),
    "StopTxnAlignedData": _rw("AlignedDataCtrlr.TxEndedMeasurands", MEASURANDS),
    "StopTxnSampledData": _rw("SampledDataCtrlr.TxEndedMeasurands", WITH_REGISTER),
    "SupportedFileTransferProtocols": _ro("OCPPCommCtrlr.FileTransferProtocols"),
    "TransactionMessageAttempts": _rw("OCPPCommCtrlr.MessageAttempts[TransactionEvent]", INTEGER),
    "TransactionMessageRetryInterval": _rw("OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]", INTEGER),
    "UnlockConnectorOnEVSideDisconnect": _rw("OCPPCommCtrlr.UnlockOnEVSideDisconnect", BOOLEAN),
    "WebSocketPingInterval": _rw("OCPPCommCtrlr.WebSocketPingInterval", INTEGER),
    # Local list, reservation, smart charging
    "ChargeProfileMaxStackLevel": _ro("SmartChargingCtrlr.ProfileStackLevel"),
    "ChargingScheduleAllowedChargingRateUnit": _ro("SmartChargingCtrlr.RateUnit", RATE_UNITS),
    "ChargingScheduleMaxPeriods": _ro("SmartChargingCtrlr.PeriodsPerSchedule"),
    "ConnectorSwitch3to1PhaseSupported": _ro("SmartChargingCtrlr.Phases3to1", BOOLEAN),
    "LocalAuthListEnabled": _rw("LocalAuthListCtrlr.Enabled", BOOLEAN),
    "ReserveConnectorZeroSupported": _ro("ReservationCtrlr.NonEvseSpecific", BOOLEAN),
    "SendLocalListMaxLength": _ro("LocalAuthListCtrlr.ItemsPerMessage"),
    # Security and Plug & Charge
    "AdditionalRootCertificateCheck": _ro("SecurityCtrlr.AdditionalRootCertificateCheck", BOOLEAN),
    "CentralContractValidationAllowed": _rw("ISO15118Ctrlr.CentralContractValidationAllowed", BOOLEAN),
    "CertSigningRepeatTimes": _rw("SecurityCtrlr.CertSigningRepeatTimes", INTEGER),
    "CertSigningWaitMinimum": _rw("SecurityCtrlr.CertSigningWaitMinimum", INTEGER),
    "CertificateSignedMaxChainSize": _ro("SecurityCtrlr.MaxCertificateChainSize"),
    "ContractValidationOffline": _rw("ISO15118Ctrlr.ContractValidationOffline", BOOLEAN),
    "ISO15118PnCEnabled": _rw("ISO15118Ctrlr.PnCEnabled", BOOLEAN),
}
"""Keys that are one variable."""

BY_SMALL_NAME: Final = {name.casefold(): key for name, key in KEYS.items()}
"""The same by casefolded name: 1.6 ignores the case of a key (CiString50)."""

LIMITS: Final = {
    "CertificateStoreMaxLength": _variable("SecurityCtrlr.CertificateEntries"),
    "LocalAuthListMaxLength": _variable("LocalAuthListCtrlr.Entries"),
    "MaxChargingProfilesInstalled": _variable("SmartChargingCtrlr.Entries[ChargingProfiles]"),
    "MeterValuesAlignedDataMaxLength": _variable("AlignedDataCtrlr.Measurands"),
    "MeterValuesSampledDataMaxLength": _variable("SampledDataCtrlr.TxUpdatedMeasurands"),
    "StopTxnAlignedDataMaxLength": _variable("AlignedDataCtrlr.TxEndedMeasurands"),
    "StopTxnSampledDataMaxLength": _variable("SampledDataCtrlr.TxEndedMeasurands"),
}
"""Keys that are the maxLimit of a variable, which only a NotifyReport tells. Read-only."""

PHASE_ROTATION: Final = "ConnectorPhaseRotation"
"""One key in 1.6, ``1.RST,2.RTS``; a variable of every Connector in 2.0.1."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature profile of 1.6, supported where the bridge carries its actions and the station has it."""

    actions: frozenset[str] = frozenset()
    """Without them the bridge doesn't carry the profile."""
    available: Variable | None = None
    """What says whether the station has it; None: every station of 2.0.1 has."""
    implied_by: Variable | None = None
    """A variable that a station which has it can't do without, for those that leave ``available`` out."""


FEATURES: Final = {
    "Core": Feature(),
    "FirmwareManagement": Feature(frozenset({"GetDiagnostics", "UpdateFirmware"})),
    "LocalAuthListManagement": Feature(
        frozenset({"GetLocalListVersion", "SendLocalList"}),
        _variable("LocalAuthListCtrlr.Available"),
        _variable("LocalAuthListCtrlr.ItemsPerMessage"),
    ),
    "Reservation": Feature(
        frozenset({"CancelReservation", "ReserveNow"}),
        _variable("ReservationCtrlr.Available"),
        _variable("ReservationCtrlr.Enabled"),
    ),
    "SmartCharging": Feature(
        frozenset({"ClearChargingProfile", "GetCompositeSchedule", "SetChargingProfile"}),
        _variable("SmartChargingCtrlr.Available"),
        _variable("SmartChargingCtrlr.ProfileStackLevel"),
    ),
    "RemoteTrigger": Feature(frozenset({"TriggerMessage"})),
}
"""The profiles of SupportedFeatureProfiles. One that the station has but the bridge refuses isn't supported."""
MESSAGE_LIMITS: Final = {
    action: (
        _variable(f"DeviceDataCtrlr.ItemsPerMessage[{action}]"),
        _variable(f"DeviceDataCtrlr.BytesPerMessage[{action}]"),
    )
    for action in ("GetVariables", "SetVariables")
}
"""Action -> how many items, and how many bytes, the station takes in one message."""

BEHIND_KEYS: Final = frozenset(
    variable.path
    for variable in (
        *(key.variable for key in KEYS.values()),
        *(other.variable for key in KEYS.values() for other in key.also),
        *LIMITS.values(),
        *(each for feature in FEATURES.values() for each in (feature.available, feature.implied_by) if each),
        *(each for limits in MESSAGE_LIMITS.values() for each in limits),
    )
)
"""Paths of the variables that something here depends on."""
VALUES_KEPT: Final = frozenset(
    variable.path
    for variable in (
        *(feature.available for feature in FEATURES.values() if feature.available),
        *(each for limits in MESSAGE_LIMITS.values() for each in limits),
    )
)
"""Paths of the variables whose value in a report is kept: it doesn't change while the station runs."""

GET_CONFIGURATION_MAX_KEYS: Final = 100
"""Keys of one GetConfiguration that are promised to be answered."""

_VENDOR_KEY: Final = re.compile(
    r"(?P<component>[A-Za-z0-9_-]+)(?:\[(?P<component_instance>[^\[\]]+)\])?"
    r"\.(?P<name>[A-Za-z0-9_-]+)(?:\[(?P<instance>[^\[\]]+)\])?"
    r"(?:@(?P<evse_id>[0-9]{1,4})(?:\.(?P<connector_id>[0-9]{1,4}))?)?"
)


def vendor_variable(key: str) -> Variable | None:
    """Read a pseudo key, ``Component[instance].Variable[instance]@evse.connector``; None when it is none.

    None, too, for what decides over the station's own connection and for what smells of a secret: a backend of 1.6 may
    neither see nor change that behind Voltgate's back (A05).
    """
    found = _VENDOR_KEY.fullmatch(key)
    if found is None or is_guarded(found["component"], found["name"]) or is_secret(found["name"]):
        return None
    evse_id, connector_id = found["evse_id"], found["connector_id"]
    return Variable(
        found["component"],
        found["name"],
        found["instance"],
        found["component_instance"],
        int(evse_id) if evse_id is not None else None,
        int(connector_id) if connector_id is not None else None,
    )


def names_guarded(key: str) -> bool:
    """True for a pseudo key that names a variable of the station's own security or connection."""
    found = _VENDOR_KEY.fullmatch(key)
    return found is not None and is_guarded(found["component"], found["name"])
