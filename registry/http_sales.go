package registry

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeSales(rt *web.Router) {
	rt.Handle("POST /api/sales", a.platform(a.postSale))
	rt.Handle("POST /api/sales/batch", a.platform(a.postSales))
	rt.Handle("GET /api/sales", a.platform(a.getSales))
	rt.Handle("GET /api/sales/export.csv", a.platform(a.getSalesCSV))
	rt.Handle("GET /api/sales/{id}", a.platform(a.getSale))
	rt.Handle("POST /api/sales/{id}/void", a.platform(a.postVoid))
}

// reportedView is the answer to a report of a sale.
type reportedView struct {
	TransactionID int64  `json:"transaction_id"`
	RoyaltyID     int64  `json:"royalty_id"`
	ContractHash  string `json:"contract_hash"`
	SaleAmount    Money  `json:"sale_amount"`
	RoyaltyAmount Money  `json:"royalty_amount"`
	SoldAt        stamp  `json:"sold_at"`
}

func viewReported(r Reported) reportedView {
	return reportedView{r.Sale.ID, r.Royalty.ID, r.Sale.ContractHash, r.Sale.Amount, r.Sale.RoyaltyAmount, stamp(r.Sale.SoldAt)}
}

// postSale answers 201 to a new report, and 200 to one that was made before.
func (a *api) postSale(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in SaleReport
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	in.IdempotencyKey = r.Header.Get("Idempotency-Key")
	reported, err := a.ReportSale(r.Context(), p, in)
	if err != nil {
		return err
	}
	if !reported.Created {
		return a.succeed(w, http.StatusOK, "Sale already reported", viewReported(reported))
	}
	return a.succeed(w, http.StatusCreated, "Sale reported successfully", viewReported(reported))
}

// batchInput is the body of POST /api/sales/batch.
type batchInput struct{ Sales []json.RawMessage }

func (in *batchInput) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	switch {
	case !m.has("sales"):
		return Invalid("sales", "The sales field is required.")
	case json.Unmarshal(m["sales"], &in.Sales) != nil:
		return Invalid("sales", "The sales must be an array.")
	default:
		return nil
	}
}

// reports are the sales of a batch. Those that are sent again with the same
// Idempotency-Key are recognised one by one.
func (in batchInput) reports(key string) ([]SaleReport, error) {
	if len(in.Sales) > MaxBatch {
		return nil, Invalid("sales", fmt.Sprintf("The sales must not have more than %d items.", MaxBatch))
	}
	var f faults
	reports := make([]SaleReport, len(in.Sales))
	for i, j := range in.Sales {
		if string(j) == "null" || json.Unmarshal(j, &reports[i]) != nil {
			name := fmt.Sprintf("sales.%d", i)
			f.add(name, "The "+name+" must be an object.")
		}
		if key != "" {
			reports[i].IdempotencyKey = fmt.Sprintf("%s#%d", key, i)
		}
	}
	return reports, f.err()
}

// batchView is the answer to a batch of sales.
type batchView struct {
	ReportedCount        int            `json:"reported_count"`
	AlreadyReportedCount int            `json:"already_reported_count"`
	Sales                []reportedView `json:"sales"`
}

func (a *api) postSales(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in batchInput
	if err := read(r, maxBatchBody, &in); err != nil {
		return err
	}
	reports, err := in.reports(r.Header.Get("Idempotency-Key"))
	if err != nil {
		return err
	}
	list, err := a.ReportSales(r.Context(), p, reports)
	if err != nil {
		return err
	}
	v := batchView{Sales: views(list, viewReported)}
	for _, reported := range list {
		if reported.Created {
			v.ReportedCount++
		} else {
			v.AlreadyReportedCount++
		}
	}
	if v.ReportedCount == 0 {
		return a.succeed(w, http.StatusOK, "Sales already reported", v)
	}
	return a.succeed(w, http.StatusCreated, "Sales reported successfully", v)
}

// saleView is a sale as its parties see it.
type saleView struct {
	TransactionID           int64           `json:"transaction_id"`
	RoyaltyID               int64           `json:"royalty_id"`
	ContractHash            string          `json:"contract_hash"`
	Status                  SaleStatus      `json:"status"`
	SaleAmount              Money           `json:"sale_amount"`
	RoyaltyAmount           Money           `json:"royalty_amount"`
	BuyerWalletAddress      *string         `json:"buyer_wallet_address"`
	TransactionHash         *string         `json:"transaction_hash"`
	Metadata                json.RawMessage `json:"metadata"`
	SellingPlatformID       int64           `json:"selling_platform_id"`
	SellingPlatformName     string          `json:"selling_platform_name"`
	OriginatingPlatformID   int64           `json:"originating_platform_id"`
	OriginatingPlatformName string          `json:"originating_platform_name"`
	SoldAt                  stamp           `json:"sold_at"`
	ReportedAt              stamp           `json:"reported_at"`
	VoidedAt                stamp           `json:"voided_at"`
	VoidReason              *string         `json:"void_reason"`
}

func viewSale(s Sale) saleView {
	return saleView{
		TransactionID: s.ID, RoyaltyID: s.RoyaltyID, ContractHash: s.ContractHash, Status: s.Status,
		SaleAmount: s.Amount, RoyaltyAmount: s.RoyaltyAmount,
		BuyerWalletAddress: orNull(s.BuyerWalletAddress), TransactionHash: orNull(s.TransactionHash), Metadata: s.Metadata,
		SellingPlatformID: s.SellerID, SellingPlatformName: s.SellerName, OriginatingPlatformID: s.OriginID, OriginatingPlatformName: s.OriginName,
		SoldAt: stamp(s.SoldAt), ReportedAt: stamp(s.ReportedAt), VoidedAt: stamp(s.VoidedAt), VoidReason: orNull(s.VoidReason),
	}
}

// saleFilter is what the parameters of a list of sales select.
func saleFilter(q *query, p Platform) SaleFilter {
	f := SaleFilter{
		PartyID: p.ID, ContractKey: q.text("contract_hash"), Status: oneOf(q, "status", SaleReported, SaleVoided),
		From: q.instant("from"), To: q.instant("to"),
	}
	switch oneOf(q, "role", "seller", "origin") {
	case "seller":
		f.SellerID = p.ID
	case "origin":
		f.OriginID = p.ID
	}
	return f
}

func (a *api) getSales(w http.ResponseWriter, r *http.Request, p Platform) error {
	q := queryOf(r)
	f, o := saleFilter(q, p), q.page()
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Sales(r.Context(), p, f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Sales retrieved successfully", l, viewSale)
}

func (a *api) getSale(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrSaleUnknown)
	if err != nil {
		return err
	}
	s, err := a.Sale(r.Context(), p, id)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Sale retrieved successfully", viewSale(s))
}

// voidedView is a voided sale. AdjustmentRoyaltyID is the royalty that takes an
// already settled one back.
type voidedView struct {
	saleView
	AdjustmentRoyaltyID *int64 `json:"adjustment_royalty_id"`
}

func (a *api) postVoid(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrSaleUnknown)
	if err != nil {
		return err
	}
	var in VoidRequest
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	voided, err := a.VoidSale(r.Context(), p, id, in)
	if err != nil {
		return err
	}
	v := voidedView{saleView: viewSale(voided.Sale)}
	if voided.Adjustment != nil {
		v.AdjustmentRoyaltyID = &voided.Adjustment.ID
	}
	return a.succeed(w, http.StatusOK, "Sale voided successfully", v)
}
