package marketplace

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// unsigned is the transaction that pays q. Who sends a transfer of a token puts
// the mark of q behind the call, which no token reads. Native coin has it only
// where another wallet pays: some treasuries take no coin with data.
func unsigned(q *CheckoutQuote) (UnsignedTransaction, error) {
	t := UnsignedTransaction{To: strings.ToLower(q.PayTo), Data: "0x", Value: "0x0"}
	if q.Asset == "" {
		t.Value = hexAmount(q.Total)
	}
	if q.PayerWallet != q.Wallet {
		t.Data = "0x" + hex.EncodeToString(q.mark())
	}
	switch {
	case q.Contract != "":
		data, err := mintCall(q)
		if err != nil {
			return t, err
		}
		t.To, t.Data = strings.ToLower(q.Contract), "0x"+hex.EncodeToString(data)
	case q.Asset != "":
		treasury, err := evm.ParseAddress(q.PayTo)
		if err != nil {
			return t, err
		}
		data := append(slices.Clone(transferSelector), make([]byte, 12)...)
		data = slices.Concat(data, treasury[:], word(q.Total.Big()), q.mark())
		t.To, t.Data = strings.ToLower(q.Asset), "0x"+hex.EncodeToString(data)
	}
	return t, nil
}

// Selectors of the calls that pay.
var (
	transferSelector = selector("transfer(address,uint256)") // ERC-20
	mintSelector     = selector("mintEntitlement(bytes32,address,bytes32)")
)

func selector(signature string) []byte {
	hash := evm.Keccak256([]byte(signature))
	return hash[:4]
}

// mintCall is mintEntitlement(keccak256(offer_id), wallet, policy_hash).
func mintCall(q *CheckoutQuote) ([]byte, error) {
	wallet, err := evm.ParseAddress(q.Wallet)
	if err != nil {
		return nil, err
	}
	policy, err := hex.DecodeString(q.PolicyHash)
	if err != nil {
		return nil, err
	}
	key := evm.Keccak256([]byte(q.OfferID))
	return slices.Concat(mintSelector, key[:], make([]byte, 12), wallet[:], policy), nil
}

// marked begins a mark.
const marked = "v402"

// mark says on the chain which quote a transaction is for, so that nobody else
// can have it confirmed for a quote of theirs: 32 bytes that do not tell the ID,
// which is known to the buyer alone.
func (q *CheckoutQuote) mark() []byte {
	hash := evm.Keccak256([]byte(q.ID))
	return append([]byte(marked), hash[:32-len(marked)]...)
}

// checkMark refuses a transaction that was made for another quote. One without a
// mark is taken for a quote that its sender pays for itself: what it buys can be
// nobody else's. What others move for a payer, as x402 does, is for something else.
func checkMark(q *CheckoutQuote, t x402.Transaction) error {
	switch {
	case q.Contract != "", bytes.Contains(t.Input, q.mark()): // a call of the contract names the wallet
		return nil
	case bytes.Contains(t.Input, []byte(marked)):
		return Refuse(CodeTxAlreadyUsed, "The transaction was made for another quote.")
	case q.PayerWallet != q.Wallet:
		return Refuse(CodePayerMismatch, "The transaction does not say that it is for this quote: another wallet that pays must send the data of tx as it is.")
	case !strings.EqualFold(t.From, q.PayerWallet):
		return Refuse(CodePayerMismatch, "The transaction was not sent by payer_wallet and does not say that it is for this quote: it must carry the data of tx.")
	}
	return nil
}
