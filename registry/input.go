package registry

// Every input of a Service can be decoded from the JSON body that the API
// documents, with [json.Unmarshal]. Decoding fails only for what is no JSON
// object; members of a wrong type are remembered, and the Service reports them
// together with all else that is wrong with the input.

import (
	"bytes"
	"encoding/json"
)

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
func (in *Application) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = Application{}
	for name, to := range map[string]*string{
		"name": &in.Name, "email": &in.Email, "password": &in.Password, "password_confirmation": &in.PasswordConfirmation,
		"platform_name": &in.PlatformName, "platform_address": &in.PlatformAddress, "tin_number": &in.TINNumber,
		"platform_phone": &in.PlatformPhone, "platform_email": &in.PlatformEmail, "bank_account_number": &in.BankAccountNumber,
		"bank_routing_number": &in.BankRoutingNumber, "bank_name": &in.BankName, "api_endpoint": &in.APIEndpoint,
	} {
		m.text(&in.faults, name, to)
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *PlatformUpdate) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = PlatformUpdate{}
	for name, to := range map[string]**string{
		"name": &in.Name, "platform_address": &in.PlatformAddress, "platform_phone": &in.PlatformPhone,
		"platform_email": &in.PlatformEmail, "api_endpoint": &in.APIEndpoint, "payout_address": &in.PayoutAddress,
		"bank_account_number": &in.BankAccountNumber, "bank_routing_number": &in.BankRoutingNumber, "bank_name": &in.BankName,
	} {
		if m.has(name) {
			*to = new(string)
			m.text(&in.faults, name, *to)
		}
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Decision) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = Decision{}
	m.text(&in.faults, "notes", &in.Notes)
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Registration) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = Registration{}
	m.text(&in.faults, "ipfs_hash", &in.IPFSHash)
	m.text(&in.faults, "metadata_cid", &in.MetadataCID)
	m.texts(&in.faults, "contract_hashes", &in.ContractHashes)
	if m.has("royalty") {
		in.Terms = readTerms(&in.faults, "royalty", m["royalty"])
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *ContractQuery) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = ContractQuery{}
	m.text(&in.faults, "contract_hash", &in.ContractHash)
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *Revocation) UnmarshalJSON(j []byte) error {
	*in = Revocation{}
	return readReason(j, &in.faults, &in.Reason)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *VoidRequest) UnmarshalJSON(j []byte) error {
	*in = VoidRequest{}
	return readReason(j, &in.faults, &in.Reason)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *DisputeRequest) UnmarshalJSON(j []byte) error {
	*in = DisputeRequest{}
	return readReason(j, &in.faults, &in.Reason)
}

func readReason(j []byte, f *faults, to *string) error {
	m, err := readMembers(j)
	if err == nil {
		m.text(f, "reason", to)
	}
	return err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *TermsUpdate) UnmarshalJSON(j []byte) error {
	*in = TermsUpdate{}
	if string(bytes.TrimSpace(j)) == "null" {
		return nil
	}
	if _, err := readMembers(j); err != nil {
		return err
	}
	in.Terms = readTerms(&in.faults, "royalty", j)
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *SaleReport) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = SaleReport{}
	m.text(&in.faults, "contract_hash", &in.ContractHash)
	m.text(&in.faults, "buyer_wallet_address", &in.BuyerWalletAddress)
	m.number(&in.faults, "sale_amount", &in.SaleAmount)
	m.number(&in.faults, "royalty_amount", &in.RoyaltyAmount)
	m.text(&in.faults, "transaction_hash", &in.TransactionHash)
	m.time(&in.faults, "sold_at", &in.SoldAt)
	if m.has("metadata") {
		in.Metadata = bytes.Clone(m["metadata"])
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (in *MirrorReport) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	*in = MirrorReport{}
	m.text(&in.faults, "contract_hash", &in.ContractHash)
	m.text(&in.faults, "mirrored_ipfs_hash", &in.MirroredIPFSHash)
	m.text(&in.faults, "mirror_location", &in.Location)
	m.integer(&in.faults, "access_count", &in.AccessCount)
	m.time(&in.faults, "mirrored_at", &in.MirroredAt)
	return nil
}
