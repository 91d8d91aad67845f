package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/memory"
)

// The API under a prefix, asked by somebody without a key.
func ExampleService_Handler() {
	service, err := registry.New(registry.Config{Store: memory.New(), Admin: registry.BearerToken("ada", "a long secret")})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/royalties/", http.StripPrefix("/royalties", service.Handler()))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/royalties/api/contracts/validate", strings.NewReader(`{"contract_hash":"hash1"}`)))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 401 {"success":false,"message":"Invalid or missing API key","data":null}
}
