package marketplace

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Quote says what an offer costs a wallet, and how to pay. The price stands until
// it expires.
func (s *Service) Quote(ctx context.Context, r QuoteRequest) (CheckoutQuote, error) {
	buyer, err := s.normal(r.Buyer)
	if err != nil {
		return CheckoutQuote{}, err
	}
	o, err := s.quotable(ctx, buyer)
	if err != nil {
		return CheckoutQuote{}, err
	}
	q, err := s.newQuote(buyer, r.Buyer, o.Pricing.ChainID, o.Pricing.Currency)
	if err != nil {
		return CheckoutQuote{}, err
	}
	bundled, err := s.bundles(ctx, &o, &q)
	if err != nil {
		return CheckoutQuote{}, err
	}
	if err := s.checkHolder(ctx, &o, buyer, r.Renews); err != nil {
		return CheckoutQuote{}, err
	}
	nonce, err := s.checkPayer(ctx, buyer, Proof{OfferID: o.ID, ChainID: q.ChainID}, r.OwnershipProof, r.ProofNonce)
	if err != nil {
		return CheckoutQuote{}, err
	}
	if err := s.describe(&q, &o, bundled); err != nil {
		return CheckoutQuote{}, err
	}
	q.Renews = r.Renews
	return s.addQuote(ctx, q, nonce)
}

// quotable is the offer that a buyer asks for, if it is sold.
func (s *Service) quotable(ctx context.Context, b Buyer) (Offer, error) {
	o, err := s.Offer(ctx, b.OfferID)
	if err != nil {
		return o, err
	}
	issuer, err := s.Issuer(ctx, o.IssuerID)
	switch {
	case err != nil:
		return o, err
	case o.Status != OfferActive:
		return o, Refuse(CodeOfferNotActive, "Offer %s is not for sale: it is %s.", o.ID, o.Status)
	case issuer.Status != IssuerActive:
		return o, Refuse(CodeOfferNotActive, "Offer %s is not for sale: its issuer is %s.", o.ID, issuer.Status)
	case o.Policies.WorkspaceBound && b.WorkspaceID == "":
		e := Refuse(CodeWorkspaceRequired, "workspace_id is required: the offer is bound to a workspace.")
		e.Field = "workspace_id"
		return o, e
	}
	return o, nil
}

const quotePrefix = "cq_"

// newQuote is a quote without lines, with everything about its payment that does
// not depend on them.
func (s *Service) newQuote(b, sent Buyer, chainID uint64, code string) (CheckoutQuote, error) {
	chain := s.chains[chainID]
	if chain == nil {
		return CheckoutQuote{}, Refuse(CodeOfferNotActive, "Chain %d is not served here any more.", chainID)
	}
	currency, ok := chain.currency(code)
	switch {
	case !ok:
		return CheckoutQuote{}, Refuse(CodeOfferNotActive, "Currency %s is not taken on chain %d any more.", clip(code), chainID)
	case s.options.RequireContract && chain.Contract == "":
		return CheckoutQuote{}, Refuse(CodeContractUnconfigured, "No checkout contract is configured on chain %d.", chainID)
	}
	now := s.now()
	q := CheckoutQuote{
		ID: quotePrefix + ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), Buyer: b, State: QuoteOpen,
		SentWallet: sent.Wallet, SentPayer: sent.PayerWallet, ChainID: chainID, Currency: code, Decimals: currency.Decimals,
		Availability: AvailabilityActive, Asset: currency.Address, PayTo: chain.Treasury, CreatedAt: now, ExpiresAt: now.Add(s.options.QuoteTTL),
	}
	if q.SentPayer == "" {
		q.SentPayer = sent.Wallet
	}
	return q, nil
}

// bundles says whether a quote must activate a membership, or refuses a wallet
// that has none.
func (s *Service) bundles(ctx context.Context, o *Offer, q *CheckoutQuote) (bool, error) {
	if !o.Policies.MemberOnly {
		return false, nil
	}
	m, err := s.Membership(ctx, q.Wallet)
	switch {
	case err != nil:
		return false, err
	case m.Status == MembershipActive:
		return false, nil
	case m.Status == MembershipNone && s.options.BundleMembership && !s.fee(q).IsZero():
		return true, nil
	}
	return false, errMembershipRequired()
}

func errMembershipRequired() *Error {
	return Refuse(CodeMembershipRequired, "Active membership is required for checkout.")
}

// fee of a membership in the currency of a quote.
func (s *Service) fee(q *CheckoutQuote) x402.Amount {
	currency, _ := s.chains[q.ChainID].currency(q.Currency)
	return currency.MembershipFee
}

// checkHolder checks what depends on what the wallet has: approval, limit, and
// the entitlement that is renewed. All but the approval is checked again when
// the quote is paid.
func (s *Service) checkHolder(ctx context.Context, o *Offer, b Buyer, renews string) error {
	if o.Policies.RequiresAdminApproval {
		_, err := s.store.BuyerApproval(ctx, o.ID, b.Wallet)
		missing := Refuse(CodeApprovalRequired, "This offer needs the approval of an admin for the wallet.")
		if err != nil {
			return refusal(err, missing, "look for an approval")
		}
	}
	list, err := s.store.HeldEntitlements(ctx, b.Wallet, o.ID, MaxPage)
	if err != nil {
		return refusal(err, nil, "count entitlements")
	}
	held, now := 0, s.now()
	for i := range list {
		if list[i].Counts(now) {
			held++
		}
	}
	if renews == "" {
		return checkLimit(o.Policies, held)
	}
	e, err := s.Entitlement(ctx, renews)
	switch {
	case err != nil:
		return err
	case e.Wallet != b.Wallet || e.OfferID != b.OfferID:
		return noEntitlement(renews)
	}
	return checkRenewal(e, o.Policy(), b, held, now)
}

// Counts says whether e counts towards the most that a wallet may hold: while it
// is active or suspended.
func (e *Entitlement) Counts(now time.Time) bool {
	state := e.StateAt(now)
	return state == EntitlementActive || state == EntitlementSuspended
}

func checkLimit(p Policies, held int) error {
	if p.MaxPerWallet > 0 && held >= p.MaxPerWallet {
		return Refuse(CodeMaxPerWallet, "The wallet may hold %d of this offer and does.", p.MaxPerWallet)
	}
	return nil
}

// renewable says whether another term can be added to e.
func renewable(e *Entitlement, term int64, b Buyer) error {
	switch {
	case term == 0 || e.ExpiresAt.IsZero():
		return Refuse(CodeEntitlementState, "An entitlement without an end cannot be renewed.")
	case e.State != EntitlementActive && e.State != EntitlementExpired:
		return Refuse(CodeEntitlementState, "An entitlement that is %s cannot be renewed.", e.State)
	case e.OrgRootID != b.OrgRootID:
		return Refuse(CodeBoundaryMismatch, "The entitlement belongs to another org_root_id.")
	case e.WorkspaceID != b.WorkspaceID:
		return Invalid("workspace_id", "The entitlement belongs to another workspace.")
	}
	return nil
}

// checkPayer wants a proof of the wallet if another one pays, unless that is the
// owner of the same organisation. The nonce is the one to use up.
func (s *Service) checkPayer(ctx context.Context, b Buyer, p Proof, proof, nonce string) (string, error) {
	if b.PayerWallet == b.Wallet {
		return "", nil
	}
	if proof == "" {
		return "", s.sponsors(ctx, b)
	}
	p.Wallet, p.PayerWallet, p.OrgRootID = b.Wallet, b.PayerWallet, b.OrgRootID
	if s.options.ProofNonces {
		if nonce == "" {
			return "", Invalid("ownership_nonce", "ownership_nonce is required.")
		}
		p.Nonce = nonce
	}
	return p.Nonce, s.prove(ctx, p, proof)
}

// sponsors wants the payer to own an organisation: to have an active entitlement
// of the same org_root_id as its owner.
func (s *Service) sponsors(ctx context.Context, b Buyer) error {
	missing := Refuse(CodeOwnershipProofRequired, "ownership_proof is required: another wallet pays.")
	missing.Field = "ownership_proof"
	if b.OrgRootID == "" {
		return missing
	}
	f := EntitlementFilter{Wallet: b.PayerWallet, OrgRootID: b.OrgRootID, State: EntitlementActive, Now: s.now()}
	for page := (store.Page{}); ; {
		list, err := s.store.Entitlements(ctx, f, page)
		if err != nil {
			return refusal(err, nil, "look for a sponsor")
		}
		if slices.ContainsFunc(list.Items, func(e Entitlement) bool { return e.PrincipalRole == RoleOwner }) {
			return nil
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return missing
		}
	}
}

// describe puts what is sold, and the transaction that pays it, on a quote.
func (s *Service) describe(q *CheckoutQuote, o *Offer, bundled bool) (err error) {
	label := o.LineLabel
	if label == "" {
		label = o.Title
	}
	q.IssuerID, q.Policy, q.Amount, q.Total = o.IssuerID, o.Policy(), o.Pricing.Amount, o.Pricing.Amount
	q.Lines = []LineItem{{LineLicense, label, q.Amount}}
	if q.PolicyHash, err = q.Policy.Hash(); err != nil {
		return err
	}
	if slices.Contains(o.RevokedPolicies, q.PolicyHash) {
		return Refuse(CodeOfferNotActive, "The policy of offer %s is revoked.", o.ID)
	}
	q.Contract = s.chains[q.ChainID].Contract
	if bundled {
		fee := s.fee(q)
		q.Lines = append(q.Lines, LineItem{LineMembership, membershipLabel, fee})
		if q.Total, err = q.Total.Add(fee); err != nil {
			return Invalid("offer_id", "The total is too large.")
		}
	}
	q.Transaction, err = unsigned(q)
	return err
}

const membershipLabel = "EDUT Membership Activation"

// addQuote stores a quote.
func (s *Service) addQuote(ctx context.Context, q CheckoutQuote, nonce string) (CheckoutQuote, error) {
	trail := Trail{Events: []store.Event{quoteEvent(EventQuoteCreated, &q, q.CreatedAt)}}
	err := s.store.AddCheckoutQuote(ctx, q, nonce, trail)
	if errors.Is(err, store.ErrNotFound) {
		return CheckoutQuote{}, Refuse(CodeOwnershipProofInvalid, "ownership_nonce is unknown, used up or expired.")
	}
	return q, refusal(err, nil, "store a quote")
}
