package payer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
)

const identifierExtension = "payment-identifier"

// echo returns the seller's extensions as they are sent back: unchanged, but
// with an ID of the logical request where the seller takes one.
func echo(extensions map[string]json.RawMessage, id string) map[string]json.RawMessage {
	raw, ok := extensions[identifierExtension]
	if !ok {
		return extensions
	}
	var ext, info map[string]json.RawMessage
	if json.Unmarshal(raw, &ext) != nil || ext == nil || json.Unmarshal(ext["info"], &info) != nil || info == nil {
		return extensions // not the extension that we know
	}
	sum := sha256.Sum256([]byte(id))
	info["id"] = json.RawMessage(`"pay_` + hex.EncodeToString(sum[:16]) + `"`)
	var err error
	if ext["info"], err = json.Marshal(info); err != nil {
		return extensions
	}
	out := maps.Clone(extensions)
	if out[identifierExtension], err = json.Marshal(ext); err != nil {
		return extensions
	}
	return out
}
