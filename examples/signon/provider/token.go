package provider

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"
)

// token exchanges a code (OpenID Connect Core §3.1.3).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	fail := func(status int, code string) { answer(w, status, map[string]string{"error": code}) }
	if err := r.ParseForm(); err != nil {
		fail(http.StatusBadRequest, "invalid_request")
		return
	}
	if !p.authenticated(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		fail(http.StatusUnauthorized, "invalid_client")
		return
	}
	form := r.PostForm
	if form.Get("grant_type") != "authorization_code" {
		fail(http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	// Whatever is wrong with the rest, the code has been shown and is spent.
	g := p.spend(form.Get("code"))
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if g == nil || g.request.RedirectURI != form.Get("redirect_uri") || !equal(base64.RawURLEncoding.EncodeToString(challenge[:]), g.request.Challenge) {
		fail(http.StatusBadRequest, "invalid_grant")
		return
	}
	idToken, err := p.Sign(p.claims(g))
	if err != nil {
		fail(http.StatusInternalServerError, "server_error")
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"access_token": rand.Text(), // good for nothing: there is nothing else to be had here
		"token_type":   "Bearer",
		"expires_in":   int(idTokenLife.Seconds()),
		"id_token":     idToken,
	})
}

// claims are what the ID token of a grant says (OpenID Connect Core §2).
func (p *Provider) claims(g *grant) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": p.issuer, "sub": g.user.Subject, "aud": p.client.ID,
		"iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(),
		"email": g.user.Email, "email_verified": g.user.EmailVerified,
	}
	if g.request.Nonce != "" {
		claims["nonce"] = g.request.Nonce
	}
	return claims
}

// authenticated reports whether the client has authenticated (RFC 6749 §2.3.1).
func (p *Provider) authenticated(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	id, err := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	return ok && err == nil && err2 == nil && equal(id, p.client.ID) && equal(secret, p.client.Secret)
}

// equal compares in a time that tells nothing of either.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
