package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/verify"
	"golang.org/x/oauth2"
)

// configuration is what the provider says about itself (OpenID Connect Discovery §3), as
// far as the shop needs it.
type configuration struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Keys          string `json:"jwks_uri"`
	SaysWho       bool   `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
}

// discover asks the provider for its configuration. Which provider that is has been
// decided before: by the address that is asked.
func discover(ctx context.Context, client *http.Client, issuer string) (*configuration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the provider's configuration is answered %s: check the issuer", resp.Status)
	}
	var c configuration
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&c); err != nil {
		return nil, fmt.Errorf("the provider's configuration is not JSON: %w", err)
	}
	if c.Issuer != issuer { // OpenID Connect Discovery §4.3
		return nil, errors.New("the provider's configuration is another issuer's: check the issuer")
	}
	scheme, _, _ := strings.Cut(issuer, ":")
	for _, address := range []string{c.Authorization, c.Token} {
		if u, err := url.Parse(address); err != nil || u.Scheme != scheme || u.Host == "" {
			return nil, errors.New("the provider's configuration has an endpoint that is no address of its kind")
		}
	}
	return &c, nil
}

// connect prepares signing on.
func (s *shop) connect(ctx context.Context) error {
	found, err := discover(ctx, s.provider, s.issuer)
	if err != nil {
		return err
	}
	s.saysWho = found.SaysWho
	s.oauth = &oauth2.Config{
		ClientID: s.clientID, ClientSecret: s.clientSecret, RedirectURL: s.callbackURL(), Scopes: []string{"openid", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}
	s.signOn, err = commercelayer.NewSignOn(s.channel, verify.Issuer{
		Name: s.issuer, KeySetURL: found.Keys,
		Algorithms: []string{"ES256"},    // what has been agreed with the provider
		Audience:   []string{s.clientID}, // tokens for anybody else's shop are none for this one
	}, s.customer, &commercelayer.SignOnOptions{Verify: &verify.Options{Base: s.provider.Transport}})
	return err
}

// identity is somebody for a provider (OpenID Connect Core §5.7): another one may have
// given the same subject to somebody else.
type identity struct{ issuer, subject string }

// customer finds whose identity it is, by issuer and subject: the addresses of email that the
// provider knows may be anybody's. A shop has a table for this, which is written when
// somebody who is signed in connects an account with the provider.
func (s *shop) customer(_ context.Context, id *verify.Claims) (string, error) {
	return s.customers[identity{id.Issuer, id.Subject}], nil
}

// attempt is what ties the answer of the provider to the browser that asked.
type attempt struct {
	state    string // the answer is to what this browser asked (RFC 6749 §10.12)
	nonce    string // the ID token was made for that (OpenID Connect Core §15.5.2)
	verifier string // the code was, too, and nobody else can exchange it (RFC 7636)
}

func newAttempt() attempt {
	return attempt{oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()}
}

func (a attempt) String() string { return a.state + "." + a.nonce + "." + a.verifier }

// parseAttempt reads what String writes.
func parseAttempt(s string) (a attempt, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return attempt{}, false
	}
	for _, part := range parts {
		if len(part) != 43 { // 256 bits
			return attempt{}, false
		}
	}
	return attempt{parts[0], parts[1], parts[2]}, true
}

// answers reports whether state is the attempt's; of one that is none, nothing is.
func (a attempt) answers(state string) bool {
	return a.state != "" && subtle.ConstantTimeCompare([]byte(a.state), []byte(state)) == 1
}

// The cookie lives for as long as somebody may need for a password. It is Lax, since a
// Strict one would not come along when the provider sends the visitor back. No script
// reads it, and by its prefix no other host has written it.
const (
	attemptCookie = "__Host-sign-on"
	attemptLife   = 10 * time.Minute
)

func setAttempt(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: attemptCookie, Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
}

func attemptOf(r *http.Request) (attempt, bool) {
	if found := r.CookiesNamed(attemptCookie); len(found) == 1 {
		return parseAttempt(found[0].Value)
	}
	return attempt{}, false
}

// begin sends the visitor to the provider.
func (s *shop) begin(w http.ResponseWriter, r *http.Request) {
	a := newAttempt()
	setAttempt(w, a.String(), attemptLife)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.oauth.AuthCodeURL(a.state, oauth2.SetAuthURLParam("nonce", a.nonce), oauth2.S256ChallengeOption(a.verifier)), http.StatusSeeOther)
}

// callback is where the provider sends the visitor back to.
func (s *shop) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a, ok := attemptOf(r)
	if !ok || !a.answers(q.Get("state")) {
		// Somebody else's answer, or none. The attempt stays: the right one may follow.
		s.problem(w, http.StatusForbidden, "This is not the answer to a sign-on that you have begun here within ten minutes. Nobody was signed in.")
		return
	}
	setAttempt(w, "", -time.Second) // each is good for one answer
	switch {
	case repeated(q):
		s.problem(w, http.StatusForbidden, "This answer says something twice. Nobody was signed in.")
		return
	case (s.saysWho || q.Has("iss")) && q.Get("iss") != s.issuer: // RFC 9207 §2.4
		s.problem(w, http.StatusForbidden, "This answer is from somebody else than the identity provider. Nobody was signed in.")
		return
	case q.Has("error"):
		s.problem(w, http.StatusForbidden, "The identity provider has not signed you on.")
		return
	}
	ctx := context.WithValue(r.Context(), oauth2.HTTPClient, s.provider)
	token, err := s.oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		// Its text has what the provider has answered, whatever that was.
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		s.log.WarnContext(r.Context(), "the code was not exchanged", "refused", ok && refused.ErrorCode == "invalid_grant")
		s.problem(w, http.StatusBadGateway, "The identity provider does not stand by its answer. Sign on again.")
		return
	}
	idToken, _ := token.Extra("id_token").(string)
	s.finish(w, r, s.signOn.Login(r.Context(), idToken, a.nonce))
}

// repeated reports whether an answer has a parameter twice, of which others may take the
// other one (RFC 6749 §3.1).
func repeated(q url.Values) bool {
	for _, values := range q {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// finish answers what Login has said.
func (s *shop) finish(w http.ResponseWriter, r *http.Request, err error) {
	_, refused := errors.AsType[*verify.Error](err)
	switch {
	case err == nil:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, commercelayer.ErrNoSuchCustomer):
		s.problem(w, http.StatusForbidden, "The identity provider knows you, but this shop does not yet.")
	case refused:
		s.log.WarnContext(r.Context(), "an ID token was refused", "error", err)
		s.problem(w, http.StatusForbidden, "What the identity provider has said is not good here. Sign on again.")
	default:
		s.log.WarnContext(r.Context(), "nobody can sign on", "error", err)
		s.problem(w, http.StatusServiceUnavailable, "Nobody can sign on for a moment. Try again.")
	}
}
