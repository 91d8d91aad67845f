package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// Confirmation is what a buyer says about the transaction that paid.
type Confirmation struct {
	Transaction string // hash
	// Signature of the payer: EIP-191 over [ProofMessage], or what a contract
	// wallet accepts for that (ERC-1271). It shows that the transfer was made for
	// this payment, if several wait for it. A contract wallet that moves tokens
	// must give it, since another account sends its transactions.
	Signature string
}

// ProofMessage is what a payer signs to say that a transaction pays a payment.
func ProofMessage(paymentID, transaction string) string {
	return "v402 payment\n" + paymentID + "\n" + strings.ToLower(transaction)
}

// ConfirmPayment confirms a payment by its transaction, as far as the chain bears
// it out: the transaction exists, succeeded, and moved at least the amount of the
// asset from payer to payee, in time; no other payment was proven by it. One that
// is not deep enough yet leaves the payment processing, and [Service.Run] confirms
// it later. Money that came too late makes the payment disputed. The grant is
// zero unless the payment is confirmed. Repeated it changes nothing.
func (s *Service) ConfirmPayment(ctx context.Context, buyer account.User, id string, c Confirmation) (Payment, Grant, error) {
	p, err := s.Payment(ctx, buyer, id)
	if err != nil {
		return p, Grant{}, err
	}
	if p.Method != MethodTransaction {
		return p, Grant{}, ErrPaymentState
	}
	hash, err := checkHash(p.Network, c.Transaction)
	if err != nil {
		return p, Grant{}, err
	}
	if p.Status == PaymentConfirmed && p.Transaction == hash {
		g, err := s.store.AccessGrantOfPayment(ctx, id)
		return p, g, paymentError(err, "read a grant")
	}
	if !p.Status.Open() && p.Status != PaymentExpired {
		return p, Grant{}, stateError(p.Status, PaymentConfirmed)
	}
	signed, err := s.checkSignature(ctx, &p, hash, c.Signature)
	if err != nil {
		return p, Grant{}, err
	}
	if signed == unsigned && p.Status == PaymentProcessing && p.Transaction == hash {
		signed = consentBefore(&p)
	}
	return s.prove(ctx, p, hash, signed)
}

// consent is how a payer says that a transaction pays a payment.
type consent int

const (
	unsigned         consent = iota
	signedByKey              // of the payer's account
	signedByContract         // that is the payer
	seenBefore               // the transaction was shown earlier, by whoever it was
	signedBefore             // and the payer had signed
)

func (c consent) signed() bool {
	return c == signedByKey || c == signedByContract || c == signedBefore
}

// consentBefore is what is known of the transaction that p waits for.
func consentBefore(p *Payment) consent {
	if p.Signed {
		return signedBefore
	}
	return seenBefore
}

// checkSender refuses tokens that somebody else sent: what a facilitator or a
// spender moved was for something else. A contract wallet sends nothing itself.
func (c consent) checkSender(p *Payment, tx x402.Transaction) error {
	if p.Asset == "" || c == signedByContract || c == seenBefore || c == signedBefore || p.Network.SameAddress(tx.From, p.Payer) {
		return nil
	}
	return mismatch(CodePayerMismatch, "The transaction was not sent by "+p.Payer+": what others move for it, as x402 does, proves no payment")
}

var evmHash = regexp.MustCompile(`^0x[0-9a-f]{64}$`)

// checkHash returns the one spelling of a transaction's hash.
func checkHash(n x402.Network, hash string) (string, error) {
	hash = strings.TrimSpace(hash)
	switch {
	case hash == "":
		return "", v402api.Invalid("transaction_hash", v402api.Required, "transaction_hash is required")
	case n.Namespace() == "eip155":
		hash = strings.ToLower(hash)
		if !evmHash.MatchString(hash) {
			return "", v402api.Invalid("transaction_hash", v402api.InvalidFormat, "transaction_hash must be 0x and 64 hexadecimal digits")
		}
	case len(hash) > 100 || strings.Trim(hash, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz") != "":
		return "", v402api.Invalid("transaction_hash", v402api.InvalidFormat, "transaction_hash must be base58, at most 100 characters")
	}
	return hash, nil
}

// maxSignature bounds a signature, in bytes: those of contract wallets hold
// several.
const maxSignature = 4 << 10

// checkSignature says how the payer has signed; a wrong signature is refused. A
// contract wallet is asked by a [SignatureChain].
func (s *Service) checkSignature(ctx context.Context, p *Payment, hash, signature string) (consent, error) {
	if signature == "" {
		return unsigned, nil
	}
	invalid := v402api.Invalid("payer_signature", v402api.InvalidFormat, "payer_signature is not the payer's over the message of this payment")
	raw, err := hex.DecodeString(strings.TrimPrefix(signature, "0x"))
	if err != nil || len(raw) > maxSignature || p.Network.Namespace() != "eip155" {
		return unsigned, invalid
	}
	message := []byte(ProofMessage(p.ID, hash))
	if parsed, err := evm.ParseSignature(raw); err == nil {
		if address, err := evm.RecoverMessage(message, parsed); err == nil && p.Network.SameAddress(address.String(), p.Payer) {
			return signedByKey, nil
		}
	}
	chain, _ := s.chain(p.Network)
	wallets, ok := chain.(SignatureChain)
	if !ok {
		return unsigned, invalid
	}
	valid, err := wallets.ValidSignature(ctx, p.Payer, evm.MessageDigest(message), raw)
	switch {
	case err != nil:
		return unsigned, &Error{Code: ErrChainUnavailable.Code, Message: ErrChainUnavailable.Message, Err: err}
	case !valid:
		return unsigned, invalid
	}
	return signedByContract, nil
}

// prove asks the chain about a transaction, and moves p accordingly.
func (s *Service) prove(ctx context.Context, p Payment, hash string, c consent) (Payment, Grant, error) {
	chain, ok := s.chain(p.Network)
	if !ok {
		return p, Grant{}, ErrChainUnavailable
	}
	tx, err := chain.Transaction(ctx, hash)
	switch {
	case errors.Is(err, x402.ErrTransactionNotFound):
		return p, Grant{}, ErrTransactionGone
	case err != nil:
		return p, Grant{}, &Error{Code: ErrChainUnavailable.Code, Message: ErrChainUnavailable.Message, Err: err}
	case tx.Network != p.Network:
		return p, Grant{}, mismatch(CodeChainMismatch, "The transaction is not on "+p.Chain)
	case !tx.Mined():
		err := c.checkSender(&p, tx)
		if p.Asset == "" { // of tokens no more is known yet
			_, err = transfersOf(&p, tx)
		}
		if err != nil {
			return p, Grant{}, err
		}
		return s.note(ctx, p, hash, tx, c.signed())
	case !tx.Succeeded:
		return s.reverted(ctx, p, hash, tx)
	}
	transfers, err := transfersOf(&p, tx)
	if err == nil {
		err = c.checkSender(&p, tx)
	}
	if err != nil {
		return p, Grant{}, err
	}
	if tx.Time.Before(p.CreatedAt.Add(-s.options.Payments.ClockSkew)) {
		return p, Grant{}, mismatch(CodeTransactionTooEarly, "The transaction is older than the payment: it paid for something else")
	}
	if tx.Confirmations < s.options.Payments.confirmations(p.Network) {
		return s.note(ctx, p, hash, tx, c.signed())
	}
	return s.confirm(ctx, p, hash, tx, transfers, c.signed())
}

func mismatch(code, message string) *Error { return v402api.Invalid("transaction_hash", code, message) }

// transfer is a movement of money in a transaction.
type transfer struct {
	log    int64 // its index, or NativeLog
	amount x402.Amount
}

// transfersOf finds the transfers in tx that pay p.
func transfersOf(p *Payment, tx x402.Transaction) ([]transfer, error) {
	same := p.Network.SameAddress
	if p.Asset == "" {
		switch {
		case !same(tx.To, p.Payee):
			return nil, mismatch(CodePayeeMismatch, "The transaction does not pay "+p.Payee)
		case !same(tx.From, p.Payer):
			return nil, mismatch(CodePayerMismatch, "The transaction was not sent by "+p.Payer)
		case tx.Value.Cmp(p.Amount) < 0:
			return nil, mismatch(v402api.AmountTooLow, fmt.Sprintf("The transaction moved %s of %s", tx.Value, p.Amount))
		}
		return []transfer{{NativeLog, tx.Value}}, nil
	}
	best := mismatch(CodeAssetMismatch, "The transaction does not move "+p.Currency)
	score := 0
	var found []transfer
	for _, t := range tx.Transfers {
		fits := 0
		var why *Error
		switch {
		case !same(t.Asset, p.Asset):
			continue
		case !same(t.To, p.Payee):
			fits, why = 1, mismatch(CodePayeeMismatch, "The transaction does not pay "+p.Payee)
		case !same(t.From, p.Payer):
			fits, why = 2, mismatch(CodePayerMismatch, "The transaction does not move the money of "+p.Payer)
		case t.Amount.Cmp(p.Amount) < 0:
			fits, why = 3, mismatch(v402api.AmountTooLow, fmt.Sprintf("The transaction moved %s of %s", t.Amount, p.Amount))
		default:
			found = append(found, transfer{int64(t.LogIndex), t.Amount})
			continue
		}
		if fits > score {
			score, best = fits, why
		}
	}
	if found == nil {
		return nil, best
	}
	return found, nil
}

// note keeps a transaction that is not certain yet.
func (s *Service) note(ctx context.Context, p Payment, hash string, tx x402.Transaction, signed bool) (Payment, Grant, error) {
	now := s.now()
	noted, err := s.store.UpdateProductPayment(ctx, p.ID, func(p *Payment) ([]store.Event, error) {
		if p.Status != PaymentProcessing {
			if err := p.move(PaymentProcessing, now); err != nil {
				return nil, err
			}
		}
		p.Signed = signed || p.Signed && p.Transaction == hash
		p.Transaction, p.Block, p.Confirmations, p.UpdatedAt = hash, tx.Block, tx.Confirmations, now
		return nil, nil
	})
	if errors.Is(err, ErrPaymentProcessed) { // by somebody who saw it deeper
		return s.again(ctx, p.ID, hash)
	}
	return noted, Grant{}, paymentError(err, "keep a transaction")
}

// reverted fails a payment whose payer's transaction was reverted; anybody else's
// says nothing about it, nor does another one than it waits for.
func (s *Service) reverted(ctx context.Context, p Payment, hash string, tx x402.Transaction) (Payment, Grant, error) {
	refused := mismatch(CodeTransactionReverted, "The transaction was reverted: it moved nothing")
	if !p.Network.SameAddress(tx.From, p.Payer) || p.Status == PaymentExpired ||
		p.Status == PaymentProcessing && p.Transaction != hash || tx.Time.Before(p.CreatedAt.Add(-s.options.Payments.ClockSkew)) {
		return p, Grant{}, refused
	}
	now := s.now()
	failed, err := s.store.UpdateProductPayment(ctx, p.ID, func(p *Payment) ([]store.Event, error) {
		if err := p.fail(CodeTransactionReverted, "The transaction was reverted", now); err != nil {
			return nil, err
		}
		p.Transaction, p.Block = hash, tx.Block
		return []store.Event{paymentEvent(EventPaymentFailed, p, now)}, nil
	})
	switch {
	case errors.Is(err, ErrPaymentProcessed):
		return s.again(ctx, p.ID, hash)
	case err != nil:
		return p, Grant{}, paymentError(err, "fail a payment")
	}
	return failed, Grant{}, refused
}

// confirm closes a payment with a transaction that is deep enough. Of several
// transfers that would do, the first that proves nothing else counts.
func (s *Service) confirm(ctx context.Context, p Payment, hash string, tx x402.Transaction, transfers []transfer, signed bool) (Payment, Grant, error) {
	var err error
	for _, t := range transfers {
		var confirmed Payment
		var g *Grant
		proof := Proof{Method: MethodTransaction, Network: p.Network, Transaction: hash, LogIndex: t.log, Amount: t.amount, Signed: signed}
		now := s.now()
		confirmed, g, err = s.store.ConfirmProductPayment(ctx, p.ID, proof, func(p *Payment) (*Grant, []store.Event, error) {
			p.Transaction, p.LogIndex, p.Block, p.Confirmations = hash, t.log, tx.Block, tx.Confirmations
			return conclude(p, tx.Time, now)
		})
		switch {
		case errors.Is(err, ErrProofUsed):
			continue
		case errors.Is(err, ErrPaymentProcessed):
			return s.again(ctx, p.ID, hash)
		case err != nil:
			return p, Grant{}, paymentError(err, "confirm a payment")
		case g == nil:
			return confirmed, Grant{}, nil
		default:
			return confirmed, *g, nil
		}
	}
	return p, Grant{}, paymentError(err, "confirm a payment")
}

// conclude confirms p, or disputes it if the money came after it had expired.
func conclude(p *Payment, paidAt, now time.Time) (*Grant, []store.Event, error) {
	if paidAt.After(p.ExpiresAt) {
		if err := p.move(PaymentDisputed, now); err != nil {
			return nil, nil, err
		}
		p.FailureReason = "The money came after the payment had expired"
		return nil, []store.Event{paymentEvent(EventPaymentDisputed, p, now)}, nil
	}
	if err := p.move(PaymentConfirmed, now); err != nil {
		return nil, nil, err
	}
	g := newGrant(p, now, false)
	return &g, []store.Event{paymentEvent(EventPaymentConfirmed, p, now), grantEvent(p, &g, now)}, nil
}

// again answers for a payment that somebody else has closed meanwhile.
func (s *Service) again(ctx context.Context, id, hash string) (Payment, Grant, error) {
	p, err := s.store.ProductPayment(ctx, id)
	switch {
	case err != nil:
		return p, Grant{}, paymentError(err, "read a payment")
	case p.Status != PaymentConfirmed || p.Transaction != hash:
		return p, Grant{}, stateError(p.Status, PaymentConfirmed)
	}
	g, err := s.store.AccessGrantOfPayment(ctx, id)
	return p, g, paymentError(err, "read a grant")
}
