package registry

// Every input of a Service can be decoded from the JSON body that the API
// documents, with [json.Unmarshal]. Decoding fails only for what is no JSON
// object; members of a wrong type are remembered, and the Service reports them
// together with all else that is wrong with the input.

import "encoding/json"

var (
	_ json.Unmarshaler = (*Application)(nil)
	_ json.Unmarshaler = (*PlatformUpdate)(nil)
	_ json.Unmarshaler = (*Decision)(nil)
	_ json.Unmarshaler = (*Registration)(nil)
	_ json.Unmarshaler = (*ContractQuery)(nil)
	_ json.Unmarshaler = (*Revocation)(nil)
	_ json.Unmarshaler = (*TermsUpdate)(nil)
	_ json.Unmarshaler = (*SaleReport)(nil)
	_ json.Unmarshaler = (*VoidRequest)(nil)
	_ json.Unmarshaler = (*DisputeRequest)(nil)
	_ json.Unmarshaler = (*MirrorReport)(nil)
)

// Decision is an admin's word on a platform.
type Decision struct {
	Notes string // optional; at most 2000 characters

	faults faults
}

// ContractQuery asks for one contract.
type ContractQuery struct {
	ContractHash string

	faults faults
}

// TermsUpdate replaces the royalty terms of a contract. Its JSON is that of
// [Terms], or null to remove them.
type TermsUpdate struct {
	Terms *Terms

	faults faults
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Application) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *PlatformUpdate) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Decision) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Registration) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *ContractQuery) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Revocation) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *TermsUpdate) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *SaleReport) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *VoidRequest) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *DisputeRequest) UnmarshalJSON(j []byte) error { return errLater }

// UnmarshalJSON implements [json.Unmarshaler].
func (in *MirrorReport) UnmarshalJSON(j []byte) error { return errLater }
