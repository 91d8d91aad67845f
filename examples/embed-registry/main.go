// Command embed-registry has a contract registry in a server of its own, under
// /royalties and behind its own users, on http://127.0.0.1:8080.
//
// REGISTRY_KEY encrypts tax numbers and bank details (openssl rand -hex 32),
// ADMIN_PASSWORD is that of the user "ada", and REGISTRY_DB the file (default
// registry.db).
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/sqlite"
)

func main() {
	key, err := hex.DecodeString(os.Getenv("REGISTRY_KEY"))
	check(err)
	db, err := sqlite.Open(context.Background(), cmp.Or(os.Getenv("REGISTRY_DB"), "registry.db"))
	check(err)
	server, err := newServer(db, key, users{"ada": os.Getenv("ADMIN_PASSWORD")})
	check(err)
	check(http.ListenAndServe("127.0.0.1:8080", server))
}

func newServer(db registry.Store, key []byte, u users) (http.Handler, error) {
	service, err := registry.New(registry.Config{Store: db, EncryptionKey: key, Admin: u.admin})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "Welcome to the shop.") })
	mux.Handle("/royalties/", http.StripPrefix("/royalties", service.Handler()))
	return mux, nil
}

// users are the accounts that this server has anyway: passwords by name.
type users map[string]string

// admin admits users to the registry's admin routes, under their own names.
func (u users) admin(r *http.Request) (string, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return "", registry.ErrAdminRequired
	}
	want, have := sha256.Sum256([]byte(u[name])), sha256.Sum256([]byte(password))
	if u[name] == "" || subtle.ConstantTimeCompare(want[:], have[:]) != 1 {
		return "", registry.ErrAdminForbidden
	}
	return "user:" + name, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
