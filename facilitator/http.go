package facilitator

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

//go:embed openapi.yaml
var openAPI []byte

// Handler serves the facilitator's REST API (x402, section "Facilitator"),
// described in openapi.yaml:
//
//	POST /verify            GET /supported           GET /health
//	POST /settle            GET /settlements/{id}    GET /openapi.yaml
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	route := func(method, path string, h http.HandlerFunc) {
		mux.HandleFunc(method+" "+path, h)
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.methodNotAllowed(w, method) })
	}
	route("POST", "/verify", s.postVerify)
	route("POST", "/settle", s.postSettle)
	route("GET", "/supported", s.getSupported)
	route("GET", "/settlements/{id}", s.getSettlement)
	route("GET", "/health", s.getHealth)
	route("GET", "/openapi.yaml", s.getOpenAPI)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, http.StatusNotFound, "there is no such path; see GET /openapi.yaml")
	})
	return mux
}

// BearerToken is a [Config.Authorize] that asks for the header
// "Authorization: Bearer token".
func BearerToken(token string) func(*http.Request) error {
	want := sha256.Sum256([]byte(token))
	return func(r *http.Request) error {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if !strings.EqualFold(scheme, "Bearer") || token == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return errors.New("the header Authorization: Bearer with a valid token is needed")
		}
		return nil
	}
}

// admitted says whether r may verify and settle, and answers it if not.
func (s *Service) admitted(w http.ResponseWriter, r *http.Request) bool {
	if s.authorize == nil {
		return true
	}
	err := s.authorize(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.fail(w, http.StatusUnauthorized, err.Error())
	}
	return err == nil
}

func (s *Service) getSupported(w http.ResponseWriter, r *http.Request) {
	supported, err := s.Supported(r.Context())
	if err != nil {
		s.unavailable(w, r, err, "what is supported is not known now")
		return
	}
	s.write(w, http.StatusOK, supported)
}

// settlementBody is the answer to GET /settlements/{id}.
type settlementBody struct {
	ID           string       `json:"id"`
	State        State        `json:"state"`
	Network      x402.Network `json:"network"`
	Scheme       string       `json:"scheme"`
	Payer        string       `json:"payer"`
	PayTo        string       `json:"payTo"`
	Asset        string       `json:"asset"`
	Amount       x402.Amount  `json:"amount"`
	Transaction  string       `json:"transaction"`
	Block        uint64       `json:"block,omitempty"`
	ErrorReason  x402.Reason  `json:"errorReason,omitempty"`
	ErrorMessage string       `json:"errorMessage,omitempty"`
	ValidBefore  time.Time    `json:"validBefore"`
	CreatedAt    time.Time    `json:"createdAt"`
	UpdatedAt    time.Time    `json:"updatedAt"`
}

func (s *Service) getSettlement(w http.ResponseWriter, r *http.Request) {
	row, err := s.Settlement(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.fail(w, http.StatusNotFound, "there is no such settlement")
	case err != nil:
		s.unavailable(w, r, err, "the settlement cannot be read now")
	default:
		s.write(w, http.StatusOK, settlementBody{
			ID: row.ID, State: row.State, Network: row.Network, Scheme: row.Scheme,
			Payer: row.Payer, PayTo: row.PayTo, Asset: row.Asset, Amount: row.Amount,
			Transaction: row.Transaction, Block: row.Block, ErrorReason: row.Reason, ErrorMessage: row.Message,
			ValidBefore: row.ValidBefore.UTC(), CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
		})
	}
}

// getHealth is for load balancers: a process that is stopping gets no more.
func (s *Service) getHealth(w http.ResponseWriter, _ *http.Request) {
	status, body := http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"}
	if s.flights.isClosed() {
		status, body.Status = http.StatusServiceUnavailable, "stopping"
	}
	w.Header().Set("Cache-Control", "no-store")
	s.write(w, status, body)
}

func (s *Service) getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

func (s *Service) methodNotAllowed(w http.ResponseWriter, allowed string) {
	if allowed == http.MethodGet {
		allowed = "GET, HEAD"
	}
	w.Header().Set("Allow", allowed)
	s.fail(w, http.StatusMethodNotAllowed, "this path answers "+allowed+" only")
}

// unavailable answers what could not be found out, and logs why: the cause may
// name hosts and keys that are no business of the client.
func (s *Service) unavailable(w http.ResponseWriter, r *http.Request, err error, message string) {
	if r.Context().Err() == nil {
		s.log.Error("facilitator: "+message, "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Retry-After", "1")
	s.fail(w, http.StatusServiceUnavailable, message)
}

// errorBody is the form of every error that is not about one payment.
type errorBody struct {
	Error string `json:"error"`
}

func (s *Service) fail(w http.ResponseWriter, status int, message string) {
	s.write(w, status, errorBody{message})
}

func (s *Service) write(w http.ResponseWriter, status int, v any) {
	if err := web.JSON(w, status, v); err != nil {
		s.log.Error("facilitator: answer not encoded", "error", err)
		http.Error(w, `{"error":"the answer could not be encoded"}`, http.StatusInternalServerError)
	}
}
