package registry

import (
	"encoding/csv"
	"net/http"
	"strconv"

	"github.com/v402/v402/internal/web"
)

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
	d := web.NewDownload(w, "sales.csv")
	out := csv.NewWriter(d)
	_ = out.Write(salesHeader) // into a buffer
	err := a.EachSale(r.Context(), p, f, func(s Sale) error {
		return out.Write([]string{
			number(s.ID), number(s.RoyaltyID), web.Cell(s.ContractHash), string(s.Status), s.Amount.String(), s.RoyaltyAmount.String(),
			web.Cell(s.BuyerWalletAddress), web.Cell(s.TransactionHash), number(s.SellerID), web.Cell(s.SellerName), number(s.OriginID), web.Cell(s.OriginName),
			stamp(s.SoldAt).String(), stamp(s.ReportedAt).String(), stamp(s.VoidedAt).String(), web.Cell(s.VoidReason),
		})
	})
	if err == nil {
		out.Flush()
	}
	return d.End(err)
}

// statementCSV serves what write makes of the settlement in the path.
func statementCSV(w http.ResponseWriter, r *http.Request, write func(id int64, d *web.Download) error) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	d := web.NewDownload(w, "settlement-"+number(id)+".csv")
	return d.End(write(id, d))
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
