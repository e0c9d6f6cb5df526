"""What can't be said exactly in the other version, by the topic under which the log says so once per station."""

from typing import Final

INEXACT: Final = {
    "availability-state": "An AvailabilityState outside the standard is ignored.",
    "beginnings": "When twenty transactions wait for their start, what the oldest measured with its begin is lost.",
    "boot-vendor": "A vendorName over 20 characters is cut in BootNotification.",
    "configuration-measurands": "Measurands in a configuration key: 2.0.1 has none of a single phase (Voltage.L1), 1.6 "
    "has no Net and no Apparent energy, and the energy register is kept where a session needs it.",
    "configuration-part": "A key that stands for several variables was set in some of them only.",
    "configuration-value": "A value over 500 characters is cut in GetConfiguration.conf.",
    "connector-beside-table": "A connector that the operator's table leaves out gets the next free number.",
    "connector-table": "A number that the backend knows already is kept, whatever the operator's table says.",
    "contract-certificate": "Authorize with a contract certificate is refused where plug_and_charge isn't configured.",
    "default-profile-overlap": "A TxDefaultProfile of one connector beside one of the whole station on the same stack "
    "level: 1.6 allows both, a station of 2.0.1 refuses the later one.",
    "default-tag": "The backend refuses the default idTag: sessions without a token are stopped.",
    "energy-unit": "An energy in a unit that 1.6 doesn't know is left out: it would be read as Wh.",
    "evse-shared": "Connectors of one EVSE share its charging profiles: 2.0.1 addresses the EVSE.",
    "expiry-date": "An unreadable expiryDate of the backend is left out.",
    "fault-text": "The techInfo of a problem is cut to 50 characters in StatusNotification.",
    "held-too-long": "A transaction that never got a token is given up when a hundred others wait too.",
    "inventory": "The station gives no inventory: which keys are read-only, and the MaxLength keys, are unknown.",
    "inventory-cut": "Of a station with more than 5000 variables some are unknown.",
    "local-list-parts": "A local list that would take more than a hundred messages is refused.",
    "meter-start": "Without a register of its begin or before, a transaction begins at the first that comes, or at 0.",
    "log-times": "An unreadable startTime or stopTime of the backend bounds no log.",
    "measurand": "Samples of a measurand that 1.6 doesn't know are left out.",
    "no-connector": "A transaction that never named its EVSE goes to the first connector.",
    "no-token": "Energy that flowed without a token goes under the default idTag.",
    "phase-rotation": "ConnectorPhaseRotation of the main connection (0) has no variable.",
    "refused-start": "A refused transaction can't be stopped, for the station doesn't do so when asked.",
    "reset-scheduled": "A reset that the station has Scheduled is Accepted to the backend: it comes when no "
    "transaction runs any more, while a charge point of 1.6 stops them.",
    "reservation-evse": "A reservation of one connector reserves its EVSE, with all connectors of it.",
    "second-token": "A running transaction that gets another token stays under the first: 1.6 has one per transaction.",
    "sequence-gap": "A station has dropped events of a transaction: its seqNo has gaps.",
    "sequence-order": "A station's seqNo doesn't rise within a transaction: its events are told apart by their time.",
    "status-refused": "A StatusNotification that the backend refuses is not repeated.",
    "token-alias": "An idToken over 20 characters goes under an alias of 20: register the alias as its idTag.",
    "token-type": "A token of a local list whose form is no card's is given the type Central.",
    "transaction-id-reused": "A station begins a new transaction under the id of an ended one: it is taken as new.",
    "unit": "A unit that 1.6 doesn't know is left out; the value stays.",
    "unseen-start": "A transaction whose Started event was never seen begins with the first event that was.",
    "wrapped-authorize": "A backend of plug_and_charge: true that doesn't answer Authorize in DataTransfer has no say: "
    "the contract is refused.",
}
"""Topic -> what becomes of it."""
