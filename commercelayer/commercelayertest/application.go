package commercelayertest

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// Kind is what Commerce Layer calls the kind of an application: it decides
// which grants the application may use and what its tokens may do.
type Kind string

// The kinds of applications, by the names they have in a token.
const (
	// SalesChannel is public: a storefront. It gets guest tokens by client
	// credentials, with or without its secret; customer tokens by password,
	// refresh token and, with its secret, JWT bearer.
	SalesChannel Kind = "sales_channel"
	// Integration is a backend. It uses client credentials and JWT bearer.
	Integration Kind = "integration"
	// Webapp acts for a user. It uses authorization codes, refresh tokens and
	// JWT bearer.
	Webapp Kind = "webapp"
	// User is an application of the Provisioning API. It uses client
	// credentials.
	User Kind = "user"
)

// Application is an API client that the server knows.
//
// Its secret does not show when it is printed or logged.
type Application struct {
	Kind     Kind
	ClientID string
	// ClientSecret may be empty for a sales channel only, which then can use
	// no grant that needs it.
	ClientSecret string `json:"-"`
	// ID is the application's id in its tokens. Default: made of ClientID.
	ID string
	// TokenLife is how long its access tokens live, in whole seconds. Default:
	// 4 hours for a sales channel, 2 hours for others. The service takes 2 hours
	// to a year; this server also takes shorter lives, from a second on.
	TokenLife time.Duration
	// RedirectURIs are where a webapp may have its users sent back to, each
	// compared whole.
	RedirectURIs []string
	// UserID is the user a webapp or provisioning application acts for.
	// Default: [UserID].
	UserID string
}

// public tells whether the application may authenticate without a secret.
func (a *Application) public() bool { return a.Kind == SalesChannel }

// may tells whether the application's kind may use a grant.
func (a *Application) may(grant string) bool {
	switch grant {
	case grantClientCredentials:
		return a.Kind != Webapp
	case grantPassword:
		return a.Kind == SalesChannel
	case grantRefreshToken:
		return a.Kind == SalesChannel || a.Kind == Webapp
	case grantAuthorizationCode:
		return a.Kind == Webapp
	case grantJWTBearer:
		return a.Kind != User
	}
	return false
}

func (a Application) String() string {
	return fmt.Sprintf("%s application %q", a.Kind, a.ClientID)
}

// Format keeps the secret out of every verb.
func (a Application) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue keeps the secret out of logs.
func (a Application) LogValue() slog.Value { return slog.StringValue(a.String()) }

func (a Application) withDefaults() Application {
	if a.ID == "" {
		a.ID = publicID("applications", a.ClientID)
	}
	if a.TokenLife == 0 {
		a.TokenLife = 2 * time.Hour
		if a.Kind == SalesChannel {
			a.TokenLife = 4 * time.Hour
		}
	}
	if a.UserID == "" {
		a.UserID = UserID
	}
	a.RedirectURIs = slices.Clone(a.RedirectURIs)
	return a
}

func (a *Application) validate() error {
	switch a.Kind {
	case SalesChannel, Integration, Webapp, User:
	default:
		return fmt.Errorf("Kind %q is none: use sales_channel, integration, webapp or user", a.Kind)
	}
	switch {
	case a.ClientID == "":
		return fmt.Errorf("ClientID of the %s application is empty: give it one", a.Kind)
	case a.ClientSecret == "" && !a.public():
		return fmt.Errorf("ClientSecret of %q is empty: only a sales channel can do without one", a.ClientID)
	case a.TokenLife < time.Second || a.TokenLife > 365*24*time.Hour || a.TokenLife%time.Second != 0:
		return fmt.Errorf("TokenLife of %q is %v: use whole seconds, from a second to a year (8760h)", a.ClientID, a.TokenLife)
	case len(a.RedirectURIs) > 0 && a.Kind != Webapp:
		return fmt.Errorf("RedirectURIs of %q: only a webapp has them, make it one or leave them out", a.ClientID)
	}
	for _, uri := range a.RedirectURIs {
		if !validRedirectURI(uri) {
			return fmt.Errorf("RedirectURIs of %q holds %q: use absolute http or https addresses without a fragment", a.ClientID, uri)
		}
	}
	return nil
}
