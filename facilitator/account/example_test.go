package account_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store/memory"
)

// A user registers, shows their key, and is suspended.
func Example() {
	ctx := context.Background()
	service, err := account.New(account.Config{Store: memory.New(), AdminTokens: map[string]string{"ada": "a long random token"}})
	if err != nil {
		panic(err)
	}
	made, err := service.Register(ctx, account.Registration{Role: account.RoleContentProvider, Username: "john"})
	if err != nil {
		panic(err)
	}
	john, err := service.AuthenticateKey(ctx, made.Secret)
	fmt.Println(john.Username, john.Status, err)

	ada := account.User{ID: "admin:ada", Role: account.RoleAdmin}
	if _, err := service.SetStatus(ctx, ada, john.ID, account.StatusChange{Status: account.StatusSuspended, Reason: "Terms violation"}); err != nil {
		panic(err)
	}
	_, err = service.AuthenticateKey(ctx, made.Secret)
	fmt.Println(errors.Is(err, account.ErrSuspended))
	// Output:
	// john active <nil>
	// true
}

// The handler serves the same over HTTP; here an admin lists users.
func ExampleService_Handler() {
	service, err := account.New(account.Config{Store: memory.New(), AdminTokens: map[string]string{"ada": "a long random token"}})
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "/api/v1/admin/users?role=content_provider&status=active", nil)
	r.Header.Set("Authorization", "Bearer a long random token")
	w := httptest.NewRecorder()
	service.Handler().ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 {"items":[],"total":0,"page":1,"size":50,"pages":0}
}

// SigningText is what a wallet signs to send a request.
func ExampleSigningText() {
	fmt.Println(account.SigningText("GET", "/api/v1/clients/profile", nil, "1705315500", "a-nonce-of-mine"))
	// Output:
	// v402
	// GET
	// /api/v1/clients/profile
	// e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
	// 1705315500
	// a-nonce-of-mine
}
