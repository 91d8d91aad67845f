package x402_test

import (
	"encoding/json"
	"testing"

	"github.com/v402/v402/x402"
)

func BenchmarkDecodePayment(b *testing.B) {
	for name, document := range map[string]string{"v1": paymentV1, "v2": paymentV2} {
		b.Run(name, func(b *testing.B) {
			data := []byte(document)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var p x402.Payment
				if err := json.Unmarshal(data, &p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodePayment(b *testing.B) {
	p := readPayment(b, paymentV2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeHeader(b *testing.B) {
	header, err := x402.EncodeHeader(json.RawMessage(payloadV2))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var p x402.PaymentPayload
		if err := x402.DecodeHeader(header, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIdentity(b *testing.B) {
	p := readPayment(b, paymentV2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Identity(); err != nil {
			b.Fatal(err)
		}
	}
}
