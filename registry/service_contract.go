package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// RegisterContracts registers up to 250 contracts of one publication, all or
// none, with the terms if there are any.
func (s *Service) RegisterContracts(ctx context.Context, p Platform, r Registration) ([]Contract, error) {
	if err := s.checkRegistration(&r); err != nil {
		return nil, err
	}
	now := s.now()
	contracts := make([]Contract, len(r.ContractHashes))
	for i, hash := range r.ContractHashes {
		contracts[i] = Contract{
			Hash: hash, Key: s.ContractKey(hash), IPFSHash: r.IPFSHash, MetadataCID: r.MetadataCID, PlatformID: p.ID,
			PlatformName: p.PlatformName, Status: ContractActive, Terms: r.Terms, RegisteredAt: now,
		}
	}
	trail := audited(now, p.Actor(), "contract.register", "publication:"+r.IPFSHash, detail(map[string]any{"count": len(contracts)}))
	trail.Events = append(trail.Events, newEvent(EventContractRegistered, r.IPFSHash, RegisteredEvent{
		PlatformIDs: []int64{p.ID}, PlatformID: p.ID, IPFSHash: r.IPFSHash, MetadataCID: r.MetadataCID,
		ContractHashes: r.ContractHashes, RegisteredAt: now,
	}, now))
	err := s.store.RegisterContracts(ctx, contracts, trail)
	var taken *HashesTakenError
	if errors.As(err, &taken) {
		return nil, Invalid("contract_hashes", "Contract hashes already exist: "+strings.Join(taken.Hashes, ", "))
	}
	if err != nil {
		return nil, refusal(err, nil, "register contracts")
	}
	return contracts, nil
}

func (s *Service) checkRegistration(r *Registration) error {
	f := r.faults.clone()
	s.checkCID(&f, "ipfs_hash", r.IPFSHash, maxText)
	s.checkCID(&f, "metadata_cid", r.MetadataCID, maxText)
	const field = "contract_hashes"
	switch {
	case f.has(field):
	case len(r.ContractHashes) == 0:
		f.add(field, "The contract hashes field is required.")
	case len(r.ContractHashes) > MaxBatch:
		f.add(field, fmt.Sprintf("The contract hashes must not have more than %d items.", MaxBatch))
	default:
		known := make(map[string]bool, len(r.ContractHashes))
		for i, hash := range r.ContractHashes {
			f.required(fmt.Sprintf("%s.%d", field, i), hash, maxText)
			if key := s.ContractKey(hash); known[key] && !f.has(field) && strings.TrimSpace(hash) != "" {
				f.add(field, "Contract hashes must be unique within the request")
			} else {
				known[key] = true
			}
		}
	}
	r.Terms.check(&f, "royalty")
	return f.err()
}

// Forms of a CID: version 0, and version 1 in base32.
var cid = regexp.MustCompile(`^(Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{58,})$`)

func (s *Service) checkCID(f *faults, field, text string, most int) {
	f.required(field, text, most)
	if s.options.StrictCID && !f.has(field) && !cid.MatchString(text) {
		f.add(field, "The "+label(field)+" must be a valid CID.")
	}
}

// ContractKey is what makes a contract hash unique: the hash byte by byte, but
// for "0x" and hex digits in lower case unless the Config says otherwise.
func (s *Service) ContractKey(hash string) string { return s.foldHex(hash) }

func (s *Service) foldHex(hash string) string {
	if s.options.CaseSensitiveHex || len(hash) < 3 || hash[0] != '0' || hash[1] != 'x' && hash[1] != 'X' {
		return hash
	}
	if strings.Trim(hash[2:], "0123456789abcdefABCDEF") != "" {
		return hash
	}
	return strings.ToLower(hash)
}

// ValidateContract returns a contract that is active; ErrContractUnknown for any
// other. It is one indexed read.
func (s *Service) ValidateContract(ctx context.Context, q ContractQuery) (Contract, error) {
	f := q.faults.clone()
	f.required("contract_hash", q.ContractHash, maxText)
	if err := f.err(); err != nil {
		return Contract{}, err
	}
	c, err := s.Contract(ctx, q.ContractHash)
	if err == nil && (c.Status != ContractActive || c.Suspended && s.options.RefuseSuspended) {
		return Contract{}, ErrContractUnknown
	}
	return c, err
}

// Contract returns one in whatever status; ErrContractUnknown.
func (s *Service) Contract(ctx context.Context, hash string) (Contract, error) {
	if !utf8.ValidString(hash) || strings.IndexByte(hash, 0) >= 0 {
		return Contract{}, ErrContractUnknown // stores keep text only
	}
	c, err := s.store.Contract(ctx, s.ContractKey(hash))
	return c, refusal(err, ErrContractUnknown, "look for a contract")
}

// Contracts lists contracts. Set f.PlatformID for a platform's own.
func (s *Service) Contracts(ctx context.Context, f ContractFilter, page PageOptions) (List[Contract], error) {
	list, err := s.store.Contracts(ctx, f, page.Bounded())
	return list, refusal(err, nil, "list contracts")
}

// Publication counts the contracts of a work; ErrPublicationUnknown.
func (s *Service) Publication(ctx context.Context, ipfsHash string) (Publication, error) {
	p, err := s.store.Publication(ctx, ipfsHash)
	return p, refusal(err, ErrPublicationUnknown, "look for a publication")
}

// RevokeContract revokes a contract of p's for good: ErrContractUnknown comes
// before ErrNotPublisher, and that before ErrContractRevoked.
func (s *Service) RevokeContract(ctx context.Context, p Platform, hash string, r Revocation) (Contract, error) {
	f := r.faults.clone()
	f.optional("reason", r.Reason, maxReason)
	if err := f.err(); err != nil {
		return Contract{}, err
	}
	now := s.now()
	return s.changeContract(ctx, p, hash, ErrNotPublisher, func(c *Contract) (Trail, error) {
		if c.Status != ContractActive {
			return Trail{}, ErrContractRevoked
		}
		c.Status, c.RevokedAt, c.RevokeReason = ContractRevoked, now, r.Reason
		trail := audited(now, p.Actor(), "contract.revoke", "contract:"+c.Hash, detail(map[string]any{"reason": r.Reason}))
		trail.Events = append(trail.Events, newEvent(EventContractRevoked, c.Hash, RevokedEvent{
			PlatformIDs: []int64{p.ID}, PlatformID: p.ID, ContractHash: c.Hash, IPFSHash: c.IPFSHash, Reason: r.Reason, RevokedAt: now,
		}, now))
		return trail, nil
	})
}

// SetTerms replaces the royalty terms of an active contract of p's, for sales
// reported from now on.
func (s *Service) SetTerms(ctx context.Context, p Platform, hash string, u TermsUpdate) (Contract, error) {
	f := u.faults.clone()
	u.Terms.check(&f, "royalty")
	if err := f.err(); err != nil {
		return Contract{}, err
	}
	now := s.now()
	return s.changeContract(ctx, p, hash, ErrNotOwner, func(c *Contract) (Trail, error) {
		if c.Status != ContractActive {
			return Trail{}, ErrContractRevoked
		}
		before := c.Terms
		c.Terms = u.Terms
		return audited(now, p.Actor(), "contract.set_terms", "contract:"+c.Hash, detail(map[string]any{"before": before, "after": u.Terms})), nil
	})
}

// changeContract changes a contract of p's; stranger is for somebody else's.
func (s *Service) changeContract(ctx context.Context, p Platform, hash string, stranger *Error, change func(*Contract) (Trail, error)) (Contract, error) {
	if !utf8.ValidString(hash) || strings.IndexByte(hash, 0) >= 0 {
		return Contract{}, ErrContractUnknown
	}
	c, err := s.store.UpdateContract(ctx, s.ContractKey(hash), func(c *Contract) (Trail, error) {
		if c.PlatformID != p.ID {
			return Trail{}, stranger
		}
		return change(c)
	})
	return c, refusal(err, ErrContractUnknown, "change a contract")
}

// QuoteRoyalty says what royalty a sale of an active contract owes and how it is
// split; ErrContractUnknown, ErrNoTerms.
func (s *Service) QuoteRoyalty(ctx context.Context, hash string, saleAmount Decimal) (Quote, error) {
	var f faults
	amount := checkSaleAmount(&f, saleAmount)
	if err := f.err(); err != nil {
		return Quote{}, err
	}
	c, err := s.ValidateContract(ctx, ContractQuery{ContractHash: hash})
	switch {
	case err != nil:
		return Quote{}, err
	case c.Terms == nil:
		return Quote{}, ErrNoTerms
	}
	royalty := c.Terms.Royalty(amount)
	return Quote{Contract: c, SaleAmount: amount, RoyaltyAmount: royalty, Parts: c.Terms.Split(royalty)}, nil
}
