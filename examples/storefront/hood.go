package main

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// hood is what is under the hood, for the panel: a feed of what happens, for each
// browser one. A feed has what concerns all (the guests' token, the storage) and what
// concerns that browser, and nothing of anybody else's. The instances of a shop have
// one, which only works as they are in one process.
type hood struct {
	cookies cookies
	local   *commercelayertest.Server // nil: there is none to make trouble in
	wire    *wire
	storage string       // in words, if several instances share one
	seq     atomic.Int64 // of entries; it grows from one run of the program to the next

	guestTokens sync.Map // *market → the guests' *bearer.Token that it has used last

	mu      sync.Mutex // guards what follows
	feeds   map[string]*feed
	closed  bool
	failing bool // the token endpoint has been made to fail
}

// maxFeeds bounds them: the one that was not used for longest goes.
const maxFeeds = 1000

func newHood(s *service, c cookies) *hood {
	h := &hood{cookies: c, local: s.local, wire: &wire{base: s.base}, feeds: map[string]*feed{}}
	h.seq.Store(time.Now().UnixMicro())
	return h
}

// feed is one browser's.
type feed struct {
	id    string // the secret in its cookie
	owner string // the customer whom its entries may name; empty: a guest's

	mu      sync.Mutex // guards what follows
	used    time.Time
	entries []entry       // the last ones, oldest first
	changed chan struct{} // closed when there is something new
	closed  bool
}

// maxEntries is how much of a feed is remembered.
const maxEntries = 40

// entry is a line of a feed. It holds no token.
type entry struct {
	Seq     int64        `json:"-"`
	Time    string       `json:"time"`
	Kind    string       `json:"kind"`            // request, token, session or trouble
	Place   string       `json:"place,omitempty"` // market and instance
	Text    string       `json:"text"`
	Detail  string       `json:"detail,omitempty"`
	Request *requestView `json:"request,omitempty"`
}

// requestView is what a request has come to.
type requestView struct {
	Name          string   `json:"name"` // method and path
	Market        string   `json:"market"`
	Instance      string   `json:"instance"` // that has answered; empty if there is one only
	Who           string   `json:"who"`      // guest, customer, or nobody yet
	Owner         string   `json:"owner"`
	Scope         string   `json:"scope"`
	From          string   `json:"from"`
	Expiry        string   `json:"expiry"` // RFC 3339
	Calls         []string `json:"calls"`
	TokenRequests int      `json:"tokenRequests"`
	StorageReads  int      `json:"storageReads"`
}

// hoodCookie is where a browser's feed is remembered.
const hoodCookie = "hood"

// follow gives each request to an instance a trace, which leads to its browser's feed.
func (h *hood) follow(instance string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := h.find(h.cookies.get(r, hoodCookie))
		if f == nil {
			f = h.newFeed("", nil)
			h.cookies.set(w, hoodCookie, f.id, 0)
		}
		t := &trace{hood: h, instance: instance, feed: f, name: r.Method + " " + r.URL.Path, reasons: map[bool]string{}}
		next.ServeHTTP(w, r.WithContext(withTrace(r.Context(), t)))
		t.finish()
	})
}

func (h *hood) find(id string) *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[id]
	if f != nil {
		f.mu.Lock()
		f.used = time.Now()
		f.mu.Unlock()
	}
	return f
}

// newFeed makes a feed that begins with these entries.
func (h *hood) newFeed(owner string, entries []entry) *feed {
	f := &feed{id: rand.Text(), owner: owner, used: time.Now(), entries: entries, changed: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.feeds) >= maxFeeds {
		var oldest *feed
		for _, f := range h.feeds {
			if oldest == nil || f.lastUsed().Before(oldest.lastUsed()) {
				oldest = f
			}
		}
		delete(h.feeds, oldest.id)
		oldest.close()
	}
	h.feeds[f.id] = f
	if h.closed {
		f.close()
	}
	return f
}

// passOn returns the feed for whoever uses the browser now: another person must
// not read what the last one did. What names nobody goes along. It has a new id,
// so that somebody who has planted or copied the old one is left behind.
func (h *hood) passOn(old *feed, owner string) *feed {
	old.mu.Lock()
	entries := slices.DeleteFunc(slices.Clone(old.entries), func(e entry) bool { return e.Request != nil && e.Request.Owner != "" })
	old.mu.Unlock()
	f := h.newFeed(owner, entries)
	h.mu.Lock()
	delete(h.feeds, old.id)
	h.mu.Unlock()
	old.close()
	return f
}

// tellAll adds an entry to all feeds.
func (h *hood) tellAll(e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.feeds {
		h.tell(f, e)
	}
}

// tell adds an entry to a feed.
func (h *hood) tell(f *feed, e entry) {
	e.Time = time.Now().Format("15:04:05")
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Seq = h.seq.Add(1)
	if f.entries = append(f.entries, e); len(f.entries) > maxEntries {
		f.entries = slices.Delete(f.entries, 0, len(f.entries)-maxEntries)
	}
	f.wake()
}

// close ends all feeds and the streams that follow them.
func (h *hood) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, f := range h.feeds {
		f.close()
	}
}

func (f *feed) lastUsed() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// wake tells those who wait; f.mu is held.
func (f *feed) wake() {
	if !f.closed {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		close(f.changed)
		f.closed = true
	}
}

// after returns the entries after that one, and what is closed when there are more,
// or the feed has ended.
func (f *feed) after(seq int64) (entries []entry, changed <-chan struct{}, open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if e.Seq > seq {
			entries = append(entries, e)
		}
	}
	return entries, f.changed, !f.closed
}

// placeOf is where something happened: in a market, and if there are several in an
// instance.
func placeOf(market, instance string) string {
	if market == "" || instance == "" {
		return market + instance
	}
	return market + ", " + instance
}

// masked is a path of the API without ids: that of a guest's order is a secret.
func masked(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		if i > 2 {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}
