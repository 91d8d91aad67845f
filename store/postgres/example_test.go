package postgres_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/v402/v402/store/postgres"
)

// A consumer of events. It needs a server, so it is not run as a test.
func ExampleOpen() {
	ctx := context.Background()
	db, err := postgres.Open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	now := time.Now()
	events, err := db.LeaseEvents(ctx, "mailer", now, now.Add(time.Minute), 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	var done []string
	for _, e := range events {
		fmt.Println(e.Type, e.Subject)
		done = append(done, e.ID)
	}
	if err := db.AckEvents(ctx, "mailer", done); err != nil {
		fmt.Println(err)
	}
}
