package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/v402/v402/registry"
)

// AddSales implements [registry.SaleStore].
func (s *DB) AddSales(ctx context.Context, sales []registry.NewSale, check func([]registry.Reported) error, trail func([]registry.Reported) registry.Trail) ([]registry.Reported, error) {
	if len(sales) == 0 {
		return nil, nil
	}
	reports := make([]registry.Reported, len(sales))
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.holdSold(ctx, tx, sales); err != nil {
			return err
		}
		var created []registry.Reported
		firstSale, err := newIDs(ctx, tx, "sale", len(sales))
		if err != nil {
			return err
		}
		firstRoyalty, err := newIDs(ctx, tx, "royalty", len(sales))
		if err != nil {
			return err
		}
		var royalties [][]any
		for i, n := range sales {
			n.Sale.ID, n.Royalty.ID = firstSale+int64(i), firstRoyalty+int64(i)
			n.Sale.RoyaltyID, n.Royalty.SaleID = n.Royalty.ID, n.Sale.ID
			inserted, err := insertSale(ctx, tx, &n.Sale)
			if err != nil {
				return err
			}
			reports[i] = registry.Reported{Sale: n.Sale, Created: inserted}
			if inserted {
				royalties = append(royalties, royaltyRow(&n.Royalty))
			} else if reports[i].Sale, err = repeated(ctx, tx, &n.Sale, i); err != nil {
				return err
			}
		}
		if err := insert(ctx, tx, "v402_registry_royalties", royaltyColumns, royalties); err != nil {
			return err
		}
		if err := readReports(ctx, tx, reports); err != nil {
			return err
		}
		for i := range reports {
			if reports[i].Created {
				created = append(created, reports[i])
			}
		}
		if err := check(reports); err != nil || len(created) == 0 {
			return err
		}
		return s.record(ctx, tx, trail(created))
	})
	if err != nil {
		return nil, s.errorf("add sales: %w", err)
	}
	return reports, nil
}

// holdSold keeps the contracts of sales from being revoked meanwhile, where rows are
// locked: a sale is there before a revocation is answered, or never.
func (s *DB) holdSold(ctx context.Context, tx querier, sales []registry.NewSale) error {
	if s.lock == "" {
		return nil
	}
	ids := make([]int64, len(sales))
	for i := range sales {
		ids[i] = sales[i].Sale.ContractID
	}
	slices.Sort(ids)
	for run := range pieces(slices.Compact(ids), bulk) {
		args := make([]any, len(run))
		for i, id := range run {
			args[i] = id
		}
		if _, err := s.holdActive(ctx, tx, "id", args...); err != nil {
			return err
		}
	}
	return nil
}

// readReports reads what is stored of reports.
func readReports(ctx context.Context, tx querier, reports []registry.Reported) error {
	for run := range pieces(reports, bulk) {
		ids, royaltyIDs := make([]any, len(run)), make([]any, len(run))
		for i := range run {
			ids[i], royaltyIDs[i] = run[i].Sale.ID, run[i].Sale.RoyaltyID
		}
		sales, err := byID(ctx, tx, saleRows, ids, func(s registry.Sale) int64 { return s.ID })
		if err != nil {
			return err
		}
		royalties, err := byID(ctx, tx, royaltyRows, royaltyIDs, func(r registry.Royalty) int64 { return r.ID })
		if err != nil {
			return err
		}
		for i := range run {
			r := &run[i]
			r.Sale, r.Royalty = sales[r.Sale.ID], royalties[r.Sale.RoyaltyID]
		}
	}
	return nil
}

// byID reads rows that are there.
func byID[T any](ctx context.Context, tx querier, s selection[T], ids []any, id func(T) int64) (map[int64]T, error) {
	rows, err := all(ctx, tx, s.scan, "SELECT "+s.columns+" FROM "+s.counted+s.joined+" WHERE "+s.id+" IN "+list(1, len(ids)), ids...)
	found := make(map[int64]T, len(rows))
	for _, row := range rows {
		found[id(row)] = row
	}
	return found, err
}

const saleColumns = "id, royalty_id, contract_id, contract_hash, seller_id, origin_id, buyer_wallet, amount, royalty_amount, " +
	"transaction_hash, transaction_key, idempotency_key, metadata, status, sold_at, reported_at, voided_at, void_reason"

// insertSale inserts a sale unless it was reported before or its contract is not
// active.
func insertSale(ctx context.Context, tx querier, sale *registry.Sale) (bool, error) {
	const text, number = "TEXT", "BIGINT"
	row := tuples(1, 1, number, number, number, text, number, number, text, number, number, text, text, text, text, text, number, number, number, text)
	query := "INSERT INTO v402_registry_sales (" + saleColumns + ") SELECT " + row[1:len(row)-1] +
		` FROM v402_registry_contracts c WHERE c.id = $19 AND c.status = 'active' ON CONFLICT DO NOTHING`
	result, err := tx.ExecContext(ctx, query, sale.ID, sale.RoyaltyID, sale.ContractID, sale.ContractHash, sale.SellerID, sale.OriginID,
		sale.BuyerWalletAddress, int64(sale.Amount), int64(sale.RoyaltyAmount), sale.TransactionHash, sale.TransactionKey, sale.IdempotencyKey,
		nullable(sale.Metadata), string(sale.Status), micros(sale.SoldAt), micros(sale.ReportedAt), optional(sale.VoidedAt), sale.VoidReason,
		sale.ContractID)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// repeated finds the sale that a report repeats. If there is none, the report's
// contract is not active.
func repeated(ctx context.Context, tx querier, sale *registry.Sale, index int) (registry.Sale, error) {
	if sale.IdempotencyKey != "" {
		old, err := one(ctx, tx, saleRows.scan, "SELECT "+saleRows.columns+" FROM "+saleRows.counted+saleRows.joined+
			" WHERE t.seller_id = $1 AND t.idempotency_key = $2 AND t.idempotency_key <> ''", sale.SellerID, sale.IdempotencyKey)
		if !errors.Is(err, sql.ErrNoRows) {
			return old, err
		}
	}
	if sale.TransactionKey != "" {
		old, err := one(ctx, tx, saleRows.scan, "SELECT "+saleRows.columns+" FROM "+saleRows.counted+saleRows.joined+
			" WHERE t.seller_id = $1 AND t.transaction_key = $2 AND t.transaction_key <> '' AND t.contract_id = $3 AND t.status = 'reported'",
			sale.SellerID, sale.TransactionKey, sale.ContractID)
		if !errors.Is(err, sql.ErrNoRows) {
			return old, err
		}
	}
	active, err := all(ctx, tx, column[string], "SELECT status FROM v402_registry_contracts WHERE id = $1 AND status = 'active'", sale.ContractID)
	switch {
	case err != nil:
		return registry.Sale{}, err
	case len(active) > 0:
		return registry.Sale{}, errAgain // voided meanwhile
	default:
		return registry.Sale{}, &registry.ContractInactiveError{Index: index}
	}
}

var saleRows = selection[registry.Sale]{
	columns: "t.id, t.royalty_id, t.contract_id, t.contract_hash, t.seller_id, t.origin_id, t.buyer_wallet, t.amount, t.royalty_amount, " +
		"t.transaction_hash, t.transaction_key, t.idempotency_key, t.metadata, t.status, t.sold_at, t.reported_at, t.voided_at, t.void_reason, " +
		"a.platform_name, b.platform_name",
	counted: "v402_registry_sales t",
	joined:  " JOIN v402_registry_platforms a ON a.id = t.seller_id JOIN v402_registry_platforms b ON b.id = t.origin_id",
	id:      "t.id",
	scan: func(rows *sql.Rows) (sale registry.Sale, err error) {
		var metadata sql.NullString
		var soldAt, reportedAt, voidedAt int64
		err = rows.Scan(&sale.ID, &sale.RoyaltyID, &sale.ContractID, &sale.ContractHash, &sale.SellerID, &sale.OriginID,
			&sale.BuyerWalletAddress, &sale.Amount, &sale.RoyaltyAmount, &sale.TransactionHash, &sale.TransactionKey, &sale.IdempotencyKey, &metadata,
			&sale.Status, &soldAt, &reportedAt, &voidedAt, &sale.VoidReason, &sale.SellerName, &sale.OriginName)
		sale.Metadata = rawJSON(metadata)
		sale.SoldAt, sale.ReportedAt, sale.VoidedAt = moment(soldAt), moment(reportedAt), optionalMoment(voidedAt)
		return sale, err
	},
}

// VoidSale implements [registry.SaleStore].
func (s *DB) VoidSale(ctx context.Context, id int64, reason string, at time.Time, check func(registry.Sale) error, trail func(registry.Voided) registry.Trail) (registry.Voided, error) {
	var v registry.Voided
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		v = registry.Voided{}
		if err := s.lockRow(ctx, tx, "v402_registry_sales", "id", id); err != nil {
			return err
		}
		sale, err := single(ctx, tx, saleRows, "t.id = $1", id)
		if err != nil {
			return err
		}
		if err := check(sale); err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_registry_sales", "status, voided_at, void_reason",
			string(registry.SaleVoided), micros(at), reason, id); err != nil {
			return err
		}
		if v.Adjustment, err = s.voidRoyalty(ctx, tx, sale.RoyaltyID, at); err != nil {
			return err
		}
		report := []registry.Reported{{Sale: sale}}
		if err := readReports(ctx, tx, report); err != nil {
			return err
		}
		v.Sale, v.Royalty = report[0].Sale, report[0].Royalty
		return s.record(ctx, tx, trail(v))
	})
	if err != nil {
		return registry.Voided{}, s.errorf("void sale %d: %w", id, err)
	}
	return v, nil
}

// voidRoyalty voids a royalty, or adds the adjustment of one that is in a run.
func (s *DB) voidRoyalty(ctx context.Context, tx querier, id int64, at time.Time) (*registry.Royalty, error) {
	if err := s.lockRow(ctx, tx, "v402_registry_royalties", "id", id); err != nil {
		return nil, err
	}
	royalty, err := single(ctx, tx, royaltyRows, "r.id = $1", id)
	if err != nil {
		return nil, err
	}
	if royalty.RunID == 0 {
		return nil, update(ctx, tx, "v402_registry_royalties", "status, updated_at", string(registry.RoyaltyVoided), micros(at), id)
	}
	adjustment, err := newIDs(ctx, tx, "royalty", 1)
	if err != nil {
		return nil, err
	}
	row := royaltyRow(&registry.Royalty{
		ID: adjustment, SaleID: royalty.SaleID, SellerID: royalty.SellerID, OriginID: royalty.OriginID, Amount: -royalty.Amount,
		Status: registry.RoyaltyPending, AdjustsID: royalty.ID, DueAt: at, CreatedAt: at, UpdatedAt: at,
	})
	if err := insert(ctx, tx, "v402_registry_royalties", royaltyColumns, [][]any{row}); err != nil {
		return nil, err
	}
	added, err := single(ctx, tx, royaltyRows, "r.id = $1", adjustment)
	return &added, err
}

// Sale implements [registry.SaleStore].
func (s *DB) Sale(ctx context.Context, id int64) (registry.Sale, error) {
	sale, err := single(ctx, s.read, saleRows, "t.id = $1", id)
	if err != nil {
		return sale, s.errorf("sale %d: %w", id, err)
	}
	return sale, nil
}

// Sales implements [registry.SaleStore].
func (s *DB) Sales(ctx context.Context, f registry.SaleFilter, o registry.PageOptions) (registry.List[registry.Sale], error) {
	list, err := pageOfParty(ctx, s.read, saleRows, saleFilter(f), o)
	if err != nil {
		return list, s.errorf("list sales: %w", err)
	}
	return list, nil
}

// SalesAfter implements [registry.SaleStore].
func (s *DB) SalesAfter(ctx context.Context, f registry.SaleFilter, id int64, limit int) ([]registry.Sale, error) {
	sales, err := afterOfParty(ctx, s.read, saleRows, saleFilter(f), id, limit)
	if err != nil {
		return nil, s.errorf("list sales: %w", err)
	}
	return sales, nil
}

func saleFilter(of registry.SaleFilter) partyFilter {
	f := newPartyFilter("t", of.PartyID, of.SellerID, of.OriginID)
	f.text("t.contract_id = (SELECT id FROM v402_registry_contracts WHERE hash_key = ?)", of.ContractKey)
	f.text("t.status = ?", string(of.Status))
	f.within("t.sold_at", of.From, of.To)
	return f
}
