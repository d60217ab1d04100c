package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/redisstore"
)

// front is what a shop has before its Redis.
type front string

const (
	copies  front = "client-side copies"   // what redisstore does by itself
	memory  front = "memory before Redis"  // package layered
	nothing front = "nothing before Redis" // each read is a round trip
)

// shopConfig is where a shop finds the others.
type shopConfig struct {
	Redis string
	Auth  string
	Front front
}

func (c shopConfig) storage() (bearer.CompareAndSwapper, error) {
	s, err := redisstore.Open(c.Redis, &redisstore.Options{Prefix: "shop", DisableCache: c.Front != copies})
	if err != nil || c.Front != memory {
		return s, err
	}
	return layered.New(s, nil), nil
}

// visit is what became of a request to a shop.
type visit struct {
	Who   string    `json:"who"` // guest, customer expired, or the customer's id
	At    time.Time `json:"at"`  // when the shop was done
	Error string    `json:"error,omitempty"`
}

// Who a visitor can be besides guest.
const (
	guest   = "guest"
	expired = "customer expired"
	ada     = commercelayertest.CustomerID
)

// shopServer is the role of a shop's process, with a job beside. It returns its
// address.
func shopServer(c *child) (any, error) {
	var config shopConfig
	if err := json.Unmarshal(c.config, &config); err != nil {
		return nil, err
	}
	storage, err := config.storage()
	if err != nil {
		return nil, err
	}
	s := &shop{base: &base{child: c, next: &http.Transport{MaxIdleConnsPerHost: 100}}, api: strings.TrimSuffix(config.Auth, "auth") + commercelayertest.Slug}
	o := &commercelayer.Options{AuthURL: config.Auth, Base: s.base, Storage: storage}
	if s.channel, err = commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope, o); err != nil {
		return nil, err
	}
	if s.job, err = commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, o); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	url := "http://" + l.Addr().String()
	go http.Serve(l, s.channel.Middleware(nil)(s.mux()))
	on(c, "load", func(a load) (any, error) { s.loads = append(s.loads, a.begin(url)); return nil, nil })
	on(c, "unload", func(none) (any, error) { return s.unload(), nil })
	var g *gate
	on(c, "gate", func(none) (any, error) { g = &gate{make(chan struct{})}; s.base.gate.Store(g); return nil, nil })
	on(c, "open", func(none) (any, error) { close(g.opened); return nil, nil })
	return url, nil
}

type shop struct {
	base    *base
	api     string
	channel *commercelayer.SalesChannel
	job     *commercelayer.Integration
	loads   []*running
}

func (s *shop) mux() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(r *http.Request) (who string, err error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var v visit
			var err error
			if v.Who, err = do(r); err != nil {
				v.Error = err.Error()
			}
			v.At = time.Now()
			json.NewEncoder(w).Encode(v)
		})
	}
	handle("GET /", s.whoami)
	handle("GET /job", func(r *http.Request) (string, error) {
		_, err := s.get(r.Context(), s.job.Client(), "organization")
		return "job", err
	})
	handle("POST /login", func(r *http.Request) (string, error) {
		return ada, s.channel.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
	})
	handle("POST /adopt", func(r *http.Request) (string, error) {
		return ada, s.channel.SetCustomer(r.Context(), &bearer.Token{AccessToken: r.PostFormValue("access"), RefreshToken: r.PostFormValue("refresh")})
	})
	handle("POST /forget", func(r *http.Request) (string, error) { return guest, s.channel.RemoveAuthorization(r.Context()) })
	handle("POST /logout", func(r *http.Request) (string, error) { return guest, s.channel.LogoutCustomer(r.Context()) })
	return mux
}

// whoami asks the API, as whoever the visitor is.
func (s *shop) whoami(r *http.Request) (string, error) {
	session, _ := bearer.FromContext(r.Context())
	state, err := session.State(r.Context())
	if err != nil {
		return "", fmt.Errorf("who is it? %w", err)
	}
	if state != bearer.StateCustomer {
		_, err := s.get(r.Context(), s.channel.Client(), "organization")
		return state.String(), err
	}
	body, err := s.get(r.Context(), s.channel.Client(), "customers")
	if err != nil {
		return "", err
	}
	var doc struct{ Data []struct{ ID string } }
	if err := json.Unmarshal(body, &doc); err != nil || len(doc.Data) != 1 {
		return "", fmt.Errorf("the API shows %d customers, %v", len(doc.Data), err)
	}
	return doc.Data[0].ID, nil
}

func (s *shop) get(ctx context.Context, c *http.Client, what string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/api/"+what, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API answers %s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// base sends a shop's requests to Commerce Layer.
type base struct {
	child *child
	next  http.RoundTripper
	gate  atomic.Pointer[gate] // for the next token request; nil if it need not wait
}

// gate is where a token request waits before it is sent.
type gate struct{ opened chan struct{} }

// RoundTrip tells Commerce Layer whose request it is, and waits with a token request
// if there is a gate.
func (b *base) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(fromHeader, b.child.name)
	if isTokenRequest(r) {
		if g := b.gate.Swap(nil); g != nil {
			b.child.tell("at the gate", b.child.name)
			<-g.opened
		}
	}
	return b.next.RoundTrip(r)
}
