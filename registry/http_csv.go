package registry

import (
	"encoding/csv"
	"net/http"
	"strconv"

	"github.com/v402/v402/internal/web"
)

// download is an answer in CSV that is written as it is made. Until its first
// byte an error can still be answered in the form of the API.
type download struct {
	w     http.ResponseWriter
	name  string // of the file
	begun bool
}

// Write implements io.Writer.
func (d *download) Write(p []byte) (int, error) {
	d.begin()
	return d.w.Write(p)
}

func (d *download) begin() {
	if d.begun {
		return
	}
	d.begun = true
	h := d.w.Header()
	web.Secure(h)
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	h.Set("Cache-Control", "no-store")
}

// end returns err to be answered. If a part is out already it breaks the
// connection, so that nobody takes the part for the whole.
func (d *download) end(err error) error {
	if err != nil && d.begun {
		panic(http.ErrAbortHandler)
	}
	return err
}

var salesHeader = []string{
	"transaction_id", "royalty_id", "contract_hash", "status", "sale_amount", "royalty_amount", "buyer_wallet_address", "transaction_hash",
	"selling_platform_id", "selling_platform_name", "originating_platform_id", "originating_platform_name",
	"sold_at", "reported_at", "voided_at", "void_reason",
}

// getSalesCSV writes the sales that GET /api/sales lists, all pages, the oldest
// first, without holding them in memory.
func (a *api) getSalesCSV(w http.ResponseWriter, r *http.Request, p Platform) error {
	q := queryOf(r)
	f := saleFilter(q, p)
	if err := q.err(); err != nil {
		return err
	}
	d := &download{w: w, name: "sales.csv"}
	out := csv.NewWriter(d)
	_ = out.Write(salesHeader) // into a buffer
	err := a.EachSale(r.Context(), p, f, func(s Sale) error {
		return out.Write([]string{
			number(s.ID), number(s.RoyaltyID), cell(s.ContractHash), string(s.Status), s.Amount.String(), s.RoyaltyAmount.String(),
			cell(s.BuyerWalletAddress), cell(s.TransactionHash), number(s.SellerID), cell(s.SellerName), number(s.OriginID), cell(s.OriginName),
			stamp(s.SoldAt).String(), stamp(s.ReportedAt).String(), stamp(s.VoidedAt).String(), cell(s.VoidReason),
		})
	})
	if err == nil {
		out.Flush()
	}
	return d.end(err)
}

// statementCSV serves what write makes of the settlement in the path.
func statementCSV(w http.ResponseWriter, r *http.Request, write func(id int64, d *download) error) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	d := &download{w: w, name: "settlement-" + number(id) + ".csv"}
	return d.end(write(id, d))
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
