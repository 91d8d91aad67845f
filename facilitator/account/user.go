package account

import (
	"slices"
	"strings"
	"time"
)

// Role is what a user is here for, and what they may do.
type Role string

// The roles. Who registers becomes one of the last three.
const (
	RoleSuperAdmin      Role = "super_admin" // may also make and unmake admins
	RoleAdmin           Role = "admin"
	RoleContentProvider Role = "content_provider"
	RoleIndexClient     Role = "index_client"
	RoleEndUser         Role = "end_user"
)

// Roles are all roles.
func Roles() []Role {
	return []Role{RoleSuperAdmin, RoleAdmin, RoleContentProvider, RoleIndexClient, RoleEndUser}
}

// Status is where a user stands: pending → active ↔ suspended; all of them can
// become banned or deleted, and a banned one deleted.
type Status string

// The statuses of a user.
const (
	StatusPending   Status = "pending" // waits for an admin
	StatusActive    Status = "active"
	StatusSuspended Status = "suspended"
	StatusBanned    Status = "banned"
	StatusDeleted   Status = "deleted"
)

// Statuses are all statuses.
func Statuses() []Status {
	return []Status{StatusPending, StatusActive, StatusSuspended, StatusBanned, StatusDeleted}
}

var transitions = map[Status][]Status{
	StatusPending:   {StatusActive, StatusBanned, StatusDeleted},
	StatusActive:    {StatusSuspended, StatusBanned, StatusDeleted},
	StatusSuspended: {StatusActive, StatusBanned, StatusDeleted},
	StatusBanned:    {StatusDeleted},
}

// CanBecome says whether a user of status s can get the status to.
func (s Status) CanBecome(to Status) bool { return slices.Contains(transitions[s], to) }

// User is one who sells, buys or administers. E-mail and names are what the user
// says and need not be unique; ID and PublicKey are.
type User struct {
	ID           string // a UUID, or "admin:NAME" for the holder of a static admin token
	Role         Role
	Status       Status
	StatusReason string // why the status was last changed
	Username     string
	Email        string
	Name         string // shown to buyers
	Website      string
	Verified     bool   // an admin has looked: shown to buyers
	PublicKey    string // of the wallet that signs in: see [ParsePublicKey]; or empty
	KeysResetBy  string // the admin who has reset the API keys, and has seen one; "several", or empty
	CreatedAt    time.Time
	UpdatedAt    time.Time
	LastSeenAt   time.Time // to a few minutes; zero if never
}

// Active says whether the user may do anything at all.
func (u User) Active() bool { return u.Status == StatusActive }

// IsAdmin says whether the user may use the admin API.
func (u User) IsAdmin() bool { return u.Role == RoleAdmin || u.Role == RoleSuperAdmin }

// IsProvider says whether the user may use the provider API: admins may too.
func (u User) IsProvider() bool { return u.Role == RoleContentProvider || u.IsAdmin() }

// static says whether u is the holder of a static admin token.
func (u User) static() bool { return strings.HasPrefix(u.ID, staticPrefix) }

// staticPrefix begins the IDs of those who have a static admin token.
const staticPrefix = "admin:"

// DisplayName is how the user is called in public; it may be empty.
func (u User) DisplayName() string {
	if u.Name != "" {
		return u.Name
	}
	return u.Username
}

// SearchText is what [Filter.Search] is looked for in, in lower case.
func SearchText(u User) string {
	return strings.ToLower(strings.Join([]string{u.ID, u.PublicKey, u.Username, u.Email, u.Name}, "\n"))
}

// Filter selects users; zero fields select all.
type Filter struct {
	Role         Role
	Status       Status
	Search       string    // a part of ID, public key, username, e-mail or name, in whatever case
	From, Before time.Time // CreatedAt in [From, Before)
}
