package commercelayertest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// NoRateLimit as [Options].RateLimit switches the rate limit off.
const NoRateLimit = -1

// Options describes a server. The zero value, or nil where Options are taken,
// is the ready-made one: the applications, customers, markets and SKUs that the
// constants of this package name, on the domain of the public service.
//
// No secret shows when Options are printed or logged.
type Options struct {
	// Domain is the domain whose hosts are served: auth.<Domain>,
	// <slug>.<Domain> and provisioning.<Domain>. A port in it appears in the
	// addresses that the server gives out for itself, such as
	// [Server.AuthURL]; requests are served on any port. Default:
	// commercelayer.io.
	Domain string

	Organization Organization
	// Applications, Customers, Markets and SKUs replace the ready-made ones if
	// not nil. An empty list that is not nil stands for none.
	Applications []Application
	Customers    []Customer
	Markets      []Market
	SKUs         []SKU

	// RateLimit is how many token requests one address may make within any 60
	// seconds. Default: 30, as the service allows; [NoRateLimit] for no limit.
	RateLimit int
	// BackendAuth is the secret that lets a backend name the shopper's address
	// (headers x-backend-auth and x-true-client-ip), which the rate limit then
	// counts by. Default: none, and both headers are ignored.
	BackendAuth string `json:"-"`

	// RenewWithin is the last part of an access token's life, in which a
	// request for it gets a new one; before, the same token is given again.
	// Default: 15 minutes.
	RenewWithin time.Duration
	// RefreshTokenLife is how long refresh tokens live. Default: 2 weeks.
	RefreshTokenLife time.Duration
	// ReusePasswordToken gives a customer who signs in again the token (and
	// refresh token) that is already running and was not refreshed. What the service does, its public
	// documentation does not say. Default: each sign-in gets its own.
	ReusePasswordToken bool
	// ForgiveReuse only refuses a spent refresh token that comes back. Default:
	// all that came of its sign-in is revoked too (RFC 9700 §4.14.2).
	ForgiveReuse bool

	// UnsafeControl serves the control interface under /_local/: whoever can
	// reach the server can then revoke tokens and make it fail. See
	// [Server.ServeHTTP]. Default: off.
	UnsafeControl bool

	// RequestLog is how many requests [Server.Requests] remembers, at most a
	// million; older ones fall out. Default: 1000.
	RequestLog int

	// Log receives a line for each request, free of secrets. Default: none.
	Log *slog.Logger `json:"-"`
}

func (o Options) String() string { return "options of a Commerce Layer at " + o.Domain }

// Format keeps the secrets out of every verb.
func (o Options) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue keeps the secrets out of logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// withDefaults returns a copy, which shares nothing that could be changed, in
// which every default is written out.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Domain == "" {
		r.Domain = Domain
	}
	r.Domain = strings.ToLower(r.Domain)
	r.Organization = r.Organization.withDefaults()
	r.Applications = resolve(r.Applications, defaultApplications, Application.withDefaults)
	r.Customers = resolve(r.Customers, defaultCustomers, Customer.withDefaults)
	r.Markets = resolve(r.Markets, defaultMarkets, Market.withDefaults)
	r.SKUs = resolve(r.SKUs, defaultSKUs, SKU.withDefaults)
	if r.RateLimit == 0 {
		r.RateLimit = 30
	}
	if r.RenewWithin == 0 {
		r.RenewWithin = 15 * time.Minute
	}
	if r.RefreshTokenLife == 0 {
		r.RefreshTokenLife = 14 * 24 * time.Hour
	}
	if r.RequestLog == 0 {
		r.RequestLog = 1000
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	return r
}

// resolve copies a list, the ready-made one if it is nil, with the defaults of
// each entry.
func resolve[T any](given []T, readyMade func() []T, withDefaults func(T) T) []T {
	if given == nil {
		given = readyMade()
	}
	resolved := make([]T, len(given))
	for i := range given {
		resolved[i] = withDefaults(given[i])
	}
	return resolved
}

func (o *Options) validate() error {
	if err := validateDomain(o.Domain); err != nil {
		return err
	}
	if err := o.Organization.validate(); err != nil {
		return fmt.Errorf("Organization: %w", err)
	}
	if err := validateEach("Applications", o.Applications, (*Application).validate,
		func(a Application) []string { return []string{a.ClientID} }); err != nil {
		return err
	}
	if err := validateEach("Customers", o.Customers, (*Customer).validate,
		func(c Customer) []string {
			keys := []string{strings.ToLower(c.Email), c.ID}
			for _, a := range c.Addresses {
				keys = append(keys, "address "+a.ID)
			}
			return keys
		}); err != nil {
		return err
	}
	if err := validateEach("Markets", o.Markets, (*Market).validate,
		func(m Market) []string { return []string{m.Code, m.ID} }); err != nil {
		return err
	}
	if err := validateEach("SKUs", o.SKUs, (*SKU).validate,
		func(s SKU) []string { return []string{s.Code, s.ID} }); err != nil {
		return err
	}
	switch {
	case o.RateLimit < NoRateLimit:
		return fmt.Errorf("RateLimit is %d: use a number of requests a minute, or NoRateLimit", o.RateLimit)
	case o.RenewWithin < 0:
		return fmt.Errorf("RenewWithin is %v: use a positive duration", o.RenewWithin)
	case o.RefreshTokenLife < time.Second:
		return fmt.Errorf("RefreshTokenLife is %v: use a second or more", o.RefreshTokenLife)
	case o.RequestLog < 1 || o.RequestLog > maxRequestLog:
		return fmt.Errorf("RequestLog is %d: use 1 to %d requests", o.RequestLog, maxRequestLog)
	}
	past := 0
	for i := range o.Customers {
		past += o.Customers[i].PastOrders * len(o.Markets)
	}
	if past > maxPastOrders {
		return fmt.Errorf("the PastOrders of Customers make %d orders in %d markets: use fewer, for %d in all", past, len(o.Markets), maxPastOrders)
	}
	return nil
}

// validateEach checks the entries of a list, and that no two share a key.
func validateEach[T any](field string, list []T, validate func(*T) error, keys func(T) []string) error {
	seen := map[string]int{}
	for i := range list {
		if err := validate(&list[i]); err != nil {
			return fmt.Errorf("%s[%d]: %w", field, i, err)
		}
		for _, key := range keys(list[i]) {
			if j, ok := seen[key]; ok && j != i {
				return fmt.Errorf("%s[%d] and [%d] are both %q: give each its own", field, j, i, key)
			}
			seen[key] = i
		}
	}
	return nil
}

func validateDomain(domain string) error {
	host, port := domain, ""
	if strings.Contains(domain, ":") {
		var err error
		if host, port, err = net.SplitHostPort(domain); err != nil {
			return errors.New("the Domain is no host name: use one such as commercelayer.io or localhost:8443")
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("the Domain has port %q: use 1 to 65535", port)
		}
	}
	if net.ParseIP(host) != nil {
		return fmt.Errorf("the Domain %q is an address: use a name; by address the server is reachable anyway, with a path prefix", domain)
	}
	for label := range strings.SplitSeq(host, ".") {
		if !validLabel(label) {
			return fmt.Errorf("the Domain %q is no host name: use one such as commercelayer.io or localhost:8443", domain)
		}
	}
	return nil
}
