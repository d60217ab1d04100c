package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"golang.org/x/oauth2"
)

// config is what a shop is made of.
type config struct {
	origin                 string // its own, such as http://localhost:8080
	issuer                 string // the provider
	base                   http.RoundTripper
	clientID, clientSecret string // at the provider
	customers              map[identity]string
	service                *commercelayer.Options
	api                    string // the Core API
	log                    *slog.Logger
}

func (c config) callbackURL() string { return c.origin + "/callback" }

// shop is an http.Handler.
type shop struct {
	config
	channel  *commercelayer.SalesChannel
	provider *http.Client // for requests to it
	oauth    *oauth2.Config
	saysWho  bool // the provider names itself in its answers
	signOn   *commercelayer.SignOn
	handler  http.Handler
}

// newShop makes one. It asks the provider where its endpoints are.
func newShop(ctx context.Context, c config) (*shop, error) {
	s := &shop{config: c, provider: &http.Client{
		Transport: c.base, Timeout: 10 * time.Second,
		// A secret that is sent where it belongs is not sent on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var err error
	if s.channel, err = commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope, c.service); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST /sign-on", s.begin)
	mux.HandleFunc("GET /callback", s.callback)
	mux.HandleFunc("POST /sign-out", s.signOut)
	s.handler = http.NewCrossOriginProtection().Handler(s.channel.Middleware(nil)(mux))
	return s, nil
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Signing on is a form of this shop that leads to the provider.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' "+s.issuer+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // the code is in an address
	s.handler.ServeHTTP(w, r)
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("").Parse(pageHTML))

// page is all that there is to see.
type page struct {
	Problem string
	Email   string // the customer's; empty for a guest
	Orders  int
}

// home shows a customer what the API tells them of themselves.
func (s *shop) home(w http.ResponseWriter, r *http.Request) {
	session, _ := bearer.FromContext(r.Context())
	state, err := session.State(r.Context())
	var p page
	if err == nil && state == bearer.StateCustomer {
		p.Email, p.Orders, err = s.self(r.Context())
		if err != nil { // which may be news of the session: the API has refused its token
			if now, stateErr := session.State(r.Context()); stateErr == nil && now == bearer.StateExpired {
				state, err = now, nil
			}
		}
	}
	switch {
	case err != nil:
		s.log.WarnContext(r.Context(), "a page could not be shown", "error", err)
		s.problem(w, http.StatusServiceUnavailable, "The shop is closed for a moment. Try again.")
		return
	case state == bearer.StateExpired:
		p = page{Problem: "Your session has ended. Sign on again."}
	}
	s.render(w, http.StatusOK, p)
}

// self asks the API about the customer whose session is in ctx: the token decides whom
// that shows.
func (s *shop) self(ctx context.Context) (email string, orders int, err error) {
	var customers struct {
		Data []struct {
			Attributes struct {
				Email string `json:"email"`
			} `json:"attributes"`
		} `json:"data"`
	}
	if err := s.get(ctx, "/api/customers", &customers); err != nil {
		return "", 0, err
	}
	if len(customers.Data) != 1 {
		return "", 0, fmt.Errorf("the API shows a customer %d customers", len(customers.Data))
	}
	var placed struct {
		Meta struct {
			Count int `json:"record_count"`
		} `json:"meta"`
	}
	if err := s.get(ctx, "/api/orders?filter[q][status_eq]=placed&page[size]=1", &placed); err != nil {
		return "", 0, err
	}
	return customers.Data[0].Attributes.Email, placed.Meta.Count, nil
}

func (s *shop) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := s.channel.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into)
}

// signOut ends the session with the shop. The one with the provider is the provider's.
func (s *shop) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.channel.LogoutCustomer(r.Context()); err != nil {
		s.log.WarnContext(r.Context(), "signed out here, but not at the service", "error", err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *shop) problem(w http.ResponseWriter, status int, text string) {
	s.render(w, status, page{Problem: text})
}

func (s *shop) render(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-store")
	w.WriteHeader(status)
	pageTemplate.Execute(w, p)
}
