"""The table of keys, and which pseudo keys may reach the station."""

import pytest

from gateway.bridge.v201_v16.configuration_keys import (
    BEHIND_KEYS,
    KEYS,
    LIMITS,
    VALUES_KEPT,
    Variable,
    name_of,
    vendor_variable,
)
from gateway.bridge.v201_v16.configuration_words import BOOLEAN, INTEGER, PLAIN

TABLE = """
AllowOfflineTxForUnknownId RW AuthCtrlr.OfflineTxForUnknownIdEnabled
AuthorizationCacheEnabled RW AuthCacheCtrlr.Enabled
AuthorizeRemoteTxRequests RW AuthCtrlr.AuthorizeRemoteStart
ClockAlignedDataInterval RW AlignedDataCtrlr.Interval
ConnectionTimeOut RW TxCtrlr.EVConnectionTimeOut
HeartbeatInterval RW OCPPCommCtrlr.HeartbeatInterval
LocalAuthorizeOffline RW AuthCtrlr.LocalAuthorizeOffline
LocalPreAuthorize RW AuthCtrlr.LocalPreAuthorize
MaxEnergyOnInvalidId RW TxCtrlr.MaxEnergyOnInvalidId
MessageTimeout RW OCPPCommCtrlr.MessageTimeout[Default]
MeterValueSampleInterval RW SampledDataCtrlr.TxUpdatedInterval
MeterValuesAlignedData RW AlignedDataCtrlr.Measurands
MeterValuesSampledData RW SampledDataCtrlr.TxUpdatedMeasurands
MinimumStatusDuration RW ChargingStation.MinimumStatusDuration
ResetRetries RW OCPPCommCtrlr.ResetRetries
StopTransactionOnEVSideDisconnect RW TxCtrlr.StopTxOnEVSideDisconnect
StopTransactionOnInvalidId RW TxCtrlr.StopTxOnInvalidId
StopTxnAlignedData RW AlignedDataCtrlr.TxEndedMeasurands
StopTxnSampledData RW SampledDataCtrlr.TxEndedMeasurands
SupportedFileTransferProtocols R OCPPCommCtrlr.FileTransferProtocols
TransactionMessageAttempts RW OCPPCommCtrlr.MessageAttempts[TransactionEvent]
TransactionMessageRetryInterval RW OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]
UnlockConnectorOnEVSideDisconnect RW OCPPCommCtrlr.UnlockOnEVSideDisconnect
WebSocketPingInterval RW OCPPCommCtrlr.WebSocketPingInterval
ChargeProfileMaxStackLevel R SmartChargingCtrlr.ProfileStackLevel
ChargingScheduleAllowedChargingRateUnit R SmartChargingCtrlr.RateUnit
ChargingScheduleMaxPeriods R SmartChargingCtrlr.PeriodsPerSchedule
ConnectorSwitch3to1PhaseSupported R SmartChargingCtrlr.Phases3to1
LocalAuthListEnabled RW LocalAuthListCtrlr.Enabled
ReserveConnectorZeroSupported R ReservationCtrlr.NonEvseSpecific
SendLocalListMaxLength R LocalAuthListCtrlr.ItemsPerMessage
AdditionalRootCertificateCheck R SecurityCtrlr.AdditionalRootCertificateCheck
CentralContractValidationAllowed RW ISO15118Ctrlr.CentralContractValidationAllowed
CertSigningRepeatTimes RW SecurityCtrlr.CertSigningRepeatTimes
CertSigningWaitMinimum RW SecurityCtrlr.CertSigningWaitMinimum
CertificateSignedMaxChainSize R SecurityCtrlr.MaxCertificateChainSize
ContractValidationOffline RW ISO15118Ctrlr.ContractValidationOffline
ISO15118PnCEnabled RW ISO15118Ctrlr.PnCEnabled
"""


def test_the_table() -> None:
    expected = {
        name: (access == "R", path.casefold()) for name, access, path in map(str.split, TABLE.strip().splitlines())
    }

    assert {name: (key.readonly, key.variable.path) for name, key in KEYS.items()} == expected


def test_what_is_set_along() -> None:
    assert {name: [other.variable.path for other in key.also] for name, key in KEYS.items() if key.also} == {
        "ClockAlignedDataInterval": ["aligneddatactrlr.txendedinterval"],
        "MeterValuesSampledData": ["sampleddatactrlr.txstartedmeasurands"],
    }


INTEGERS = {
    *("ClockAlignedDataInterval", "ConnectionTimeOut", "HeartbeatInterval", "MaxEnergyOnInvalidId", "MessageTimeout"),
    *("MeterValueSampleInterval", "MinimumStatusDuration", "ResetRetries", "TransactionMessageAttempts"),
    *("TransactionMessageRetryInterval", "WebSocketPingInterval", "CertSigningRepeatTimes", "CertSigningWaitMinimum"),
}


def test_a_key_that_can_be_set_says_what_it_takes() -> None:
    assert {name for name, key in KEYS.items() if key.words is INTEGER} == INTEGERS
    assert [name for name, key in KEYS.items() if not key.readonly and key.words is PLAIN] == []
    assert all(key.words is BOOLEAN for name, key in KEYS.items() if name.startswith(("Allow", "Local", "ISO")))


def test_what_is_kept_of_a_report_is_bounded() -> None:
    assert VALUES_KEPT < BEHIND_KEYS
    assert {key.variable.path for key in KEYS.values()} | {limit.path for limit in LIMITS.values()} < BEHIND_KEYS
    assert len(BEHIND_KEYS) < 100


def test_no_name_is_longer_than_1_6_takes() -> None:
    assert all(len(name) <= 50 for name in (*KEYS, *LIMITS))


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("Comp.Var", Variable("Comp", "Var")),
        ("Comp[a b].Var", Variable("Comp", "Var", component_instance="a b")),
        ("Comp.Var[x]", Variable("Comp", "Var", "x")),
        ("Comp.Var@2", Variable("Comp", "Var", evse_id=2)),
        ("Comp[i].Var[x]@2.1", Variable("Comp", "Var", "x", "i", 2, 1)),
    ],
)
def test_pseudo_keys(key: str, variable: Variable) -> None:
    assert vendor_variable(key) == variable
    addressed = variable.addressed()
    assert name_of(addressed["component"], addressed["variable"]) == key.casefold() == variable.path


@pytest.mark.parametrize(
    "key",
    [
        "NoDot",
        "Two.Dots.Here",
        "Comp.",
        ".Var",
        "Comp.Var@",
        "Comp.Var@x",
        "Comp[.Var",
        "Comp .Var",
        "Comp.Var\n",
        # What decides over the station's connection, and what is or sounds secret:
        "SecurityCtrlr.BasicAuthPassword",
        "securityctrlr.SecurityProfile",
        "SecurityCtrlr[x].OrganizationName",
        "SecurityCtrlr.SecurityProfile@1",
        "NetworkConfiguration[1].OcppCsmsUrl",
        "OCPPCommCtrlr.NetworkConfigurationPriority",
        "ocppcommctrlr.networkconfigurationpriority",
        "OCPPCommCtrlr.NetworkProfileConnectionAttempts",
        "OCPPCommCtrlr.ActiveNetworkProfile",
        "Vendor.ApnPassword",
        "Vendor.SimPin",
        "Vendor.SharedSecret",
    ],
)
def test_pseudo_keys_that_are_none(key: str) -> None:
    assert vendor_variable(key) is None
