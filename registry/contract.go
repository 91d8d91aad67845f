package registry

import "time"

// ContractStatus is where a contract stands: active –revoke→ revoked, for good.
type ContractStatus string

// The statuses of a contract.
const (
	ContractActive  ContractStatus = "active"
	ContractRevoked ContractStatus = "revoked"
)

// Contract is a registered contract hash.
type Contract struct {
	ID           int64
	Hash         string // as given
	Key          string // what makes it unique: Hash, or its lower-case form: see [Service.ContractKey]
	IPFSHash     string // of the publication
	MetadataCID  string
	PlatformID   int64
	PlatformName string // read from the platform
	Suspended    bool   // its platform is not active; read from the platform
	Status       ContractStatus
	Terms        *Terms // nil without royalty terms
	RegisteredAt time.Time
	RevokedAt    time.Time // zero unless revoked
	RevokeReason string
}

// MaxBatch is how many contracts, or sales, one call takes.
const MaxBatch = 250

// Registration registers contracts of one publication, all or none.
type Registration struct {
	IPFSHash       string
	MetadataCID    string
	ContractHashes []string
	Terms          *Terms // optional; JSON "royalty"

	faults faults
}

// Revocation asks to revoke a contract.
type Revocation struct {
	Reason string // optional; at most 500 characters

	faults faults
}

// ContractFilter selects contracts; zero fields select all.
type ContractFilter struct {
	PlatformID int64
	Status     ContractStatus
	IPFSHash   string
	Query      string // a prefix of the hash
}

// Publication is a work: all contracts with one IPFS hash.
type Publication struct {
	IPFSHash         string
	TotalContracts   int64
	ActiveContracts  int64
	RevokedContracts int64
	Platforms        int64
	FirstRegistered  time.Time
	LastRegistered   time.Time
}
