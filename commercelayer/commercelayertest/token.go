package commercelayertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// header is a token's first part, in the order the service writes it.
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

// claims is a token's second part. What does not apply is absent, not null.
type claims struct {
	Organization *organizationClaim `json:"organization,omitempty"`
	User         *userClaim         `json:"user,omitempty"`
	Application  applicationClaim   `json:"application"`
	Market       *marketClaim       `json:"market,omitempty"`
	Owner        *Owner             `json:"owner,omitempty"`
	CustomClaim  json.RawMessage    `json:"custom_claim,omitempty"`
	Scope        string             `json:"scope"`
	Expires      int64              `json:"exp"`
	Test         bool               `json:"test"`
	Random       float64            `json:"rand"`
	IssuedAt     int64              `json:"iat"`
	Issuer       string             `json:"iss"`
}

type organizationClaim struct {
	ID         string `json:"id"`
	Slug       string `json:"slug"`
	Enterprise bool   `json:"enterprise"`
	Region     string `json:"region"`
}

type userClaim struct {
	ID string `json:"id"`
}

type applicationClaim struct {
	ID           string `json:"id"`
	Kind         Kind   `json:"kind"`
	ClientID     string `json:"client_id"`
	Public       bool   `json:"public"`
	Confidential bool   `json:"confidential"`
}

type marketClaim struct {
	IDs                  []string `json:"id"`
	StockLocationIDs     []string `json:"stock_location_ids"`
	GeocoderID           *string  `json:"geocoder_id"`
	AllowsExternalPrices bool     `json:"allows_external_prices"`
}

// Owner is whom a token speaks for.
type Owner struct {
	Type string `json:"type"` // Customer or User
	ID   string `json:"id"`
}

// subject is all that makes a token what it is, its time aside.
type subject struct {
	issuer       string
	app          *Application
	scope        scope
	owner        Owner // zero for a guest
	custom       json.RawMessage
	confidential bool // the request carried the secret
}

// key tells two subjects apart. Lengths come first, so that no two can be
// spelled alike.
func (s *subject) key() string {
	var b strings.Builder
	for _, part := range []string{s.issuer, s.app.ClientID, s.scope.text, s.owner.Type, s.owner.ID, string(s.custom)} {
		b.WriteString(lengthOf(part))
		b.WriteString(part)
	}
	if s.confidential {
		b.WriteString("confidential")
	}
	return b.String()
}

func lengthOf(s string) string {
	text, _ := json.Marshal(len(s))
	return string(text) + ":"
}

// mint makes and signs a new access token.
func (s *subject) mint(o *Options, key *signingKey, issued, expires time.Time) (string, error) {
	c := claims{
		Application: applicationClaim{
			ID: s.app.ID, Kind: s.app.Kind, ClientID: s.app.ClientID,
			Public: s.app.public(), Confidential: s.confidential,
		},
		CustomClaim: s.custom,
		Scope:       s.scope.text,
		Expires:     expires.Unix(),
		Random:      rand.Float64(),
		IssuedAt:    issued.Unix(),
		Issuer:      s.issuer,
	}
	if s.app.Kind == User {
		c.User = &userClaim{s.app.UserID}
	} else {
		c.Test = !o.Organization.Live
		c.Organization = &organizationClaim{
			ID: o.Organization.ID, Slug: o.Organization.Slug,
			Enterprise: !o.Organization.Standard, Region: o.Organization.Region,
		}
	}
	if s.owner.ID != "" {
		c.Owner = &s.owner
	}
	if s.scope.narrow() && (s.app.Kind == SalesChannel || s.app.Kind == Webapp) {
		c.Market = &marketClaim{IDs: s.scope.marketIDs(), StockLocationIDs: s.scope.stockLocationIDs()}
	}
	head, err := segment(header{"RS512", "JWT", key.id})
	if err != nil {
		return "", err
	}
	body, err := segment(c)
	if err != nil {
		return "", err
	}
	signed := head + "." + body
	signature, err := jwt.SigningMethodRS512.Sign(signed, key.private)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// segment encodes one part of a token. A custom claim must come back verbatim,
// so nothing is escaped for HTML.
func segment(part any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(part); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(bytes.TrimRight(b.Bytes(), "\n")), nil
}
