package evm_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

func FuzzParseAddress(f *testing.F) {
	f.Add(payer)
	f.Add("0x")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := evm.ParseAddress(s)
		if err != nil {
			return
		}
		if !strings.EqualFold(a.String(), s) {
			t.Fatalf("%q is read as %s", s, a)
		}
	})
}

func FuzzParseHash(f *testing.F) {
	f.Add("0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := evm.ParseHash(s)
		if err == nil && h.String() != strings.ToLower(s) {
			t.Fatalf("%q is read as %s", s, h)
		}
	})
}

func FuzzParseSigner(f *testing.F) {
	f.Add(testKey)
	f.Fuzz(func(t *testing.T, s string) {
		signer, err := evm.ParseSigner(s)
		if err != nil {
			return
		}
		digest := evm.Keccak256([]byte(s))
		if from, err := evm.Recover(digest, signer.SignDigest(digest)); err != nil || from != signer.Address() {
			t.Fatalf("recovered %s, %v", from, err)
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	sig := signer(f).SignDigest(evm.Keccak256(nil))
	f.Add(sig[:])
	high := highS(sig)
	f.Add(high[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		sig, err := evm.ParseSignature(b)
		if err != nil {
			return
		}
		if again, err := evm.ParseSignature(sig[:]); err != nil || again != sig {
			t.Fatalf("a normalised signature is not stable: %v", err)
		}
		high := highS(sig)
		if _, err := evm.ParseSignature(high[:]); err == nil {
			t.Fatal("a signature and its mirror are both accepted")
		}
		_, _ = evm.Recover(evm.Keccak256(b), sig) // must not panic
	})
}

func FuzzAuthorization(f *testing.F) {
	j, err := json.Marshal(vectorAuthorization(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(j)
	f.Add([]byte(`{"value":"1","value":"2"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a evm.Authorization
		if json.Unmarshal(data, &a) != nil {
			return
		}
		j, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var again evm.Authorization
		if err := json.Unmarshal(j, &again); err != nil || again.Digest(evm.Hash{}) != a.Digest(evm.Hash{}) {
			t.Fatalf("%s: %v", j, err)
		}
	})
}

func FuzzCheck(f *testing.F) {
	good := pay(f, x402.V2, offer(f))
	f.Add([]byte(good.Payload.Payload), []byte(good.Requirements.Extra))
	f.Add([]byte(`{"authorization":{},"signature":"0x`+hex.EncodeToString(make([]byte, 65))+`"}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, payload, extra []byte) {
		p := good
		p.Payload.Payload, p.Requirements.Extra = payload, extra
		e, err := evm.Checker{}.Check(p, now)
		if (e == nil) == (err == nil) {
			t.Fatalf("%v and %v", e, err)
		}
		if err != nil && x402.ReasonOf(err, "") == "" {
			t.Fatalf("refused without a reason: %v", err)
		}
		if err == nil && (e.Authorization.To.String() != payTo || e.Authorization.Value.String() != "10000") {
			t.Fatalf("accepted %+v", e.Authorization)
		}
	})
}
