package egress

// NewTransportBy resolves names by a resolver of the test's.
var NewTransportBy = newTransport
