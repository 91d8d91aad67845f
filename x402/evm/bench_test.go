package evm_test

import (
	"testing"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

func BenchmarkCheck(b *testing.B) {
	p := pay(b, x402.V2, offer(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (evm.Checker{}).Check(p, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckWithoutRecovery is all but the elliptic curve.
func BenchmarkCheckWithoutRecovery(b *testing.B) {
	p := pay(b, x402.V2, offer(b))
	from := signer(b).Address()
	c := evm.Checker{Recover: func(evm.Hash, evm.Signature) (evm.Address, error) { return from, nil }}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(p, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	s, r := signer(b), offer(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(b.Context(), x402.V2, r, now); err != nil {
			b.Fatal(err)
		}
	}
}
