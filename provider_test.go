package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// provider is an authorization server and the API that takes its tokens. A
// customer's refresh token is good once; one that comes back spent ends all that
// came of the same sign-in (RFC 9700 §4.14.2). Its tokens say nothing.
type provider struct {
	life time.Duration // of access tokens; 0: an hour
	took time.Duration // how long an answer takes, half of it before anything is done

	lenient bool // a spent refresh token that comes back is refused, and that is all

	mu        sync.Mutex // guards what follows
	issued    int
	access    map[string]*issue
	refresh   map[string]*issue
	guests    int                                         // token requests for guests
	refreshes int                                         // of refresh tokens
	revoked   []string                                    // as they came
	failing   func(kind string) error                     // the answer instead, before anything is done; nil: none
	lost      func(kind string) error                     // the answer instead, after it is done
	answer    func(old, t *bearer.Token) *bearer.Token    // changes the answer to a refresh
	within    func(ctx context.Context, kind, tok string) // runs in each request
	seen      map[string]map[string]int                   // visitor → owner → answers of the API
	refused   int                                         // answers with 401
	broken    bool                                        // the API refuses all
}

// issue is what the provider knows of a token.
type issue struct {
	owner  string // "" for a guest
	family *family
	expiry time.Time
	dead   bool // revoked, or a refresh token that is spent
}

type family struct{ ended bool }

func newProvider() *provider {
	return &provider{life: time.Hour, access: map[string]*issue{}, refresh: map[string]*issue{}, seen: map[string]map[string]int{}}
}

// issueTo must be called with mu held.
func (p *provider) issueTo(owner string, f *family) *bearer.Token {
	p.issued++
	t := &bearer.Token{AccessToken: fmt.Sprintf("s3cr3t-access-%d", p.issued), TokenType: "Bearer", Expiry: time.Now().Add(p.life)}
	p.access[t.AccessToken] = &issue{owner: owner, family: f, expiry: t.Expiry}
	if f != nil {
		t.RefreshToken = fmt.Sprintf("s3cr3t-refresh-%d", p.issued)
		p.refresh[t.RefreshToken] = &issue{owner: owner, family: f}
	}
	return t
}

// request is what all requests have in common.
func (p *provider) request(ctx context.Context, kind, token string, do func() (*bearer.Token, error)) (*bearer.Token, error) {
	p.mu.Lock()
	within, failing, lost := p.within, p.failing, p.lost
	p.mu.Unlock()
	if within != nil {
		within(ctx, kind, token)
	}
	wait := func() error {
		if p.took > 0 {
			select {
			case <-time.After(p.took / 2):
			case <-ctx.Done():
			}
		}
		return ctx.Err()
	}
	if err := wait(); err != nil {
		return nil, err
	}
	if failing != nil {
		if err := failing(kind); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	t, err := do()
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if lost != nil {
		if err := lost(kind); err != nil {
			return nil, err
		}
	}
	return t, wait()
}

func (p *provider) guest(ctx context.Context) (*bearer.Token, error) {
	p.mu.Lock()
	p.guests++
	p.mu.Unlock()
	return p.request(ctx, "guest", "", func() (*bearer.Token, error) { return p.issueTo("", nil), nil })
}

// signIn is the password grant.
func (p *provider) signIn(owner string) *bearer.Token {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issueTo(owner, &family{})
}

func (p *provider) spend(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
	p.mu.Lock()
	p.refreshes++
	p.mu.Unlock()
	return p.request(ctx, "refresh", old.RefreshToken, func() (*bearer.Token, error) {
		i := p.refresh[old.RefreshToken]
		if i == nil || i.dead || i.family.ended {
			if i != nil && i.dead && !p.lenient {
				i.family.ended = true
			}
			return nil, answered(400, "invalid_grant")
		}
		i.dead = true
		t := p.issueTo(i.owner, i.family)
		if p.answer != nil {
			t = p.answer(old, t)
		}
		return t, nil
	})
}

func (p *provider) revoke(ctx context.Context, token string) error {
	_, err := p.request(ctx, "revoke", token, func() (*bearer.Token, error) {
		p.revoked = append(p.revoked, token)
		for _, all := range []map[string]*issue{p.access, p.refresh} {
			if i := all[token]; i != nil {
				i.dead = true
				if strings.Contains(token, "refresh") {
					i.family.ended = true
				}
			}
		}
		return nil, nil
	})
	return err
}

func (p *provider) owner(t *bearer.Token) (bearer.Owner, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.access[t.AccessToken]
	switch {
	case i == nil:
		return bearer.Owner{}, fmt.Errorf("unknown token %s", t.AccessToken)
	case i.owner == "":
		return bearer.Owner{}, nil
	}
	return bearer.Owner{Type: "Customer", ID: i.owner}, nil
}

// kill revokes an access token, as an administrator would.
func (p *provider) kill(accessToken string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.access[accessToken].dead = true
}

// endFamilyOf makes a refresh token worth nothing.
func (p *provider) endFamilyOf(t *bearer.Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh[t.RefreshToken].family.ended = true
}

// good reports whether the API takes the token, and whose it is.
func (p *provider) good(accessToken string) (owner string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.access[accessToken]
	if i == nil || i.dead || !time.Now().Before(i.expiry) {
		return "", false
	}
	return i.owner, true
}

func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *provider) counts() (guests, refreshes, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.guests, p.refreshes, p.refused
}

// last is the one refresh token of owner's that is good.
func (p *provider) last(owner string) (token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t, i := range p.refresh {
		if i.owner == owner && !i.dead {
			token = t
		}
	}
	return token
}

func (p *provider) takenBack() []string {
	synctest.Wait() // some is done in the background
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.revoked...)
}

// ServeHTTP is the API. It answers with the owner of the token, or "guest", and
// notes for whom the request was meant.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	owner, ok := p.good(token)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok || p.broken {
		p.refused++
		invalidToken(w)
		return
	}
	if owner == "" {
		owner = "guest"
	}
	visitor := r.Header.Get("X-Visitor")
	if p.seen[visitor] == nil {
		p.seen[visitor] = map[string]int{}
	}
	p.seen[visitor][owner]++
	fmt.Fprint(w, owner)
}
