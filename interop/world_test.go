package interop_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

const (
	channelID = commercelayertest.SalesChannelID
	jobsID    = commercelayertest.IntegrationID
	ada       = commercelayertest.CustomerID
	market    = commercelayertest.MarketScope
)

// world is a Redis and a Commerce Layer, and a JavaScript program and a Go program
// that share them.
type world struct {
	t       *testing.T
	redis   *redistest.Server // nil if there is none
	service *commercelayertest.Server
	domain  string
	base    *http.Transport
	js      *node
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, commercelayertest.Options{})
}

// newWorldOf is newWorld with another Commerce Layer.
func newWorldOf(t *testing.T, o commercelayertest.Options) *world {
	t.Helper()
	w := newService(t, o)
	w.redis = redistest.Start(t)
	w.storage("redis", nil)
	w.channel("shop", "redis", market)
	return w
}

// newService is a world without a Redis.
func newService(t *testing.T, o commercelayertest.Options) *world {
	t.Helper()
	t.Parallel() // they wait for each other's seconds
	w := &world{t: t}
	serve(t, "commerce.test", func(domain string) http.Handler {
		w.domain = domain
		o.Domain, o.RateLimit = domain, commercelayertest.NoRateLimit
		w.service = commercelayertest.NewServer(&o)
		return w.service
	})
	all, err := authorities()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	for _, ca := range all {
		roots.AppendCertsFromPEM(ca.PEM())
	}
	w.base = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			// As in peer.mjs, no name leads anywhere but to this machine.
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		},
	}
	t.Cleanup(func() {
		w.base.CloseIdleConnections()
		w.service.Close()
	})
	w.js = newNode(t)
	return w
}

// storage makes an unstorage of that name in the Redis.
func (w *world) storage(name string, more fields) {
	w.t.Helper()
	options := fields{"name": name, "driver": w.driver(nil)}
	maps.Copy(options, more)
	w.js.do(w.t, "storage", options, nil)
}

// driver is the configuration of unstorage's driver.
func (w *world) driver(more fields) fields {
	host, port, err := net.SplitHostPort(w.redis.Addr())
	if err != nil {
		w.t.Fatal(err)
	}
	driver := fields{"host": host, "port": port}
	maps.Copy(driver, more)
	return driver
}

// channel makes js-auth's sales channel of that name.
func (w *world) channel(name, storage, scope string) {
	w.t.Helper()
	w.js.do(w.t, "salesChannel", fields{"name": name, "storage": storage, "options": w.channelOptions(scope)}, nil)
}

func (w *world) channelOptions(scope string) fields {
	return fields{"clientId": channelID, "scope": scope, "domain": w.domain}
}

// authorization is js-auth's.
type authorization struct {
	OwnerType    string `json:"ownerType"`
	OwnerID      string `json:"ownerId"`
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
	Scope        string `json:"scope"`
}

func (a authorization) String() string { return strings.TrimSpace(a.OwnerType + " " + a.OwnerID) }

// authorize is getAuthorization of js-auth's helper of that name.
func (w *world) authorize(helper string) (a authorization, err error) {
	err = w.js.try("call", fields{"helper": helper, "method": "getAuthorization"}, &a)
	return a, err
}

// has checks whom js-auth's helper speaks for, and with which token, if that is not
// empty.
func (w *world) has(helper, owner, token string) authorization {
	w.t.Helper()
	a, err := w.authorize(helper)
	if err != nil || a.String() != owner || token != "" && a.AccessToken != token {
		w.t.Errorf("js-auth's %s speaks for %q with the wanted token: %v (%v), want for %q", helper, a, a.AccessToken == token, err, owner)
	}
	return a
}

// call calls a method of js-auth's helper.
func (w *world) call(helper, method string, args ...any) {
	w.t.Helper()
	w.js.do(w.t, "call", fields{"helper": helper, "method": method, "args": append([]any{}, args...)}, nil)
}

// login has js-auth sign a customer in, with a refresh token or without.
func (w *world) login(helper string, remember bool) (a authorization) {
	w.t.Helper()
	options := w.channelOptions(market)
	options["username"], options["password"] = commercelayertest.CustomerEmail, commercelayertest.CustomerPassword
	w.js.do(w.t, "authenticate", fields{"grant": "password", "options": options}, &a)
	customer := fields{"accessToken": a.AccessToken, "scope": a.Scope, "ownerId": ada}
	if remember {
		customer["refreshToken"] = a.RefreshToken
	} else {
		a.RefreshToken = ""
	}
	w.call(helper, "setCustomer", customer)
	return a
}

// open opens the Redis for the Go side.
func (w *world) open(prefix string) *redisstore.Store {
	w.t.Helper()
	s, err := redisstore.Open(w.redis.URL(), &redisstore.Options{Prefix: prefix})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

// options are those of a Go program that has just started.
func (w *world) options() *commercelayer.Options {
	w.t.Helper()
	return &commercelayer.Options{Domain: w.domain, Base: w.base, Storage: w.open("")}
}

func (w *world) goChannel(scope string) *commercelayer.SalesChannel {
	w.t.Helper()
	c, err := commercelayer.NewSalesChannel(channelID, scope, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) goCustomer() *commercelayer.SingleCustomer {
	w.t.Helper()
	c, err := commercelayer.NewSingleCustomer(channelID, market, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) goIntegration(scope string) *commercelayer.Integration {
	w.t.Helper()
	o := w.options()
	o.Scope = scope
	i, err := commercelayer.NewIntegration(jobsID, commercelayertest.IntegrationSecret, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// token is the access token of a source of ours.
func token(t *testing.T, s bearer.TokenSource) string {
	t.Helper()
	tok, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	return tok.AccessToken
}

// eventually waits until ok: for what others are told of within a second.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// issue makes a token that js-auth's or our side might have got.
func (w *world) issue(client, scope, owner string, life time.Duration) commercelayertest.Issued {
	w.t.Helper()
	o := &commercelayertest.IssueOptions{Scope: scope, Life: life, WithoutSecret: client == channelID}
	if owner != "" {
		o.Owner = commercelayertest.Owner{Type: "Customer", ID: owner}
	}
	i, err := w.service.Issue(client, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// record is what js-auth writes.
func record(accessToken, scope, refreshToken string) string {
	text := `{"accessToken":"` + accessToken + `","scope":"` + scope + `"`
	if refreshToken != "" {
		text += `,"refreshToken":"` + refreshToken + `"`
	}
	return text + "}"
}

func guestKey(scope string) string { return "cl_guest-" + channelID + "-" + scope }

const customerKey = "cl_customer-" + channelID + "-" + market

// keys are those in the Redis that a pattern matches, in lines.
func (w *world) keys(pattern string) string {
	w.t.Helper()
	return w.redis.Do("EVAL", `return table.concat(redis.call("KEYS", ARGV[1]), "\n")`, "0", pattern)
}

// wantValue checks what is in the Redis. An empty want: nothing.
func (w *world) wantValue(key, want string) {
	w.t.Helper()
	if got := w.redis.Do("GET", key); got != want {
		w.t.Errorf("under %s is\n%s, want\n%s", key, got, want)
	}
}

// wantLife checks how long Redis will keep a value: 0 is for ever.
func (w *world) wantLife(key string, want time.Duration) {
	w.t.Helper()
	ms, err := strconv.ParseInt(w.redis.Do("PTTL", key), 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	got := time.Duration(ms) * time.Millisecond
	if want == 0 && ms != -1 || want != 0 && (got > want || got < want-time.Minute) {
		w.t.Errorf("%s is kept for %v, want %v", key, got, want)
	}
}

// wantRequests checks what has been asked of the service since the last check.
func (w *world) wantRequests(want commercelayertest.Counts) {
	w.t.Helper()
	got := w.service.ResetCounts()
	got = commercelayertest.Counts{
		TokenRequests: got.TokenRequests, RefreshToken: got.RefreshToken, RefreshReused: got.RefreshReused, Revoked: got.Revoked,
	}
	if got != want {
		text := func(c commercelayertest.Counts) string {
			return fmt.Sprintf("%d token requests, %d of them refreshes, %d with a spent token, %d tokens revoked", c.TokenRequests, c.RefreshToken, c.RefreshReused, c.Revoked)
		}
		w.t.Errorf("%s, want %s", text(got), text(want))
	}
}
