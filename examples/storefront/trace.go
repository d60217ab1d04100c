package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

// trace is what one request has done so far. A nil trace, of work without a
// request, takes nothing in.
type trace struct {
	hood     *hood
	instance string
	name     string

	mu      sync.Mutex // guards what follows
	feed    *feed
	market  *market
	as      *bearer.Authorization // of the last call; its token is not looked at but for the expiry
	none    bool                  // the last call has found no token
	reasons map[bool]string       // why tokens were requested, the guests' (true) and the customer's
	found   bool                  // there was a guests' token in the storage
	foreign bool                  // which another instance has requested, and this one uses now
	calls   []string
	tokens  int
	reads   int
	down    bool // one of them failed
}

type traceKey struct{}

func withTrace(ctx context.Context, t *trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

// note changes the trace.
func (t *trace) note(change func()) {
	if t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		change()
	}
}

// read notes that the storage was read, whether there was a guests' token, and whether
// it failed.
func (t *trace) read(found, down bool) {
	t.note(func() {
		t.reads++
		t.found, t.down = t.found || found, t.down || down
	})
}

func (t *trace) issued(guests bool, reason string) { t.note(func() { t.reasons[guests] = reason }) }

// used notes whom a call has spoken for, and that of the market's.
func (t *trace) used(m *market, as *bearer.Authorization, err error) {
	newHere := false
	if err == nil && as.Origin == bearer.OriginGuest {
		last, _ := t.hood.guestTokens.Swap(m, as.Token)
		newHere = last != as.Token
	}
	t.note(func() {
		t.market, t.as, t.none = m, as, err != nil
		t.foreign = t.foreign || newHere && t.found
	})
}

// tell adds an entry to the feed of the visitor.
func (t *trace) tell(e entry) {
	if t == nil {
		return
	}
	t.mu.Lock()
	f := t.feed
	t.mu.Unlock()
	t.hood.tell(f, e)
}

// showTo makes sure that the feed is one that this visitor may see, before it is
// shown.
func (t *trace) showTo(w http.ResponseWriter, customer bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	owner := ""
	switch {
	case t.as != nil:
		owner = t.as.Owner.ID
	case customer:
		return // nobody has asked which one
	}
	if t.feed.owner != owner {
		t.feed = t.hood.passOn(t.feed, owner)
		t.hood.cookies.set(w, hoodCookie, t.feed.id, 0)
	}
}

// request sums the trace up; t.mu is held.
func (t *trace) request() *requestView {
	v := &requestView{Name: t.name, Who: "nobody: it called no API", Calls: t.calls, TokenRequests: t.tokens, StorageReads: t.reads}
	if t.instance != "" {
		v.Instance = "instance " + t.instance
	}
	if t.none {
		v.Who = "nobody: there is no token"
	}
	if t.as == nil {
		return v
	}
	v.Market, v.Scope = t.market.Name, t.as.Scope
	if at := t.as.Token.Expiry; !at.IsZero() {
		v.Expiry = at.UTC().Format(time.RFC3339)
	}
	guest := t.as.Origin == bearer.OriginGuest
	v.Who = "customer"
	if guest {
		v.Who = "guest"
	}
	if t.feed.owner == t.as.Owner.ID {
		v.Owner = t.as.Owner.ID
	}
	switch t.reasons[guest] {
	case "":
		v.From = "storage, under this browser’s session id"
		if t.reads == 0 || t.down {
			v.From = "memory, under this browser’s session id"
		}
		if guest {
			v.From = "memory, one for all guests"
			if t.foreign {
				v.From = "storage: another instance has requested it"
			}
		}
	case "signed in":
		v.From = "signed in just now"
	case string(bearer.ReasonMissing):
		v.From = "requested just now: there was none"
	case string(bearer.ReasonEvicted):
		v.From = "replaced just now: the API had rejected the old one"
	default:
		v.From = "refreshed just now, in good time"
		if t.reasons[guest] == string(bearer.ReasonExpired) {
			v.From = "refreshed just now: the old one had expired"
		}
	}
	return v
}

// finish tells of the request, when it is over.
func (t *trace) finish() {
	if strings.HasSuffix(t.name, " /events") {
		return
	}
	t.mu.Lock()
	v := t.request()
	t.mu.Unlock()
	t.tell(entry{Kind: "request", Place: placeOf(v.Market, t.instance), Text: v.Name, Detail: v.summary(), Request: v})
}

func (v *requestView) summary() string {
	var parts []string
	if len(v.Calls) > 0 {
		parts = append(parts, "as "+v.Who, count(len(v.Calls), "API call"))
	}
	if v.TokenRequests > 0 {
		parts = append(parts, count(v.TokenRequests, "token request"))
	}
	if parts == nil {
		return "needed no token"
	}
	return strings.Join(parts, " · ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// wire sends what the shop sends to Commerce Layer, and notes it.
type wire struct {
	base                  http.RoundTripper
	tokens, api, rejected atomic.Int64
}

func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	t := traceOf(r.Context())
	forToken := strings.HasSuffix(r.URL.Path, "/oauth/token")
	forAPI := !strings.Contains(r.URL.Path, "/oauth/")
	switch {
	case forToken:
		x.tokens.Add(1)
		t.note(func() { t.tokens++ })
	case forAPI:
		x.api.Add(1)
	}
	resp, err := x.base.RoundTrip(r)
	if !forAPI {
		return resp, err
	}
	outcome := "no answer"
	if err == nil {
		outcome = resp.Status
		if resp.StatusCode == http.StatusUnauthorized {
			x.rejected.Add(1)
		}
	}
	t.note(func() { t.calls = append(t.calls, r.Method+" "+masked(r.URL.Path)+": "+outcome) })
	return resp, err
}
