"""What can't be said exactly in the other version, by the topic under which the log says so once per station."""

from typing import Final

INEXACT: Final = {
    "availability-state": "An AvailabilityState outside the standard is ignored.",
    "beginnings": "When twenty transactions wait for their start, what the oldest measured with its begin is lost.",
    "configuration-part": "A key that stands for several variables was set in some of them only.",
    "configuration-value": "A value over 500 characters is cut in GetConfiguration.conf.",
    "connector-beside-table": "A connector that the operator's table leaves out gets the next free number.",
    "connector-table": "A number that the backend knows already is kept, whatever the operator's table says.",
    "default-profile-overlap": "A TxDefaultProfile of one connector beside one of the whole station on the same stack "
    "level: 1.6 allows both, a station of 2.0.1 refuses the later one.",
    "default-tag": "The backend refuses the default idTag: sessions without a token are stopped.",
    "evse-shared": "Connectors of one EVSE share its charging profiles: 2.0.1 addresses the EVSE.",
    "expiry-date": "An unreadable expiryDate of the backend is left out.",
    "held-too-long": "A transaction that never got a token is given up when a hundred others wait too.",
    "inventory": "The station gives no inventory: which keys are read-only, and the MaxLength keys, are unknown.",
    "inventory-cut": "Of a station with more than 5000 variables some are unknown.",
    "local-list-parts": "A local list that would take more than a hundred messages is refused.",
    "meter-start": "Without a register of its begin or before, a transaction begins at the first that comes, or at 0.",
    "no-connector": "A transaction that never named its EVSE goes to the first connector.",
    "no-token": "Energy that flowed without a token goes under the default idTag.",
    "phase-rotation": "ConnectorPhaseRotation of the main connection (0) has no variable.",
    "refused-start": "A refused transaction can't be stopped, for the station doesn't do so when asked.",
    "reservation-evse": "A reservation of one connector reserves its EVSE, with all connectors of it.",
    "second-token": "A running transaction that gets another token stays under the first: 1.6 has one per transaction.",
    "sequence-gap": "A station has dropped events of a transaction: its seqNo has gaps.",
    "status-refused": "A StatusNotification that the backend refuses is not repeated.",
    "token-alias": "An idToken over 20 characters goes under an alias of 20: register the alias as its idTag.",
    "transaction-id-reused": "A station begins a new transaction under the id of an ended one: it is taken as new.",
    "unseen-start": "A transaction whose Started event was never seen begins with the first event that was.",
}
"""Topic -> what becomes of it."""
