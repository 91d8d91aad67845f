package registry

import (
	"strconv"
	"time"
)

// PlatformStatus is where a platform stands: pending –approve→ active, pending
// –reject→ inactive, active –suspend→ inactive –reinstate→ active.
type PlatformStatus string

// The statuses of a platform.
const (
	PlatformPending  PlatformStatus = "pending"
	PlatformActive   PlatformStatus = "active"
	PlatformInactive PlatformStatus = "inactive" // rejected (ApprovedAt is zero) or suspended
)

// Platform is an application and, once it was approved, the platform: they have
// one ID.
type Platform struct {
	ID              int64
	Status          PlatformStatus
	Name            string // of the person who applies
	Email           string // as given; compared case-insensitively
	PlatformName    string
	PlatformAddress string
	PlatformPhone   string
	PlatformEmail   string
	APIEndpoint     string // where callbacks go; may be empty
	PayoutAddress   string // where it is paid in stablecoin; may be empty
	PasswordHash    string `json:"-"` // bcrypt
	Sealed          string `json:"-"` // [Secrets], encrypted
	CallbackSecrets string `json:"-"` // what signs callbacks, encrypted; empty until there is an APIEndpoint
	AdminNotes      string
	KeyHash         string `json:"-"` // SHA-256 of the API key, hex; empty until approved
	KeyPrefix       string // the first characters of the key, to recognise it by
	KeyCreatedAt    time.Time
	CreatedAt       time.Time
	ApprovedAt      time.Time // zero until approved
	RejectedAt      time.Time // zero unless rejected; then the e-mail is free again
	UpdatedAt       time.Time
}

// Secrets is what a platform stores encrypted. Every read is audited.
type Secrets struct {
	TINNumber         string `json:"tin_number"`
	BankAccountNumber string `json:"bank_account_number"`
	BankRoutingNumber string `json:"bank_routing_number"`
	BankName          string `json:"bank_name"`
}

// Application asks to become a platform. Unmarshalled from JSON it remembers
// fields of a wrong type and reports them with all else that is wrong.
type Application struct {
	Name                 string
	Email                string
	Password             string
	PasswordConfirmation string
	PlatformName         string
	PlatformAddress      string
	TINNumber            string
	PlatformPhone        string
	PlatformEmail        string
	BankAccountNumber    string
	BankRoutingNumber    string
	BankName             string
	APIEndpoint          string // optional

	faults faults
}

// PlatformUpdate changes what is not nil.
type PlatformUpdate struct {
	Name              *string
	PlatformAddress   *string
	PlatformPhone     *string
	PlatformEmail     *string
	APIEndpoint       *string // "" removes it
	PayoutAddress     *string // "" removes it
	BankAccountNumber *string
	BankRoutingNumber *string
	BankName          *string

	faults faults
}

// Credentials are a platform and what was made for it just now, which is shown
// this once. What was not made is empty.
type Credentials struct {
	Platform       Platform
	APIKey         string
	CallbackSecret string    // see [Callback]
	PreviousUntil  time.Time // when the callback secret before it ends; zero if there was none
}

// ApplicationView is an application as admins list it: with its tax number and
// its bank's name, never with account or routing numbers.
type ApplicationView struct {
	Platform
	TINNumber string
	BankName  string
}

// PlatformFilter selects platforms; zero fields select all.
type PlatformFilter struct {
	Status      PlatformStatus
	Approved    bool   // only those that were approved once
	Query       string // a part of the platform's name, in whatever case
	OldestFirst bool
}

// Actor names p in the audit log: "platform:7".
func (p Platform) Actor() string { return p.subject() }

func (p Platform) subject() string { return "platform:" + strconv.FormatInt(p.ID, 10) }

// setKey makes key the only one that p has.
func (p *Platform) setKey(key string, now time.Time) {
	p.KeyHash, p.KeyPrefix, p.KeyCreatedAt = hashKey(key), key[:shownOfKey], now
}
