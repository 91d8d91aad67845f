package registry

import "time"

// Mirror is a copy of a publication that a platform keeps.
type Mirror struct {
	ID               int64
	PlatformID       int64
	PlatformName     string
	Key              string // unique within the platform: IPFSHash, or MirroredIPFSHash (see Config.MirrorByCopy)
	ContractHash     string // of the newest report
	IPFSHash         string // of the publication
	MirroredIPFSHash string
	Location         string
	AccessCount      int64
	LastAccessedAt   time.Time // zero until the count rises
	MirroredAt       time.Time
	UpdatedAt        time.Time
}

// MirrorReport reports a mirror.
type MirrorReport struct {
	ContractHash     string
	MirroredIPFSHash string // at most 64 characters
	Location         string
	AccessCount      int64
	MirroredAt       time.Time // if zero: now, or what it was

	faults faults
}

// MirrorFilter selects mirrors; zero fields select all.
type MirrorFilter struct {
	PlatformID  int64
	IPFSHash    string
	OldestFirst bool
}
