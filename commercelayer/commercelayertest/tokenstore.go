package commercelayertest

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"
)

// accessToken is a token that the server has given out.
type accessToken struct {
	subject
	text    string
	grant   string // by which it was asked for first; empty if by none
	key     string // by which it is given again; empty if it is not
	keyID   string
	issued  time.Time
	expires time.Time
	revoked bool
	refresh *refreshToken // that came with it, or nil
}

// refreshToken renews a session once.
type refreshToken struct {
	subject
	text    string
	expires time.Time
	revoked bool
	spent   bool
	family  *family
}

// family is all that came of one sign-in: whoever shows a spent refresh token
// ends it whole.
type family struct {
	access  []*accessToken
	refresh []*refreshToken
}

// tokenStore holds all tokens that could still be shown.
type tokenStore struct {
	opts *Options
	keys *keyring

	mu      sync.Mutex // guards what follows, and all tokens reached from it
	access  map[string]*accessToken
	refresh map[string]*refreshToken
	current map[string]*accessToken // the newest that may be given again, by its key
	sweepAt int                     // number of tokens at which the dead are swept out
}

func newTokenStore(o *Options, keys *keyring) *tokenStore {
	return &tokenStore{
		opts: o, keys: keys,
		access: map[string]*accessToken{}, refresh: map[string]*refreshToken{}, current: map[string]*accessToken{},
		sweepAt: 100,
	}
}

// how a token is asked for.
type terms struct {
	grant       string  // by which it is asked for; empty if by none
	reuse       bool    // the running token will do, and later this one
	withRefresh bool    // a refresh token comes with it
	family      *family // of the sign-in that it continues, or nil
	life        time.Duration
}

// keyFor tells apart what may not be given for one another. A refresh token
// belongs to one sign-in: who comes by another grant must not be able to spend
// it, or to end it by spending it twice.
func (how terms) keyFor(s *subject) string {
	if how.withRefresh {
		return s.key() + lengthOf(how.grant) + how.grant
	}
	return s.key()
}

// given is a token as it is given out at one moment.
type given struct {
	accessToken
	again bool  // it was given before
	left  int64 // seconds of its life
}

// issue returns a token for the subject. Its signature is made under the lock:
// one token for many who ask at once.
func (t *tokenStore) issue(s subject, how terms) (given, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issueLocked(s, how)
}

func (t *tokenStore) issueLocked(s subject, how terms) (given, error) {
	now := time.Now()
	key := ""
	if how.reuse {
		key = how.keyFor(&s)
		if old := t.current[key]; old != nil && t.reusable(old, how, now) {
			return given{*old, true, old.expires.Unix() - now.Unix()}, nil
		}
	}
	if how.life == 0 {
		how.life = s.app.TokenLife
	}
	sign := t.keys.current()
	// A JWT counts in whole seconds, and this server with it.
	issued := now.Truncate(time.Second)
	token := &accessToken{subject: s, grant: how.grant, key: key, keyID: sign.id, issued: issued, expires: issued.Add(how.life)}
	text, err := s.mint(t.opts, sign, token.issued, token.expires)
	if err != nil {
		return given{}, err
	}
	token.text = text
	if how.withRefresh {
		f := how.family
		if f == nil {
			f = &family{}
		}
		token.refresh = &refreshToken{subject: s, text: rand.Text() + rand.Text(), expires: now.Add(t.opts.RefreshTokenLife), family: f}
		f.add(token, now)
		t.refresh[token.refresh.text] = token.refresh
	}
	t.access[token.text] = token
	if how.reuse {
		t.current[key] = token
	}
	t.sweep(now)
	return given{*token, false, int64(how.life / time.Second)}, nil
}

// reusable tells whether a token that was given before may be given again.
func (t *tokenStore) reusable(old *accessToken, how terms, now time.Time) bool {
	if old.revoked || !t.keys.has(old.keyID) || old.expires.Sub(now) <= t.opts.RenewWithin {
		return false
	}
	if how.withRefresh {
		return old.refresh != nil && !old.refresh.revoked && !old.refresh.spent && now.Before(old.refresh.expires)
	}
	return true
}

// sweep forgets what nobody can use any more, each time the number of tokens
// has doubled; t.mu is held.
func (t *tokenStore) sweep(now time.Time) {
	if len(t.access)+len(t.refresh) < t.sweepAt {
		return
	}
	for text, a := range t.access {
		if !now.Before(a.expires) {
			delete(t.access, text)
			if t.current[a.key] == a {
				delete(t.current, a.key)
			}
		}
	}
	for text, r := range t.refresh {
		// A spent one stays until it would have expired: it may come back.
		if !now.Before(r.expires) {
			delete(t.refresh, text)
		}
	}
	t.sweepAt = max(100, 2*(len(t.access)+len(t.refresh)))
}

// valid returns the access token of that text, if it is good at this moment.
func (t *tokenStore) valid(text string) (accessToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.access[text]
	if a == nil || a.revoked || !time.Now().Before(a.expires) || !t.keys.has(a.keyID) {
		return accessToken{}, false
	}
	return *a, true
}

// remembered returns the access token of that text, whether it is good or not.
func (t *tokenStore) remembered(text string) (accessToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.access[text]; a != nil {
		return *a, true
	}
	return accessToken{}, false
}

// revoke ends the token of that text, and tells whether it was alive.
func (t *tokenStore) revoke(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.access[text]; a != nil {
		was := !a.revoked
		a.revoked = true
		return was
	}
	if r := t.refresh[text]; r != nil {
		was := !r.revoked
		r.revoked = true
		return was
	}
	return false
}

// holder returns whose token that is.
func (t *tokenStore) holder(text string) (subject, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.access[text]; a != nil {
		return a.subject, true
	}
	if r := t.refresh[text]; r != nil {
		return r.subject, true
	}
	return subject{}, false
}

// add takes in a token and what came with it, and forgets whom ending the
// family would not touch; t.mu is held.
func (f *family) add(token *accessToken, now time.Time) {
	f.access = append(slices.DeleteFunc(f.access, func(a *accessToken) bool {
		return a.revoked || !now.Before(a.expires)
	}), token)
	f.refresh = append(slices.DeleteFunc(f.refresh, func(r *refreshToken) bool {
		return r.revoked || r.spent || !now.Before(r.expires)
	}), token.refresh)
}

// end revokes all of a family; t.mu is held.
func (f *family) end() {
	for _, a := range f.access {
		a.revoked = true
	}
	for _, r := range f.refresh {
		r.revoked = true
	}
}

// Revoke ends an access or refresh token at once, as its client could, and
// tells whether it was alive.
func (s *Server) Revoke(token string) bool { return s.tokens.revoke(token) }

// RevokeAll ends every access and refresh token.
func (s *Server) RevokeAll() {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	for _, a := range s.tokens.access {
		a.revoked = true
	}
	for _, r := range s.tokens.refresh {
		r.revoked = true
	}
}

// ExpireAll ends every access token, as if its time were over, whatever its exp
// says. Refresh tokens live on.
func (s *Server) ExpireAll() {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	now := time.Now()
	for _, a := range s.tokens.access {
		if a.expires.After(now) {
			a.expires = now
		}
	}
}
