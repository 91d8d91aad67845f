package registry

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"github.com/v402/v402/internal/web"
)

// Statement is a settlement as one of its parties reads it, with a part of its
// lines.
type Statement struct {
	Settlement Settlement      `json:"settlement"`
	PayeeBank  *BankDetails    `json:"payee_bank,omitempty"` // where the payer pays to; for the two parties only
	Lines      []StatementLine `json:"lines"`
	Next       int64           `json:"next"` // where the next part begins; 0 at the end
}

// BankDetails is where a platform is paid.
type BankDetails struct {
	BankName      string `json:"bank_name"`
	AccountNumber string `json:"bank_account_number"`
	RoutingNumber string `json:"bank_routing_number"`
}

// StatementLine is one royalty or adjustment. Those of a bilateral statement add
// up to its net amount. A multilateral one lists all that its reader owes and is
// owed in the run, and nothing of others: the lines add up to what the reader pays
// or gets in all its settlements of the run.
type StatementLine struct {
	RoyaltyID    int64  `json:"royalty_id"`
	Kind         string `json:"kind"` // "royalty" or "adjustment"
	AdjustsID    int64  `json:"adjusts_royalty_id,omitempty"`
	SaleID       int64  `json:"transaction_id"`
	ContractHash string `json:"contract_hash"`
	SellerID     int64  `json:"selling_platform_id"`
	OriginID     int64  `json:"originating_platform_id"`
	Amount       Money  `json:"amount"` // what the payer owes for it; negative for what the payer is owed
	DueAt        stamp  `json:"due_at"`
}

// StatementPage is how many lines a [Statement] has at most.
const StatementPage = 250

// Statement returns the lines of a settlement of p's after the royalty with the
// ID after, 0 for the first, and the payee's bank details. The read of the
// details is audited.
func (s *Service) Statement(ctx context.Context, p Platform, id, after int64) (Statement, error) {
	d, err := s.Settlement(ctx, p, id)
	if err != nil {
		return Statement{}, err
	}
	out, err := s.statement(ctx, d, p.ID, after)
	if err != nil {
		return Statement{}, err
	}
	secrets, err := s.Secrets(ctx, p.Actor(), d.PayeeID, "settlement "+strconv.FormatInt(id, 10))
	if err != nil {
		return Statement{}, err
	}
	out.PayeeBank = &BankDetails{secrets.BankName, secrets.BankAccountNumber, secrets.BankRoutingNumber}
	return out, nil
}

// AnyStatement is the payer's statement without bank details, for an admin.
func (s *Service) AnyStatement(ctx context.Context, id, after int64) (Statement, error) {
	d, err := s.AnySettlement(ctx, id)
	if err != nil {
		return Statement{}, err
	}
	return s.statement(ctx, d, d.PayerID, after)
}

func (s *Service) statement(ctx context.Context, d Settlement, viewer, after int64) (Statement, error) {
	out := Statement{Settlement: d, Lines: []StatementLine{}}
	royalties, err := s.store.SettlementLines(ctx, d.ID, viewer, after, StatementPage)
	if err != nil {
		return Statement{}, refusal(err, ErrSettlementUnknown, "list the lines of a settlement")
	}
	for i := range royalties {
		out.Lines = append(out.Lines, lineFor(&d, viewer, &royalties[i]))
	}
	if len(royalties) == StatementPage {
		out.Next = royalties[StatementPage-1].ID
	}
	return out, nil
}

// EachLine calls each with every line of a settlement of p's, the oldest first,
// without holding them all.
func (s *Service) EachLine(ctx context.Context, p Platform, id int64, each func(StatementLine) error) error {
	d, err := s.Settlement(ctx, p, id)
	if err != nil {
		return err
	}
	return s.eachLine(ctx, d, p.ID, each)
}

func (s *Service) eachLine(ctx context.Context, d Settlement, viewer int64, each func(StatementLine) error) error {
	for after := int64(0); ; {
		royalties, err := s.store.SettlementLines(ctx, d.ID, viewer, after, StatementPage)
		if err != nil {
			return refusal(err, ErrSettlementUnknown, "list the lines of a settlement")
		}
		for i := range royalties {
			if err := each(lineFor(&d, viewer, &royalties[i])); err != nil {
				return err
			}
		}
		if len(royalties) < StatementPage {
			return nil
		}
		after = royalties[StatementPage-1].ID
	}
}

// lineFor is a royalty as the viewer, a party to d, reads it: what the payer owes
// is positive, and so is for the payee what it is owed.
func lineFor(d *Settlement, viewer int64, r *Royalty) StatementLine {
	line := StatementLine{
		RoyaltyID: r.ID, Kind: "royalty", AdjustsID: r.AdjustsID, SaleID: r.SaleID, ContractHash: r.ContractHash,
		SellerID: r.SellerID, OriginID: r.OriginID, Amount: r.Amount, DueAt: stamp(r.DueAt),
	}
	if r.AdjustsID != 0 {
		line.Kind = "adjustment"
	}
	owes := viewer == d.PayerID && r.SellerID == viewer || viewer == d.PayeeID && r.OriginID == viewer
	if !owes {
		line.Amount = -line.Amount
	}
	return line
}

var statementHeader = []string{
	"record", "settlement_id", "royalty_id", "kind", "adjusts_royalty_id", "transaction_id", "contract_hash",
	"selling_platform_id", "originating_platform_id", "amount", "due_at",
}

// WriteStatement writes the statement of a settlement of p's as CSV: a record
// "line" for each line and one "total" with their sum.
func (s *Service) WriteStatement(ctx context.Context, p Platform, id int64, w io.Writer) error {
	d, err := s.Settlement(ctx, p, id)
	if err != nil {
		return err
	}
	return s.writeStatement(ctx, d, p.ID, w)
}

// WriteAnyStatement writes the payer's statement, for an admin.
func (s *Service) WriteAnyStatement(ctx context.Context, id int64, w io.Writer) error {
	d, err := s.AnySettlement(ctx, id)
	if err != nil {
		return err
	}
	return s.writeStatement(ctx, d, d.PayerID, w)
}

func (s *Service) writeStatement(ctx context.Context, d Settlement, viewer int64, w io.Writer) error {
	out := csv.NewWriter(w)
	id := strconv.FormatInt(d.ID, 10)
	if err := out.Write(statementHeader); err != nil {
		return err
	}
	var total Money
	err := s.eachLine(ctx, d, viewer, func(l StatementLine) error {
		total += l.Amount
		return out.Write([]string{
			"line", id, strconv.FormatInt(l.RoyaltyID, 10), l.Kind, orEmpty(l.AdjustsID), strconv.FormatInt(l.SaleID, 10), web.Cell(l.ContractHash),
			strconv.FormatInt(l.SellerID, 10), strconv.FormatInt(l.OriginID, 10), l.Amount.String(), l.DueAt.String(),
		})
	})
	if err != nil {
		return err
	}
	if err := out.Write([]string{"total", id, "", "", "", "", "", "", "", total.String(), ""}); err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

func orEmpty(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// MarshalJSON implements [json.Marshaler]: the form of a settlement on the wire.
// A moment that has not come is null.
func (d Settlement) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID          int64            `json:"settlement_id"`
		RunID       int64            `json:"run_id"`
		Mode        SettlementMode   `json:"mode"`
		Currency    string           `json:"currency"`
		From        stamp            `json:"from"`
		To          stamp            `json:"to"`
		PayerID     int64            `json:"payer_id"`
		PayerName   string           `json:"payer_name"`
		PayeeID     int64            `json:"payee_id"`
		PayeeName   string           `json:"payee_name"`
		Gross       Money            `json:"gross_amount"`
		Counter     Money            `json:"counter_amount"`
		Net         Money            `json:"net_amount"`
		Lines       int64            `json:"line_count"`
		PayeeLines  int64            `json:"payee_line_count"`
		Status      SettlementStatus `json:"status"`
		Reference   string           `json:"reference"`
		Reason      string           `json:"reason"`
		IssuedAt    stamp            `json:"issued_at"`
		PaidAt      stamp            `json:"paid_at"`
		ConfirmedAt stamp            `json:"confirmed_at"`
		DisputedAt  stamp            `json:"disputed_at"`
		CancelledAt stamp            `json:"cancelled_at"`
	}{
		d.ID, d.Run.ID, d.Run.Mode, d.Run.Currency, stamp(d.Run.From), stamp(d.Run.To), d.PayerID, d.PayerName, d.PayeeID, d.PayeeName,
		d.Gross, d.Counter, d.Net, d.Lines, d.PayeeLines, d.Status, d.Reference, d.Reason, stamp(d.Run.IssuedAt),
		stamp(d.PaidAt), stamp(d.ConfirmedAt), stamp(d.DisputedAt), stamp(d.CancelledAt),
	})
}
