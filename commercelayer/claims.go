package commercelayer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/bearerkit/bearer/internal/unverified"
)

// Claims are what an access token says. The zero value says nothing. Parts that
// the token lacks are nil.
//
// Claims that come from [DecodeUnverified] are not known to be true; those of a
// [Verifier] are.
type Claims struct {
	Issuer       string
	Scope        string
	ExpiresAt    time.Time // zero if absent
	IssuedAt     time.Time // zero if absent
	Test         bool      // test mode
	Rand         float64
	Application  Application
	Organization *Organization   // nil for the application user, and mostly for dashboard
	User         *User           // of the applications user and dashboard
	Owner        *Owner          // nil for a guest
	Market       *Market         // nil for market:all
	CustomClaim  json.RawMessage // of the assertion, verbatim; nil if absent; see [CustomClaim]

	// Unknown are the claims that none of the above has, by their names; nil if there are
	// none. What is new within a part is in Raw.
	Unknown map[string]json.RawMessage

	// Raw is the whole claims set, as the token has it.
	Raw json.RawMessage

	modeless bool // the token does not say whether it is of the test mode
}

// Application is the API client that a token was issued to.
type Application struct {
	ID           string `json:"id"`
	Kind         string `json:"kind"` // one of the Kinds, such as KindSalesChannel
	ClientID     string `json:"client_id"`
	Public       bool   `json:"public"`
	Confidential bool   `json:"confidential"` // it was asked for with the client secret
}

// Organization is the organization that a token is for.
type Organization struct {
	ID         string `json:"id"`
	Slug       string `json:"slug"` // names its Core API's host
	Enterprise bool   `json:"enterprise"`
	Region     string `json:"region"`
}

// User is a user of the dashboard.
type User struct {
	ID string `json:"id"`
}

// Owner is whom a token speaks for.
type Owner struct {
	Type string `json:"type"` // Customer or User
	ID   string `json:"id"`
}

// Market is what a token's scope allows to see.
type Market struct {
	ID                   []string `json:"id"`
	StockLocationIDs     []string `json:"stock_location_ids"`
	GeocoderID           string   `json:"geocoder_id"` // empty if none
	AllowsExternalPrices bool     `json:"allows_external_prices"`
}

// The kinds of applications.
const (
	KindSalesChannel = "sales_channel"
	KindIntegration  = "integration"
	KindWebapp       = "webapp"
	KindUser         = "user"      // of the Provisioning API
	KindDashboard    = "dashboard" // the service's own
)

// DecodeUnverified reads the claims of an access token and verifies nothing:
// anybody can make a token that says anything. It is for one's own tokens, as
// they came from the auth host. For those that others send use a
// [Verifier].
func DecodeUnverified(accessToken string) (*Claims, error) {
	var c Claims
	if err := decodePayload(accessToken, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// decodePayload decodes the middle part of a JWT. Its errors never quote it.
func decodePayload(accessToken string, into any) error {
	if err := unverified.Claims(accessToken, into); err != nil {
		return fmt.Errorf("commercelayer: the access token is not one of the service's: it %w", err)
	}
	return nil
}

// UnmarshalJSON reads the claims of a token, by their exact names.
func (c *Claims) UnmarshalJSON(b []byte) error {
	var set map[string]json.RawMessage
	if err := json.Unmarshal(b, &set); err != nil {
		return err
	}
	*c = Claims{Raw: bytes.Clone(b)}
	var test *bool
	var expires, issued json.Number
	for name, into := range map[string]any{
		"iss": &c.Issuer, "scope": &c.Scope, "exp": &expires, "iat": &issued, "test": &test, "rand": &c.Rand,
		"application": &c.Application, "organization": &c.Organization, "user": &c.User, "owner": &c.Owner, "market": &c.Market,
		"custom_claim": &c.CustomClaim,
	} {
		if raw, has := set[name]; has {
			if err := json.Unmarshal(raw, into); err != nil {
				return err
			}
			delete(set, name)
		}
	}
	c.Test, c.modeless = test != nil && *test, test == nil
	if string(c.CustomClaim) == "null" {
		c.CustomClaim = nil
	}
	c.ExpiresAt, c.IssuedAt = unverified.Unix(expires), unverified.Unix(issued)
	if len(set) > 0 {
		c.Unknown = set
	}
	return nil
}

// MarshalJSON writes the claims as a token has them: the fields and Unknown, not Raw.
func (c Claims) MarshalJSON() ([]byte, error) {
	set := map[string]any{}
	for name, value := range c.Unknown {
		set[name] = value
	}
	for name, value := range map[string]any{
		"iss": c.Issuer, "scope": c.Scope, "exp": c.ExpiresAt, "iat": c.IssuedAt, "rand": c.Rand, "application": c.Application,
		"organization": c.Organization, "user": c.User, "owner": c.Owner, "market": c.Market, "custom_claim": c.CustomClaim,
	} {
		if reflect.ValueOf(value).IsZero() {
			continue
		}
		if at, is := value.(time.Time); is {
			value = float64(at.UnixMilli()) / 1000
		}
		set[name] = value
	}
	if !c.modeless {
		set["test"] = c.Test
	}
	return json.Marshal(set)
}

// clone is a copy that has nothing in common with c.
func (c *Claims) clone() *Claims {
	own := *c
	own.Organization, own.User, own.Owner, own.Market = copied(c.Organization), copied(c.User), copied(c.Owner), copied(c.Market)
	if own.Market != nil {
		own.Market.ID, own.Market.StockLocationIDs = slices.Clone(c.Market.ID), slices.Clone(c.Market.StockLocationIDs)
	}
	own.CustomClaim, own.Raw, own.Unknown = bytes.Clone(c.CustomClaim), bytes.Clone(c.Raw), maps.Clone(c.Unknown)
	for name, value := range own.Unknown {
		own.Unknown[name] = bytes.Clone(value)
	}
	return &own
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// ErrNoCustomClaim is that a token has no custom claim.
var ErrNoCustomClaim = errors.New("commercelayer: the token has no custom claim")

// CustomClaim returns the custom claim as a type of the application's own, with json
// tags. The error is [ErrNoCustomClaim] if there is none; with any error the value is the
// zero one. A [Verifier] refuses tokens whose custom claim has two members, in one
// object, of names that differ in case alone, or is nested over 15 deep.
func CustomClaim[T any](c *Claims) (T, error) {
	var t, zero T
	if c.CustomClaim == nil {
		return zero, ErrNoCustomClaim
	}
	if json.Unmarshal(c.CustomClaim, &t) != nil {
		return zero, fmt.Errorf("commercelayer: the custom claim does not fit %T: check the types of its fields", t)
	}
	return t, nil
}

// TokenType is the kind of application and of owner, such as
// "sales_channel:guest", "sales_channel:customer" or "webapp:user".
func (c *Claims) TokenType() string {
	owner := "guest"
	if c.Owner != nil && c.Owner.Type != "" {
		owner = strings.ToLower(c.Owner.Type)
	}
	return c.Application.Kind + ":" + owner
}

// IsSalesChannel reports that the token is a sales channel's.
func (c *Claims) IsSalesChannel() bool { return c.Application.Kind == KindSalesChannel }

// IsIntegration reports that the token is an integration's.
func (c *Claims) IsIntegration() bool { return c.Application.Kind == KindIntegration }

// IsWebapp reports that the token is a webapp's.
func (c *Claims) IsWebapp() bool { return c.Application.Kind == KindWebapp }

// IsUser reports that the token is for the Provisioning API: of kind user.
func (c *Claims) IsUser() bool { return c.Application.Kind == KindUser }

// IsDashboard reports that the token is the dashboard's.
func (c *Claims) IsDashboard() bool { return c.Application.Kind == KindDashboard }

// IsGuest reports that the token speaks for nobody.
func (c *Claims) IsGuest() bool { return c.Owner == nil }

// IsCustomer reports that the token speaks for a customer.
func (c *Claims) IsCustomer() bool {
	return c.Owner != nil && strings.ToLower(c.Owner.Type) == "customer"
}

// hosts is the installation that issued the token.
func (c *Claims) hosts() (hosts, error) {
	// Tokens of old name the bare domain, or nobody.
	if c.Issuer == "" || c.Issuer == "https://"+DefaultDomain {
		return hosts{scheme: "https", domain: DefaultDomain}, nil
	}
	h, ok := hostsOf(c.Issuer)
	if !ok {
		return hosts{}, errors.New("commercelayer: the token's issuer is not the auth host of any installation: want https://auth.<domain>")
	}
	return h, nil
}

// CoreAPIURL is the base of the Core API that the token is for, such as
// https://my-brand.commercelayer.io, without /api. Unless the claims have been
// verified, neither the token nor anything secret must be sent there before it
// is known to be a host of yours; [Integration.CoreAPIURL] sees to that.
func (c *Claims) CoreAPIURL() (string, error) {
	if c.Organization == nil || !isLabel(c.Organization.Slug) {
		return "", errors.New("commercelayer: the token is for no organization: the Core API takes those of sales channels, integrations and webapps")
	}
	h, err := c.hosts()
	if err != nil {
		return "", err
	}
	return h.url(c.Organization.Slug), nil
}

// ProvisioningAPIURL is the base of the Provisioning API, such as
// https://provisioning.commercelayer.io, if the token's scope allows its use. The
// caution of [Claims.CoreAPIURL] holds.
func (c *Claims) ProvisioningAPIURL() (string, error) {
	if !slices.Contains(strings.Fields(c.Scope), "provisioning-api") {
		return "", errors.New("commercelayer: the token's scope lacks provisioning-api: use that of an application of kind user")
	}
	h, err := c.hosts()
	if err != nil {
		return "", err
	}
	return h.url("provisioning"), nil
}

// CoreAPIURL is [Claims.CoreAPIURL] of an access token, unverified.
func CoreAPIURL(accessToken string) (string, error) {
	c, err := DecodeUnverified(accessToken)
	if err != nil {
		return "", err
	}
	return c.CoreAPIURL()
}

// ProvisioningAPIURL is [Claims.ProvisioningAPIURL] of an access token, unverified.
func ProvisioningAPIURL(accessToken string) (string, error) {
	c, err := DecodeUnverified(accessToken)
	if err != nil {
		return "", err
	}
	return c.ProvisioningAPIURL()
}
