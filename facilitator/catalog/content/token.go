package content

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Ticket is what a proof says: who may read what until when.
type Ticket struct {
	Grant    string // ID of the grant; empty if the product was free
	Product  string // ID of the product
	Payer    string // address of who paid; only in tokens, and empty where nobody did
	Counted  bool   // the grant is for so many accesses; only in tokens
	IssuedAt time.Time
	Expires  time.Time
}

// What is wrong with a proof.
var (
	ErrMissing = errors.New("content: no proof of payment: neither a signed URL nor an access token")
	ErrInvalid = errors.New("content: the proof of payment is not valid")
	ErrExpired = errors.New("content: the proof of payment has expired")
	ErrCounted = errors.New("content: the access token is for a number of accesses: exchange it for a signed URL at the catalog, which counts them")
)

const issuer = "v402"

// maxToken bounds what is parsed, in bytes.
const maxToken = 2048

type claims struct {
	jwt.RegisteredClaims
	Payer   string `json:"payer,omitempty"`
	Counted bool   `json:"counted,omitempty"`
}

// Token makes the access token of t. Times are kept in seconds.
func Token(key string, t Ticket) (string, error) {
	if key == "" || t.Product == "" {
		return "", errors.New("content: a token needs a key and a product")
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Subject: t.Grant, Audience: jwt.ClaimStrings{t.Product},
			IssuedAt: jwt.NewNumericDate(t.IssuedAt), ExpiresAt: jwt.NewNumericDate(t.Expires),
		},
		Payer: t.Payer, Counted: t.Counted,
	}).SignedString([]byte(key))
}

// Token verifies an access token for product.
func (v Verifier) Token(product, token string) (Ticket, error) {
	if len(token) > maxToken {
		return Ticket{}, ErrInvalid
	}
	var err error
	for _, key := range v.Keys {
		var t Ticket
		if t, err = v.token(key, product, token); err == nil || errors.Is(err, ErrExpired) {
			return t, err
		}
	}
	if err == nil {
		err = ErrInvalid
	}
	return Ticket{}, err
}

func (v Verifier) token(key, product, token string) (Ticket, error) {
	if key == "" || product == "" {
		return Ticket{}, ErrInvalid
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return []byte(key), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(product),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(v.now))
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Ticket{}, ErrExpired
	case err != nil:
		return Ticket{}, fmt.Errorf("%w: %v", ErrInvalid, err)
	case len(c.Audience) != 1 || c.IssuedAt == nil:
		return Ticket{}, ErrInvalid
	}
	return Ticket{Grant: c.Subject, Product: product, Payer: c.Payer, Counted: c.Counted, IssuedAt: c.IssuedAt.UTC(), Expires: c.ExpiresAt.UTC()}, nil
}
