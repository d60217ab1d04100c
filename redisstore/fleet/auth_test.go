package fleet_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// authConfig is how a Commerce Layer differs from the ready-made one.
type authConfig struct {
	TokenLife    time.Duration // of the sales channel's tokens
	RenewWithin  time.Duration
	ForgiveReuse bool
	RateLimit    int
}

// tokenRequest is one that has arrived.
type tokenRequest struct {
	From     string    // the process
	Answered time.Time // zero if it has not been, since the process was gone
	Status   int
}

// holdUp says when a token request is to be held up.
type holdUp string

const (
	beforeItActs holdUp = "before the service acts"
	afterItActed holdUp = "after the service has acted"
)

// issueArgs and issued are about a customer's token that is short-lived.
type issueArgs struct{ Life time.Duration }

type issued struct{ AccessToken, RefreshToken string }

// authServer is the role of the local Commerce Layer. It returns its address.
func authServer(c *child) (any, error) {
	var config authConfig
	if err := json.Unmarshal(c.config, &config); err != nil {
		return nil, err
	}
	server, err := commercelayertest.New(&commercelayertest.Options{
		Applications: []commercelayertest.Application{
			{Kind: commercelayertest.SalesChannel, ClientID: commercelayertest.SalesChannelID, TokenLife: config.TokenLife},
			{Kind: commercelayertest.Integration, ClientID: commercelayertest.IntegrationID, ClientSecret: commercelayertest.IntegrationSecret},
		},
		RenewWithin: config.RenewWithin, ForgiveReuse: config.ForgiveReuse, RateLimit: config.RateLimit,
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &desk{Server: server, child: c}
	go http.Serve(l, d)
	on(c, "counts", func(none) (any, error) { return server.Counts(), nil })
	on(c, "requests", func(none) (any, error) { return d.all(), nil })
	on(c, "delay", func(delay time.Duration) (any, error) { return nil, d.set(func() { d.delay = delay }) })
	on(c, "fail", func(status int) (any, error) { return nil, d.set(func() { d.fails = status }) })
	on(c, "hold", func(when holdUp) (any, error) {
		return nil, d.set(func() { d.hold, d.released = when, make(chan struct{}) })
	})
	on(c, "release", func(none) (any, error) { return nil, d.set(func() { close(d.released) }) })
	on(c, "revoke guests", func(none) (any, error) { return nil, d.set(d.revokeGuests) })
	on(c, "expire all", func(none) (any, error) { server.ExpireAll(); return nil, nil })
	on(c, "issue", func(a issueArgs) (any, error) {
		t, err := server.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
			Scope: commercelayertest.MarketScope, Life: a.Life,
			Owner: commercelayertest.Owner{Type: "Customer", ID: commercelayertest.CustomerID},
		})
		return issued{t.AccessToken, t.RefreshToken}, err
	})
	return "http://" + l.Addr().String() + "/auth", nil
}

// desk is where token requests are counted, delayed and held up.
type desk struct {
	*commercelayertest.Server
	child *child

	mu       sync.Mutex // guards the rest
	requests []*tokenRequest
	guests   []string // their tokens
	delay    time.Duration
	fails    int           // the status of all answers; 0 if they are as they should be
	hold     holdUp        // for the next request; empty for none
	released chan struct{} // closed when the request that is held up may go on
}

func (d *desk) set(change func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	return nil
}

func (d *desk) all() []*tokenRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// revokeGuests must be called with mu held.
func (d *desk) revokeGuests() {
	for _, t := range d.guests {
		d.Revoke(t)
	}
	d.guests = nil
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isTokenRequest(r) {
		d.Server.ServeHTTP(w, r)
		return
	}
	// net/http notices that a client has gone only when its body has been read.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	q := &tokenRequest{From: r.Header.Get(fromHeader)}
	d.mu.Lock()
	d.requests = append(d.requests, q)
	hold, released, delay, fails := d.hold, d.released, d.delay, d.fails
	d.hold = ""
	d.mu.Unlock()

	wait := func(when holdUp) {
		if hold == when {
			d.child.tell("held up", q.From)
			select {
			case <-released:
			case <-r.Context().Done():
			}
		}
	}
	if delay > 0 {
		<-time.After(delay)
	}
	wait(beforeItActs)
	if r.Context().Err() != nil {
		return // the process was gone before anything was done
	}
	answer := httptest.NewRecorder()
	if fails != 0 {
		answer.Code = fails
	} else {
		d.Server.ServeHTTP(answer, r)
	}
	wait(afterItActed)
	d.mu.Lock()
	q.Status = answer.Code
	if r.Context().Err() == nil {
		q.Answered = time.Now()
	}
	if t := tokenOf(answer.Body.Bytes()); t.RefreshToken == "" && t.AccessToken != "" {
		d.guests = append(d.guests, t.AccessToken)
	}
	d.mu.Unlock()
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// fromHeader names the process that a request comes from.
const fromHeader = "X-Request-Id"

func isTokenRequest(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/oauth/token") }

// tokenOf is the token in an answer, empty if there is none.
func tokenOf(answer []byte) (t struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}) {
	json.Unmarshal(answer, &t)
	return t
}
