package registry

import (
	"cmp"
	"fmt"
	"slices"
)

// Net plans a run from what platforms owe each other, with one Owed at most for
// each seller and origin. The settlements have their parties, sums and number of
// lines, and nothing else. What is below minimum and not 0 is carried forward:
// in bilateral mode the net of a pair; in multilateral mode the position of a
// platform, with all that it owes and is owed.
func Net(mode SettlementMode, owed []Owed, minimum Money) (Netting, error) {
	sorted := slices.Clone(owed)
	slices.SortFunc(sorted, func(a, b Owed) int {
		return cmp.Or(cmp.Compare(a.SellerID, b.SellerID), cmp.Compare(a.OriginID, b.OriginID))
	})
	for i, o := range sorted {
		twice := i > 0 && sorted[i-1].SellerID == o.SellerID && sorted[i-1].OriginID == o.OriginID
		if o.SellerID == o.OriginID || twice {
			return Netting{}, fmt.Errorf("registry: net: platform %d owes %d: listed twice, or to itself", o.SellerID, o.OriginID)
		}
	}
	switch mode {
	case Bilateral:
		return netPairs(sorted, minimum)
	case Multilateral:
		return netAll(sorted, minimum)
	default:
		return Netting{}, fmt.Errorf("registry: net: unknown mode %q", mode)
	}
}

// pairOf is two platforms, the lower ID first.
func pairOf(a, b int64) [2]int64 { return [2]int64{min(a, b), max(a, b)} }

func netPairs(owed []Owed, minimum Money) (Netting, error) {
	byPair := map[[2]int64]*Settlement{}
	var order [][2]int64
	for _, o := range owed {
		pair := pairOf(o.SellerID, o.OriginID)
		s := byPair[pair]
		if s == nil {
			s = &Settlement{PayerID: pair[0], PayeeID: pair[1]}
			byPair[pair] = s
			order = append(order, pair)
		}
		if o.SellerID == pair[0] {
			s.Gross = o.Amount
		} else {
			s.Counter = o.Amount
		}
		s.Lines += o.Count
		s.PayeeLines = s.Lines
	}
	var n Netting
	for _, pair := range order {
		s := byPair[pair]
		net, err := add(s.Gross, -s.Counter)
		if err != nil {
			return Netting{}, err
		}
		if s.Net = net; net < 0 {
			s.PayerID, s.PayeeID, s.Gross, s.Counter, s.Net = s.PayeeID, s.PayerID, s.Counter, s.Gross, -net
		}
		if s.Net == 0 || s.Net >= minimum {
			n.Settlements = append(n.Settlements, *s)
		} else {
			n.Carried = append(n.Carried, pair)
		}
	}
	return n, nil
}

func netAll(owed []Owed, minimum Money) (Netting, error) {
	carried := map[[2]int64]bool{}
	for {
		positions, err := Positions(owed)
		if err != nil {
			return Netting{}, err
		}
		small := map[int64]bool{}
		for _, p := range positions {
			if p.Amount != 0 && p.Amount < minimum && -p.Amount < minimum {
				small[p.PlatformID] = true
			}
		}
		if len(small) == 0 {
			n := Netting{Settlements: match(positions)}
			countLines(n.Settlements, owed)
			for pair := range carried {
				n.Carried = append(n.Carried, pair)
			}
			slices.SortFunc(n.Carried, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
			return n, nil
		}
		// To leave a platform out changes the positions of the others.
		var kept []Owed
		for _, o := range owed {
			if small[o.SellerID] || small[o.OriginID] {
				carried[pairOf(o.SellerID, o.OriginID)] = true
			} else {
				kept = append(kept, o)
			}
		}
		owed = kept
	}
}

// Position is what a platform is owed less what it owes, over all others.
type Position struct {
	PlatformID int64
	Amount     Money
}

// Positions adds up what is owed by platform, ordered by ID. Their sum is 0.
func Positions(owed []Owed) ([]Position, error) {
	amounts := map[int64]Money{}
	for _, o := range owed {
		in, err := add(amounts[o.OriginID], o.Amount)
		if err != nil {
			return nil, err
		}
		out, err := add(amounts[o.SellerID], -o.Amount)
		if err != nil {
			return nil, err
		}
		amounts[o.OriginID], amounts[o.SellerID] = in, out
	}
	positions := make([]Position, 0, len(amounts))
	for id, amount := range amounts {
		positions = append(positions, Position{id, amount})
	}
	slices.SortFunc(positions, func(a, b Position) int { return cmp.Compare(a.PlatformID, b.PlatformID) })
	return positions, nil
}

// match has the largest debtor pay the largest creditor, again and again. Each
// transfer brings one of them to 0 and the last one both, so there are fewer
// transfers than platforms.
func match(positions []Position) []Settlement {
	var debtors, creditors []Position
	for _, p := range positions {
		switch {
		case p.Amount < 0:
			debtors = append(debtors, Position{p.PlatformID, -p.Amount})
		case p.Amount > 0:
			creditors = append(creditors, p)
		}
	}
	largestFirst := func(a, b Position) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), cmp.Compare(a.PlatformID, b.PlatformID))
	}
	var transfers []Settlement
	for len(debtors) > 0 && len(creditors) > 0 {
		d, c := slices.MinFunc(debtors, largestFirst), slices.MinFunc(creditors, largestFirst)
		amount := min(d.Amount, c.Amount)
		transfers = append(transfers, Settlement{PayerID: d.PlatformID, PayeeID: c.PlatformID, Gross: amount, Net: amount})
		debtors, creditors = reduce(debtors, d, amount), reduce(creditors, c, amount)
	}
	return transfers
}

// reduce takes amount from p, and p from the list once nothing is left.
func reduce(positions []Position, p Position, amount Money) []Position {
	i := slices.Index(positions, p)
	if positions[i].Amount -= amount; positions[i].Amount == 0 {
		positions = slices.Delete(positions, i, i+1)
	}
	return positions
}

// countLines counts for each party of a transfer what it owes or is owed in the
// run: its statement lists all of that, which adds up to what it pays or gets in
// all its transfers.
func countLines(transfers []Settlement, owed []Owed) {
	lines := map[int64]int64{}
	for _, o := range owed {
		lines[o.SellerID] += o.Count
		lines[o.OriginID] += o.Count
	}
	for i := range transfers {
		t := &transfers[i]
		t.Lines, t.PayeeLines = lines[t.PayerID], lines[t.PayeeID]
	}
}

// add refuses what overflows.
func add(a, b Money) (Money, error) {
	total := a + b
	if b != 0 && (total > a) != (b > 0) {
		return 0, fmt.Errorf("registry: net: %d and %d cents are too much to be added", a, b)
	}
	return total, nil
}
