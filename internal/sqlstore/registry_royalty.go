package sqlstore

import (
	"context"
	"database/sql"

	"github.com/v402/v402/registry"
)

const royaltyColumns = "id, sale_id, seller_id, origin_id, amount, status, adjusts_id, run_id, underreported, reason, due_at, created_at, updated_at"

func royaltyRow(r *registry.Royalty) []any {
	return []any{r.ID, r.SaleID, r.SellerID, r.OriginID, int64(r.Amount), string(r.Status), r.AdjustsID, r.RunID, r.Underreported, r.Reason,
		micros(r.DueAt), micros(r.CreatedAt), micros(r.UpdatedAt)}
}

// royaltyRows are royalties r with the names of their platforms and the hash of
// their sale.
var royaltyRows = selection[registry.Royalty]{
	columns: "r.id, r.sale_id, r.seller_id, r.origin_id, r.amount, r.status, r.adjusts_id, r.run_id, r.underreported, r.reason, " +
		"r.due_at, r.created_at, r.updated_at, t.contract_hash, a.platform_name, b.platform_name",
	counted: "v402_registry_royalties r",
	joined: " JOIN v402_registry_sales t ON t.id = r.sale_id" +
		" JOIN v402_registry_platforms a ON a.id = r.seller_id JOIN v402_registry_platforms b ON b.id = r.origin_id",
	id:   "r.id",
	scan: scanRoyalty,
}

func scanRoyalty(rows *sql.Rows) (r registry.Royalty, err error) {
	var dueAt, createdAt, updatedAt int64
	err = rows.Scan(&r.ID, &r.SaleID, &r.SellerID, &r.OriginID, &r.Amount, &r.Status, &r.AdjustsID, &r.RunID, &r.Underreported, &r.Reason,
		&dueAt, &createdAt, &updatedAt, &r.ContractHash, &r.SellerName, &r.OriginName)
	r.DueAt, r.CreatedAt, r.UpdatedAt = moment(dueAt), moment(createdAt), moment(updatedAt)
	return r, err
}

// Royalty implements [registry.SaleStore].
func (s *DB) Royalty(ctx context.Context, id int64) (registry.Royalty, error) {
	r, err := single(ctx, s.read, royaltyRows, "r.id = $1", id)
	if err != nil {
		return r, s.errorf("royalty %d: %w", id, err)
	}
	return r, nil
}

// UpdateRoyalty implements [registry.SaleStore].
func (s *DB) UpdateRoyalty(ctx context.Context, id int64, change func(*registry.Royalty) (registry.Trail, error)) (registry.Royalty, error) {
	var r registry.Royalty
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := s.lockRow(ctx, tx, "v402_registry_royalties", "id", id); err != nil {
			return err
		}
		var err error
		if r, err = single(ctx, tx, royaltyRows, "r.id = $1", id); err != nil {
			return err
		}
		trail, err := change(&r)
		if err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_registry_royalties", "status, reason, updated_at",
			string(r.Status), r.Reason, micros(r.UpdatedAt), id); err != nil {
			return err
		}
		if r, err = single(ctx, tx, royaltyRows, "r.id = $1", id); err != nil {
			return err
		}
		return s.record(ctx, tx, trail)
	})
	if err != nil {
		return registry.Royalty{}, s.errorf("update royalty %d: %w", id, err)
	}
	return r, nil
}

// Royalties implements [registry.SaleStore].
func (s *DB) Royalties(ctx context.Context, f registry.RoyaltyFilter, o registry.PageOptions) (registry.List[registry.Royalty], error) {
	list, err := pageOfParty(ctx, s.read, royaltyRows, royaltyFilter(f), o)
	if err != nil {
		return list, s.errorf("list royalties: %w", err)
	}
	return list, nil
}

// RoyaltiesAfter implements [registry.SaleStore].
func (s *DB) RoyaltiesAfter(ctx context.Context, f registry.RoyaltyFilter, id int64, limit int) ([]registry.Royalty, error) {
	royalties, err := afterOfParty(ctx, s.read, royaltyRows, royaltyFilter(f), id, limit)
	if err != nil {
		return nil, s.errorf("list royalties: %w", err)
	}
	return royalties, nil
}

func royaltyFilter(of registry.RoyaltyFilter) partyFilter {
	f := newPartyFilter("r", of.PartyID, of.SellerID, of.OriginID)
	if of.Between != [2]int64{} {
		f.add("? IN (r.seller_id, r.origin_id)", of.Between[0])
		f.add("? IN (r.seller_id, r.origin_id)", of.Between[1])
		f.conditions = append(f.conditions, "r.seller_id <> r.origin_id")
	}
	f.text("r.status = ?", string(of.Status))
	f.id("r.run_id = ?", of.RunID)
	f.within("r.due_at", of.From, of.To)
	return f
}
