package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

var _ account.Store = (*DB)(nil)

const userColumns = "id, role, status, status_reason, username, email, name, website, verified, public_key, search_text, " +
	"created_at, updated_at, last_seen_at, keys_reset_by"

func userRow(u *account.User) []any {
	return []any{
		u.ID, string(u.Role), string(u.Status), u.StatusReason, u.Username, u.Email, u.Name, u.Website, u.Verified, u.PublicKey,
		account.SearchText(*u), micros(u.CreatedAt), micros(u.UpdatedAt), optional(u.LastSeenAt), u.KeysResetBy,
	}
}

// userFields are where a row of userColumns is scanned to; done puts together
// what is not stored as it is.
func userFields(u *account.User) (fields []any, done func()) {
	var search string
	var createdAt, updatedAt, lastSeenAt int64
	fields = []any{
		&u.ID, &u.Role, &u.Status, &u.StatusReason, &u.Username, &u.Email, &u.Name, &u.Website, &u.Verified, &u.PublicKey, &search,
		&createdAt, &updatedAt, &lastSeenAt, &u.KeysResetBy,
	}
	return fields, func() {
		u.CreatedAt, u.UpdatedAt, u.LastSeenAt = moment(createdAt), moment(updatedAt), optionalMoment(lastSeenAt)
	}
}

var users = selection[account.User]{
	columns: userColumns, counted: "v402_users", id: "created_at DESC, id",
	scan: func(rows *sql.Rows) (u account.User, err error) {
		fields, done := userFields(&u)
		err = rows.Scan(fields...)
		done()
		return u, err
	},
}

// AddUser implements [account.UserStore].
func (s *DB) AddUser(ctx context.Context, u account.User, key *account.APIKey, trail account.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		row := userRow(&u)
		result, err := tx.ExecContext(ctx, "INSERT INTO v402_users ("+userColumns+") VALUES "+list(1, len(row))+
			" ON CONFLICT (public_key) WHERE public_key <> '' DO NOTHING", row...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstError(err, account.ErrPublicKeyTaken)
		}
		if key != nil {
			if err := insertKey(ctx, tx, *key); err != nil {
				return err
			}
		}
		return s.recordTrail(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("add user %s: %w", u.ID, err)
	}
	return nil
}

// UpdateUser implements [account.UserStore].
func (s *DB) UpdateUser(ctx context.Context, id string, change func(*account.User) (account.UserChange, error)) (account.User, error) {
	var u account.User
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		old, err := single(ctx, tx, users, "id = $1"+s.lock, id)
		if err != nil {
			return err
		}
		u = old
		c, err := change(&u)
		if err != nil {
			return err
		}
		u.ID, u.CreatedAt, u.LastSeenAt = old.ID, old.CreatedAt, old.LastSeenAt
		if u.PublicKey != old.PublicKey {
			if err := freePublicKey(ctx, tx, u); err != nil {
				return err
			}
		}
		row := userRow(&u)
		if err := update(ctx, tx, "v402_users", strings.TrimPrefix(userColumns, "id, "), append(row[1:], id)...); err != nil {
			return takenMeanwhile(err)
		}
		if err := changeKeys(ctx, tx, id, c); err != nil {
			return err
		}
		if u, err = single(ctx, tx, users, "id = $1", id); err != nil {
			return err
		}
		return s.recordTrail(ctx, tx, c.Trail)
	})
	if err != nil {
		return account.User{}, s.errorf("update user %s: %w", id, err)
	}
	return u, nil
}

// freePublicKey refuses a public key that another has.
func freePublicKey(ctx context.Context, tx querier, u account.User) error {
	if u.PublicKey == "" {
		return nil
	}
	others, err := all(ctx, tx, column[string], "SELECT id FROM v402_users WHERE public_key = $1 AND public_key <> '' AND id <> $2", u.PublicKey, u.ID)
	if err == nil && len(others) > 0 {
		err = account.ErrPublicKeyTaken
	}
	return err
}

// takenMeanwhile asks for a look at who took what must be unique (PostgreSQL,
// unique_violation).
func takenMeanwhile(err error) error {
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "23505" {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// User implements [account.UserStore].
func (s *DB) User(ctx context.Context, id string) (account.User, error) {
	u, err := single(ctx, s.read, users, "id = $1", id)
	if err != nil {
		return u, s.errorf("user %s: %w", id, err)
	}
	return u, nil
}

// UserByPublicKey implements [account.UserStore].
func (s *DB) UserByPublicKey(ctx context.Context, publicKey string) (account.User, error) {
	u, err := single(ctx, s.read, users, "public_key = $1 AND public_key <> ''", publicKey)
	if err != nil {
		return u, s.errorf("user with the public key %s: %w", publicKey, err)
	}
	return u, nil
}

// UsersByID implements [account.UserStore].
func (s *DB) UsersByID(ctx context.Context, ids []string) ([]account.User, error) {
	var found []account.User
	for run := range pieces(ids, s.names) {
		some, err := all(ctx, s.read, users.scan, "SELECT "+userColumns+" FROM v402_users WHERE id IN "+list(1, len(run)), anys(run)...)
		if err != nil {
			return nil, s.errorf("users by ID: %w", err)
		}
		found = append(found, some...)
	}
	return found, nil
}

// Users implements [account.UserStore].
func (s *DB) Users(ctx context.Context, of account.Filter, p store.PageNumber) (store.List[account.User], error) {
	var f filter
	f.text("role = ?", string(of.Role))
	f.text("status = ?", string(of.Status))
	if of.Search != "" {
		f.add(`search_text LIKE ? ESCAPE '\'`, "%"+likeText(strings.ToLower(of.Search))+"%")
	}
	f.within("created_at", of.From, of.Before)
	l, err := numbered(ctx, s.read, users, f, p)
	if err != nil {
		return l, s.errorf("list users: %w", err)
	}
	return l, nil
}
