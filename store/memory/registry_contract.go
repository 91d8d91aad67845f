package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/v402/v402/registry"
)

// RegisterContracts implements [registry.ContractStore].
func (s *Store) RegisterContracts(ctx context.Context, contracts []registry.Contract, trail registry.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var taken []string
	for i := range contracts {
		if s.registry.byKey[contracts[i].Key] != nil {
			taken = append(taken, contracts[i].Hash)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("memory: register contracts: %w", &registry.HashesTakenError{Hashes: taken})
	}
	for _, c := range contracts {
		c.ID = int64(len(s.registry.contracts)) + 1
		c.Terms = cloneTerms(c.Terms)
		c.RegisteredAt = stored(c.RegisteredAt)
		s.registry.contracts = append(s.registry.contracts, &c)
		s.registry.byKey[c.Key] = &c
	}
	s.record(trail)
	return nil
}

func cloneTerms(t *registry.Terms) *registry.Terms {
	if t == nil {
		return nil
	}
	c := *t
	c.Payees = slices.Clone(t.Payees)
	return &c
}

// showContract copies c with what is read from its platform.
func (s *Store) showContract(c *registry.Contract) registry.Contract {
	shown := *c
	shown.Terms = cloneTerms(c.Terms)
	if p := at(s.registry.platforms, c.PlatformID); p != nil {
		shown.PlatformName, shown.Suspended = p.PlatformName, p.Status != registry.PlatformActive
	}
	return shown
}

// Contract implements [registry.ContractStore].
func (s *Store) Contract(ctx context.Context, key string) (registry.Contract, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Contract{}, err
	}
	defer leave()
	c := s.registry.byKey[key]
	if c == nil {
		return registry.Contract{}, missing("contract", key)
	}
	return s.showContract(c), nil
}

// UpdateContract implements [registry.ContractStore].
func (s *Store) UpdateContract(ctx context.Context, key string, change func(*registry.Contract) (registry.Trail, error)) (registry.Contract, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Contract{}, err
	}
	defer leave()
	c := s.registry.byKey[key]
	if c == nil {
		return registry.Contract{}, missing("contract", key)
	}
	changed := s.showContract(c)
	trail, err := change(&changed)
	if err != nil {
		return registry.Contract{}, err
	}
	c.Status, c.Terms = changed.Status, cloneTerms(changed.Terms)
	c.RevokedAt, c.RevokeReason = stored(changed.RevokedAt), changed.RevokeReason
	s.record(trail)
	return s.showContract(c), nil
}

// ContractUsers implements [registry.ContractStore].
func (s *Store) ContractUsers(ctx context.Context, key string) ([]int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	c := s.registry.byKey[key]
	if c == nil {
		return nil, nil
	}
	var users []int64
	for _, sale := range s.registry.sales {
		if sale.ContractID == c.ID {
			users = append(users, sale.SellerID)
		}
	}
	for _, m := range s.registry.mirrors {
		if m != nil && m.IPFSHash == c.IPFSHash {
			users = append(users, m.PlatformID)
		}
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// Contracts implements [registry.ContractStore].
func (s *Store) Contracts(ctx context.Context, f registry.ContractFilter, o registry.PageOptions) (registry.List[registry.Contract], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.Contract]{}, err
	}
	defer leave()
	selected := func(c *registry.Contract) bool {
		return (f.PlatformID == 0 || f.PlatformID == c.PlatformID) && (f.Status == "" || f.Status == c.Status) &&
			(f.IPFSHash == "" || f.IPFSHash == c.IPFSHash) && strings.HasPrefix(c.Hash, f.Query)
	}
	return page(s.registry.contracts, o, false, selected, s.showContract), nil
}

// Publication implements [registry.ContractStore].
func (s *Store) Publication(ctx context.Context, ipfsHash string) (registry.Publication, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Publication{}, err
	}
	defer leave()
	p := registry.Publication{IPFSHash: ipfsHash}
	platforms := map[int64]bool{}
	for _, c := range s.registry.contracts {
		if c.IPFSHash != ipfsHash {
			continue
		}
		if p.TotalContracts == 0 || c.RegisteredAt.Before(p.FirstRegistered) {
			p.FirstRegistered = c.RegisteredAt
		}
		if p.TotalContracts == 0 || c.RegisteredAt.After(p.LastRegistered) {
			p.LastRegistered = c.RegisteredAt
		}
		p.TotalContracts++
		if c.Status == registry.ContractActive {
			p.ActiveContracts++
		} else {
			p.RevokedContracts++
		}
		platforms[c.PlatformID] = true
	}
	p.Platforms = int64(len(platforms))
	if p.TotalContracts == 0 {
		return registry.Publication{}, missing("publication", ipfsHash)
	}
	return p, nil
}
