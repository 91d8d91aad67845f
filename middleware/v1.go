package middleware

import (
	"bytes"
	"errors"
	"slices"

	"github.com/v402/v402/x402"
)

// marker stands for the resource URL until it is known.
const marker = "~v402-resource-url~"

// encodeV1 writes the offers that are announced in v1.
func (t *terms) encodeV1(resource x402.ResourceInfo) error {
	resource.URL = marker
	t.inV1 = make([]bool, len(t.offers))
	var entries [][]byte
	for _, i := range t.chooseV1() {
		j, err := t.requirements[i].MarshalV1(resource)
		if err != nil {
			return err
		}
		t.inV1[i] = true
		entries = append(entries, j)
	}
	if entries == nil {
		return nil
	}
	t.v1 = bytes.Split(array(entries), []byte(marker))
	if len(t.v1) != len(entries)+1 {
		return errors.New("the resource's description must not contain " + marker)
	}
	return nil
}

// chooseV1 picks the offers that are announced in v1. Of several on one network
// it is the first, because a v1 payment names no more than scheme and network.
// The official v1 client refuses a challenge as a whole for one network that it
// does not know, so those are left out beside others.
func (t *terms) chooseV1() []int {
	var all, known []int
	var networks []x402.Network
	for i, o := range t.offers {
		if !o.inV1() || slices.Contains(networks, o.Network) {
			continue
		}
		networks = append(networks, o.Network)
		all = append(all, i)
		if slices.Contains(officialV1, o.nameV1) {
			known = append(known, i)
		}
	}
	if known != nil {
		return known
	}
	return all
}

// inV1 says whether v1 has words for an offer: by scheme exact and EIP-3009, or
// on Solana, on a network with a name.
func (o *offer) inV1() bool {
	return o.nameV1 != "" && o.Scheme == x402.SchemeExact && o.method == x402.EIP3009
}

// officialV1 are the networks that the official v1 client knows (npm x402
// 1.2.0, NetworkSchema).
var officialV1 = []string{
	"abstract", "abstract-testnet", "base-sepolia", "base", "avalanche-fuji", "avalanche", "iotex", "solana-devnet", "solana",
	"sei", "sei-testnet", "polygon", "polygon-amoy", "peaq", "story", "educhain", "skale-base-sepolia",
}
