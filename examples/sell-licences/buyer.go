package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// buyer is somebody with a wallet.
type buyer struct {
	url, rpc string
	account  devchain.Account
	session  string // of the wallet, once it has signed in
}

// quote is what a licence costs.
type quote struct {
	ID       string `json:"quote_id"`
	Wallet   string `json:"wallet"`
	OfferID  string `json:"offer_id"`
	ChainID  int64  `json:"chain_id"`
	Total    string `json:"total_amount"`
	Currency string `json:"currency"`
	Tx       struct{ To, Data string }
}

// entitlement is what was bought.
type entitlement struct {
	Status string
	ID     string `json:"entitlement_id"`
	Code   string // of a refusal
}

// post sends a body and reads the answer.
func (b *buyer) post(ctx context.Context, client *http.Client, path string, body, into any) error {
	j, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+path, bytes.NewReader(j))
	if err != nil {
		return err
	}
	w, err := client.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return err
	}
	if w.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, w.Status, answer)
	}
	return nil
}

func (b *buyer) quote(ctx context.Context) (q quote, err error) {
	return q, b.post(ctx, http.DefaultClient, "/marketplace/checkout/quote", map[string]string{
		"wallet": b.account.Address.Hex(), "offer_id": offerID, "org_root_id": "org.acme.root", "principal_id": "human.joshua",
		"principal_role": "org_root_owner",
	}, &q)
}

// payByTransaction sends the transaction of a quote, as any wallet can, and asks
// for what it has paid for until it is deep enough.
func (b *buyer) payByTransaction(ctx context.Context, q quote) (e entitlement, err error) {
	hash, err := b.send(ctx, q)
	if err != nil {
		return e, err
	}
	for range 100 {
		err = b.post(ctx, http.DefaultClient, "/marketplace/checkout/confirm", map[string]any{
			"quote_id": q.ID, "wallet": q.Wallet, "offer_id": q.OfferID, "tx_hash": hash, "chain_id": q.ChainID,
		}, &e)
		if e.Code != "tx_pending" && e.Code != "tx_not_found" {
			return e, err
		}
		e = entitlement{}
		time.Sleep(100 * time.Millisecond)
	}
	return e, err
}

func (b *buyer) send(ctx context.Context, q quote) (hash string, err error) {
	client, err := ethclient.DialContext(ctx, b.rpc)
	if err != nil {
		return "", err
	}
	defer client.Close()
	key, err := crypto.HexToECDSA(strings.TrimPrefix(b.account.Key, "0x"))
	if err != nil {
		return "", err
	}
	data, err := hex.DecodeString(strings.TrimPrefix(q.Tx.Data, "0x"))
	if err != nil {
		return "", err
	}
	nonce, err := client.PendingNonceAt(ctx, b.account.Address)
	if err != nil {
		return "", err
	}
	id, to := big.NewInt(q.ChainID), common.HexToAddress(q.Tx.To)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &to, Data: data, Gas: 100_000, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
	})
	if err != nil {
		return "", err
	}
	return tx.Hash().Hex(), client.SendTransaction(ctx, tx)
}

// payByX402 pays with one request, and needs no gas.
func (b *buyer) payByX402(ctx context.Context, q quote) (e entitlement, err error) {
	signer, err := evm.ParseSigner(b.account.Key)
	if err != nil {
		return e, err
	}
	wallet, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Limits: payer.Limits{PerRequest: "$30"}})
	if err != nil {
		return e, err
	}
	return e, b.post(ctx, wallet.Client(), "/marketplace/checkout/pay/"+q.ID, struct{}{}, &e)
}

// signIn proves that the wallet is b's. A real wallet signs typed_data with
// eth_signTypedData_v4.
func (b *buyer) signIn(ctx context.Context) error {
	var intent struct {
		ID        string                `json:"intent_id"`
		TypedData marketplace.TypedData `json:"typed_data"`
	}
	wallet := map[string]string{"wallet": b.account.Address.Hex()}
	if err := b.post(ctx, http.DefaultClient, "/secret/wallet/intent", wallet, &intent); err != nil {
		return err
	}
	signer, err := evm.ParseSigner(b.account.Key)
	if err != nil {
		return err
	}
	digest, err := intent.TypedData.Digest()
	if err != nil {
		return err
	}
	var session struct {
		Token string `json:"session_token"`
	}
	err = b.post(ctx, http.DefaultClient, "/secret/wallet/verify", map[string]string{
		"intent_id": intent.ID, "wallet": wallet["wallet"], "signature": signer.SignDigest(digest).String(),
	}, &session)
	b.session = session.Token
	return err
}

// report reads what only those may read who have a licence.
func (b *buyer) report(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/report", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set(marketplace.HeaderSession, b.session)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", w.Status, text)
	}
	return string(text), err
}
