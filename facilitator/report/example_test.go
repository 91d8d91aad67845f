package report_test

import (
	"context"
	"fmt"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
)

func Example() {
	ctx, db := context.Background(), memory.New()
	now := time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)
	_ = db.AddProducts(ctx, []catalog.Product{{ID: "p1", OwnerID: "ann", Title: "Tutorial", Currency: "USDC", Status: catalog.ProductActive}})
	_ = db.CountViews(ctx, map[string]int64{"p1": 45}, now, func(catalog.Product, int64) store.Event { return store.Event{ID: "e1"} })

	reports, err := report.New(report.Config{Store: db, Now: func() time.Time { return now }})
	if err != nil {
		panic(err)
	}
	d, err := reports.Dashboard(ctx, "ann", 30)
	if err != nil {
		panic(err)
	}
	fmt.Println(d.ActiveProducts, "product,", d.Total.Views, "views, revenue", d.Total.Revenue.In("USDC"))
	// Output: 1 product, 45 views, revenue 0
}
