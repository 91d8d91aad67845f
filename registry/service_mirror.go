package registry

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"
)

const maxMirroredHash = 64

// ReportMirror creates p's mirror of the contract's publication, or updates it.
func (s *Service) ReportMirror(ctx context.Context, p Platform, r MirrorReport) (m Mirror, created bool, err error) {
	now := s.now()
	f := s.checkMirror(&r, now)
	var c Contract
	if !f.has("contract_hash") {
		c, err = s.Contract(ctx, r.ContractHash)
		switch {
		case errors.Is(err, ErrContractUnknown):
			f.add("contract_hash", "Contract hash is not registered.")
		case err != nil:
			return Mirror{}, false, err
		case c.Status != ContractActive || c.Suspended && s.options.RefuseSuspended:
			f.add("contract_hash", "Contract is not active.")
		}
	}
	if err := f.err(); err != nil {
		return Mirror{}, false, err
	}
	m = Mirror{
		PlatformID: p.ID, PlatformName: p.PlatformName, Key: c.IPFSHash, ContractHash: c.Hash, IPFSHash: c.IPFSHash,
		MirroredIPFSHash: r.MirroredIPFSHash, Location: r.Location, AccessCount: r.AccessCount,
		MirroredAt: r.MirroredAt.UTC().Truncate(time.Microsecond), UpdatedAt: now,
	}
	if s.options.MirrorByCopy {
		m.Key = c.IPFSHash + "\n" + r.MirroredIPFSHash
	}
	m, created, err = s.store.PutMirror(ctx, m, c.Key, now, func(m Mirror, created bool) Trail {
		action := "mirror.update"
		if created {
			action = "mirror.create"
		}
		return audited(now, p.Actor(), action, m.subject(), nil)
	})
	var inactive *ContractInactiveError
	if errors.As(err, &inactive) {
		err = Invalid("contract_hash", "Contract is not active.")
	}
	return m, created, refusal(err, nil, "store a mirror")
}

func (s *Service) checkMirror(r *MirrorReport, now time.Time) faults {
	f := r.faults.clone()
	f.required("contract_hash", r.ContractHash, maxText)
	s.checkCID(&f, "mirrored_ipfs_hash", r.MirroredIPFSHash, 1<<20)
	if !f.has("mirrored_ipfs_hash") && utf8.RuneCountInString(r.MirroredIPFSHash) > maxMirroredHash {
		f.add("mirrored_ipfs_hash", "Mirrored IPFS hash cannot exceed 64 characters.")
	}
	f.optional("mirror_location", r.Location, maxText)
	if !f.has("access_count") && r.AccessCount < 0 {
		f.add("access_count", "Access count cannot be negative.")
	}
	f.time("mirrored_at", r.MirroredAt, now)
	return f
}

// Mirrors lists mirrors of a publication, or of a platform, or all.
func (s *Service) Mirrors(ctx context.Context, f MirrorFilter, page PageOptions) (List[Mirror], error) {
	list, err := s.store.Mirrors(ctx, f, page.Bounded())
	return list, refusal(err, nil, "list mirrors")
}

// PublicationMirrors returns the mirrors of a publication, the oldest first, up
// to the first thousand, and how many there are; none for an unknown one.
func (s *Service) PublicationMirrors(ctx context.Context, ipfsHash string) (mirrors []Mirror, total int64, err error) {
	const most = 1000
	mirrors = []Mirror{}
	for page := (PageOptions{Page: 1, PerPage: MaxPerPage}); len(mirrors) < most; page.Page++ {
		list, err := s.store.Mirrors(ctx, MirrorFilter{IPFSHash: ipfsHash, OldestFirst: true}, page)
		if err != nil {
			return nil, 0, refusal(err, nil, "list mirrors")
		}
		mirrors, total = append(mirrors, list.Items...), list.Total
		if page.Page >= list.LastPage() {
			break
		}
	}
	return mirrors, total, nil
}

// CountAccess adds one to a mirror's accesses; ErrMirrorUnknown.
func (s *Service) CountAccess(ctx context.Context, id int64) (Mirror, error) {
	m, err := s.store.CountAccess(ctx, id, s.now())
	return m, refusal(err, ErrMirrorUnknown, "count an access")
}

// DeleteMirror removes a mirror of p's; ErrMirrorUnknown, ErrNotMirrorOwner.
func (s *Service) DeleteMirror(ctx context.Context, p Platform, id int64) error {
	check := func(m Mirror) error {
		if m.PlatformID != p.ID {
			return ErrNotMirrorOwner
		}
		return nil
	}
	trail := audited(s.now(), p.Actor(), "mirror.delete", Mirror{ID: id}.subject(), nil)
	return refusal(s.store.DeleteMirror(ctx, id, check, trail), ErrMirrorUnknown, "delete a mirror")
}

func (m Mirror) subject() string { return "mirror:" + strconv.FormatInt(m.ID, 10) }
