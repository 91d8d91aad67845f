package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/v402/v402/store"
)

// Kind sorts errors by what their receiver can do about them.
type Kind int

// The kinds, with the HTTP status that stands for each.
const (
	Unauthorized Kind = iota + 1 // 401: nobody known
	Forbidden                    // 403: somebody known who may not
	NotFound                     // 404: errors.Is(err, store.ErrNotFound) holds as well
	State                        // 400: its state does not allow it; errors.Is(err, store.ErrConflict) holds as well
)

// Error is a refusal. Message is for the caller to read. Compare with errors.Is
// and one of the Err values.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return "registry: " + e.Message }

// Is makes refusals comparable with the errors of package store.
func (e *Error) Is(target error) bool {
	return e.Kind == NotFound && target == store.ErrNotFound || e.Kind == State && target == store.ErrConflict
}

// What a Service refuses, beside a [ValidationError].
var (
	ErrInvalidKey         = &Error{Unauthorized, "Invalid or missing API key"}
	ErrPlatformInactive   = &Error{Forbidden, "Platform is not active"}
	ErrAdminRequired      = &Error{Unauthorized, "Admin authentication required"}
	ErrAdminForbidden     = &Error{Forbidden, "Admin access denied"}
	ErrApplicationUnknown = &Error{NotFound, "Application not found"}
	ErrApplicationDecided = &Error{State, "Application is not pending"}
	ErrPlatformUnknown    = &Error{NotFound, "Platform not found"}
	ErrNoCallback         = &Error{NotFound, "Platform has no callback"}
	ErrPlatformState      = &Error{State, "Platform status does not allow this"}
	ErrContractUnknown    = &Error{NotFound, "Contract not found"}
	ErrNotPublisher       = &Error{Forbidden, "Only the publishing platform can revoke this contract"}
	ErrNotOwner           = &Error{Forbidden, "Only the publishing platform can change this contract"}
	ErrContractRevoked    = &Error{State, "Contract is already revoked"}
	ErrPublicationUnknown = &Error{NotFound, "Publication not found"}
	ErrNoTerms            = &Error{NotFound, "Contract has no royalty terms"}
	ErrSaleUnknown        = &Error{NotFound, "Sale not found"}
	ErrNotSeller          = &Error{Forbidden, "Only the selling platform can void this sale"}
	ErrSaleVoided         = &Error{State, "Sale is already voided"}
	ErrVoidTooLate        = &Error{State, "Sale is too old to be voided"}
	ErrRoyaltyUnknown     = &Error{NotFound, "Royalty not found"}
	ErrRoyaltyState       = &Error{State, "Royalty status does not allow this"}
	ErrMirrorUnknown      = &Error{NotFound, "Mirror not found"}
	ErrNotMirrorOwner     = &Error{Forbidden, "Only the mirroring platform can remove this mirror"}
	ErrSettlementUnknown  = &Error{NotFound, "Settlement not found"}
	ErrSettlementState    = &Error{State, "Settlement status does not allow this"}
)

// Errors that a [Store] returns, wrapped, beside store.ErrNotFound and
// store.ErrConflict.
var (
	// ErrEmailTaken: a pending or approved platform has the e-mail.
	ErrEmailTaken = errors.New("the e-mail is taken")
)

// HashesTakenError is what [Store.RegisterContracts] returns if hashes are
// registered already, by whomever.
type HashesTakenError struct {
	Hashes []string // as given in the call, in its order
}

func (e *HashesTakenError) Error() string {
	return "contract hashes already exist: " + strings.Join(e.Hashes, ", ")
}

// ContractInactiveError is what [Store.AddSales] and [Store.PutMirror] return if a
// contract is not active any more. errors.Is(err, store.ErrConflict) holds.
type ContractInactiveError struct {
	Index int // of the sale in the call; 0 for a mirror
}

func (e *ContractInactiveError) Error() string {
	return fmt.Sprintf("report %d: the contract is not active", e.Index)
}

// Unwrap implements the convention of package errors.
func (e *ContractInactiveError) Unwrap() error { return store.ErrConflict }

// ValidationError lists what was wrong with an input, by field. Nothing was
// changed. Its message on the surface is "Validation failed", status 422.
type ValidationError struct {
	Fields map[string][]string // such as "contract_hash" -> ["Contract hash is not registered."]
}

func (e *ValidationError) Error() string {
	var b strings.Builder
	b.WriteString("registry: validation failed")
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		fmt.Fprintf(&b, "; %s: %s", field, strings.Join(e.Fields[field], " "))
	}
	return b.String()
}

// Invalid is a ValidationError of one field.
func Invalid(field, message string) *ValidationError {
	return &ValidationError{Fields: map[string][]string{field: {message}}}
}

// faults collects what is wrong with an input.
type faults map[string][]string

func (f *faults) add(field, message string) {
	if *f == nil {
		*f = faults{}
	}
	(*f)[field] = append((*f)[field], message)
}

// has says whether field is known to be wrong, so that no second message
// follows from the first.
func (f faults) has(field string) bool { return len(f[field]) > 0 }

// merge adds what is wrong with the input of an index.
func (f *faults) merge(of faults, prefix string, index int) {
	for field, messages := range of {
		if prefix != "" {
			field = prefix + strconv.Itoa(index) + "." + field
		}
		for _, m := range messages {
			f.add(field, m)
		}
	}
}

// clone keeps the input that was decoded as it is: it may be used again.
func (f faults) clone() faults {
	c := make(faults, len(f))
	for field, messages := range f {
		c[field] = slices.Clone(messages)
	}
	return c
}

// err is nil if nothing is wrong.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &ValidationError{Fields: f}
}

// refusal turns an error of a store into what the caller is told: unknown, for
// what was not found. Refusals of ours pass.
func refusal(err error, unknown *Error, tried string) error {
	var known *Error
	var invalid *ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &invalid):
		return invalid
	case unknown != nil && errors.Is(err, store.ErrNotFound):
		return unknown
	default:
		return fmt.Errorf("registry: %s: %w", tried, err)
	}
}
