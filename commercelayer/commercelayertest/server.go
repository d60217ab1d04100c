package commercelayertest

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
)

// Server is a Commerce Layer that lives in this process. It is an
// [http.Handler], and can be reached in memory with [Server.Client].
//
// Make one with [New] or [NewServer]; the zero value is of no use. It is safe
// for concurrent use.
type Server struct {
	opts    Options
	domain  string // of opts, without a port
	apps    map[string]*Application
	people  map[string]*Customer // by lower-case email
	keys    *keyring
	tokens  *tokenStore
	codes   *codeStore
	limit   *rateLimit
	faults  *faultTable
	journal *journal
	shop    *shop
	memory  *memory
	control *control // nil unless Options.UnsafeControl
	closing chan struct{}
	close   func() // closes closing, once
}

// New returns a server with the given options; nil stands for the ready-made
// ones. The error names the field that is wrong and the way out.
//
// A server runs nothing until it is asked something. Call Close when the
// in-memory connections of [Server.Transport] were used.
func New(opts *Options) (*Server, error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("commercelayertest: %w", err)
	}
	s := &Server{
		opts:    o,
		apps:    map[string]*Application{},
		people:  map[string]*Customer{},
		keys:    newKeyring(),
		codes:   newCodeStore(),
		faults:  &faultTable{},
		journal: &journal{log: o.Log, size: o.RequestLog},
		shop:    newShop(&o),
		closing: make(chan struct{}),
	}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	s.domain, _, _ = strings.Cut(o.Domain, ":")
	for i := range o.Applications {
		s.apps[o.Applications[i].ClientID] = &o.Applications[i]
	}
	for i := range o.Customers {
		s.people[strings.ToLower(o.Customers[i].Email)] = &o.Customers[i]
	}
	s.tokens = newTokenStore(&s.opts, s.keys)
	s.limit = newRateLimit(o.RateLimit)
	s.memory = newMemory(s)
	s.control = newControl(s)
	return s, nil
}

// NewServer is [New] for tests: it panics if the options are wrong.
func NewServer(opts *Options) *Server {
	s, err := New(opts)
	if err != nil {
		panic(err)
	}
	return s
}

// Close ends what the server runs: the in-memory connections and the requests
// on them, for whose end it waits. Requests that wait for a [Fault]'s Delay are
// dropped, however they came. Close may be called twice.
func (s *Server) Close() {
	s.close()
	s.memory.close()
}

func (s *Server) String() string { return "Commerce Layer at " + s.opts.Domain }

// Format keeps secrets and tokens out of every verb.
func (s *Server) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue keeps secrets and tokens out of logs.
func (s *Server) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Options returns a copy of the server's options with all defaults written out.
func (s *Server) Options() Options { return s.opts.withDefaults() }

// AuthURL returns the address of the auth host as a client of
// [Server.Transport] uses it, such as https://auth.commercelayer.io: the issuer
// of its tokens.
func (s *Server) AuthURL() string { return "https://auth." + s.opts.Domain }

// TokenURL returns the address of the token endpoint on [Server.AuthURL].
func (s *Server) TokenURL() string { return s.AuthURL() + "/oauth/token" }

// APIURL returns the base address of the Core API, such as
// https://local-shop.commercelayer.io; paths begin with /api.
func (s *Server) APIURL() string { return "https://" + s.opts.Organization.Slug + "." + s.opts.Domain }

// ServeHTTP answers a request to one of the hosts:
//
//	auth.<domain>          /oauth/token, /oauth/revoke, /oauth/authorize, /.well-known/jwks.json
//	<slug>.<domain>        /api/…
//	provisioning.<domain>  /api/…
//
// Addressed by IP address or as plain localhost, it takes the host from the
// first path segment: /auth/oauth/token, /<slug>/api/skus, /provisioning/api/…,
// and the issuer is then such as http://127.0.0.1:8080/auth. That is for Go
// clients that can be told so: js-auth takes no issuer that does not begin with
// https://auth., and browsers need the names.
//
// With [Options].UnsafeControl, /_local/ on any of these hosts is the control
// interface, which the program commercelayer-local serves and documents.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, r: r, place: s.locate(r)}
	if c.place.endpoint == endpointControl {
		s.control.serve(w, r)
		return
	}
	cors(w.Header(), r)
	if isPreflight(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if c.place.endpoint == TokenEndpoint || c.place.endpoint == RevokeEndpoint {
		c.readParams()
	}
	c.entry = s.journal.begin(c)
	c.serve(w)
}

// endpoints maps each kind of request to what answers it.
func (c *call) handle() reply {
	switch c.place.endpoint {
	case TokenEndpoint:
		return c.token()
	case RevokeEndpoint:
		return c.revoke()
	case KeysEndpoint:
		return c.keySet()
	case AuthorizeEndpoint:
		return c.authorize()
	case APIEndpoint:
		return c.api()
	}
	return c.nowhere()
}
