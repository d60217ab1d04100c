package bearer

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// browser is what the sessions of one request have in common: the session id, and
// the answer that takes cookies along.
type browser struct {
	*shop
	request *http.Request
	cookies []string // the lines of its header
	caching []string // as in visit
	first   *Session
	inbound *inbound // nil if the request has brought no token of its own

	firstID string // the application's, as it was when the request came, or when a customer last signed in; with changing, one at a time changes it, under mu

	mu       sync.Mutex // guards what follows
	readID   bool
	id       string // "" if there is none
	day      int    // when its cookie was set
	begun    bool   // the header is out
	changing bool   // a login or logout is under way
	setID    bool   // the cookie must be sent
	maxAge   time.Duration
	others   []*Session // those of other storefronts, see Session.For
}

var (
	errShortID  = &safeError{"the application's session id is shorter than 16 bytes: it must be long and random", nil}
	errSameID   = &safeError{"the application's session id is the one that the request came with: give the visitor a new one before SetCustomer, since somebody may have planted the old one", nil}
	errNoID     = &safeError{"the application has no session to keep the customer in: MiddlewareOptions.SessionID returned an empty id", nil}
	errBegun    = &safeError{"the answer's header has been sent, and the visitor's cookie can no longer be set: sign in before writing the answer", nil}
	errChanging = &safeError{"another login or logout of the same request is under way", nil}
)

// start does what cannot wait for the session's first use. The request has brought no
// token of its own.
func (b *browser) start(ctx context.Context) {
	if b.opts.SessionID != nil {
		b.firstID = b.opts.SessionID(b.request)
	}
	if b.opts.Carrier != nil {
		b.first.refreshFirst(ctx)
	}
}

// refreshFirst gets a carried customer's next token while there is a header to
// send it with. A failure shows when the token is used.
func (s *Session) refreshFirst(ctx context.Context) {
	raw := s.load()
	if raw == nil {
		return
	}
	r, err := s.front.readRecord(raw)
	if err != nil || r.state != StateCustomer || r.token.RefreshToken == "" {
		return
	}
	ahead := max(s.front.guest.opts.RefreshAhead, 0) + maxMargin
	if end := r.token.Expiry; end.IsZero() || time.Until(end) > ahead {
		return // certainly fresh, which is all that most requests have to know
	}
	c, err := s.resolve(ctx) // it may have a successor already
	if c == nil || err != nil {
		return
	}
	due, serving := c.source.due()
	if !due {
		return
	}
	patient := ctx
	if serving {
		var cancel context.CancelFunc
		patient, cancel = context.WithTimeout(ctx, carriedWait)
		defer cancel()
	}
	if _, left := c.source.renew(patient).(*waitError); left && ctx.Err() == nil {
		// What one request has waited for in vain the next ones need not.
		c.source.putOff()
		s.front.pin(c, time.Now().Add(c.source.opts.FetchTimeout))
	}
}

// currentID is the browser's session id, "" if it has none.
func (b *browser) currentID() string {
	switch {
	case b.inbound != nil || b.opts.Carrier != nil:
		return ""
	case b.opts.SessionID != nil:
		return b.opts.SessionID(b.request)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.readID {
		b.readID = true
		b.id, b.day = b.cookie.read(b.cookies)
	}
	return b.id
}

// session is the one of f.
func (b *browser) session(f *Storefront) *Session {
	if b.first.front == f {
		return b.first
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.others {
		if s.front == f {
			return s
		}
	}
	s := &Session{front: f, browser: b}
	b.others = append(b.others, s)
	return s
}

// change begins a login or logout. Only a login has to be ready for it.
func (b *browser) change(login bool) (done func(), err error) {
	if login {
		err = b.ready()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.inbound != nil:
		return nil, ErrInbound
	case b.changing:
		return nil, errChanging
	case err != nil:
		return nil, err
	}
	b.changing = true
	return func() {
		b.mu.Lock()
		b.changing = false
		b.mu.Unlock()
	}, nil
}

// ready says why nobody can sign in, if so.
func (b *browser) ready() error {
	b.mu.Lock()
	begun := b.begun
	b.mu.Unlock()
	switch {
	case b.inbound != nil:
		return ErrInbound
	case b.opts.SessionID == nil && begun:
		return errBegun
	case b.opts.SessionID == nil && b.request.Context().Err() != nil:
		return errLeft
	}
	_, err := b.nextID()
	return err
}

// nextID is the id for a customer who signs in, none if the browser carries the record.
func (b *browser) nextID() (string, error) {
	switch {
	case b.opts.Carrier != nil:
		return "", nil
	case b.opts.SessionID == nil:
		return newSessionID(), nil
	}
	id := b.opts.SessionID(b.request)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case id == "":
		return "", errNoID
	case len(id) < minSessionID:
		return "", errShortID
	case id == b.firstID:
		return "", errSameID
	}
	return id, nil
}

// send has the cookie sent, with the id, or removed if that is "". It reports
// whether there is a header to send it with.
func (b *browser) send(id string, maxAge time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.SessionID != nil {
		return true
	}
	if b.begun {
		return false
	}
	if b.opts.Carrier == nil {
		b.readID, b.id, b.day = true, id, today()
		b.setID, b.maxAge = true, maxAge
	}
	return true
}

// begin adds the cookies and what caches have to know to the header of w. It is
// called once.
func (b *browser) begin(w http.ResponseWriter) {
	b.mu.Lock()
	b.begun = true
	setID, id, day, maxAge := b.setID, b.id, b.day, b.maxAge
	others := slices.Clip(b.others)
	b.mu.Unlock()

	sent, private, life := setID, false, time.Duration(0)
	for _, s := range append(others, b.first) {
		private = private || s.isPrivate()
		life = max(life, s.rememberFor())
		if b.opts.Carrier != nil {
			sent = s.save(w) || sent
		}
	}
	switch {
	case setID && id == "":
		b.cookie.remove(w)
	case setID:
		b.cookie.write(w, id, maxAge)
	case id != "" && life > 0 && day != today() && b.staySignedIn(others): // it ends later now
		b.cookie.write(w, id, life)
		sent = true
	}
	h := w.Header()
	own := b.inbound != nil && b.inbound.used.Load()
	said := h.Get("Cache-Control") != "" && !slices.Equal(h["Cache-Control"], b.caching)
	if sent || (private || own) && !said || own && isForAll(h) {
		keepFromCaches(h)
	}
	if sent || private {
		varyBy(h, "Cookie")
	}
	if own {
		varyBy(h, "Authorization")
	}
}

// keepFromCaches has no cache keep the answer, and removes what some obey instead.
func keepFromCaches(h http.Header) {
	for field := range h {
		if outranksCacheControl(field) {
			delete(h, field)
		}
	}
	h.Set("Cache-Control", "private, no-store")
}

// outranksCacheControl reports whether some caches obey the field in its place (RFC 9213
// §2).
func outranksCacheControl(field string) bool {
	return field == "Surrogate-Control" || field == "X-Accel-Expires" || strings.HasSuffix(field, "-Cache-Control")
}

// isForAll reports whether shared caches may keep an answer with the header though the
// request had an Authorization (RFC 9111 §3.5).
func isForAll(h http.Header) bool {
	for field, lines := range h {
		kept := !hasDirective(lines, "private", "no-store")
		if outranksCacheControl(field) && kept ||
			field == "Cache-Control" && (hasDirective(lines, "public", "s-maxage") || hasDirective(lines, "must-revalidate") && kept) {
			return true
		}
	}
	return false
}

// hasDirective reports whether the lines of a Cache-Control have one of those named.
func hasDirective(lines []string, names ...string) bool {
	for _, line := range lines {
		for directive := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(directive, "=")
			if slices.Contains(names, strings.ToLower(strings.TrimSpace(name))) {
				return true
			}
		}
	}
	return false
}

// varyBy tells caches that the answer is for those alone who send the same field (RFC
// 9110 §12.5.5).
func varyBy(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}

func (s *Session) isPrivate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.private
}

// rememberFor is how long the browser is to remember the customer; 0 if there is
// none, or for as long as it runs.
func (s *Session) rememberFor() time.Duration {
	s.mu.Lock()
	c := s.cust
	s.mu.Unlock()
	if c == nil {
		return 0
	}
	rec, _, _ := c.latest()
	if _, ended := c.hasEnded(); ended {
		return 0
	}
	return s.front.rememberFor(rec)
}

// staySignedIn looks once more whether the id is that of customers still: an answer
// that is slower than a sign-in or sign-out must not bring the old id back.
func (b *browser) staySignedIn(others []*Session) bool {
	for _, s := range append(others, b.first) {
		s.mu.Lock()
		c := s.cust
		s.mu.Unlock()
		if c != nil && !c.lookAgain(b.request.Context()) {
			return false
		}
	}
	return true
}

func (f *Storefront) rememberFor(r record) time.Duration {
	if r.token == nil || r.token.RefreshToken == "" {
		return 0
	}
	return f.opts.RefreshLife
}

// stillHas returns the record if it is another one than carried. It looks once more
// whether the customer has signed out meanwhile, by another request: the record would
// take the place of what that one has left in the browser.
func (c *customer) stillHas(ctx context.Context, carried []byte) (record, bool) {
	rec, _, _ := c.latest()
	if bytes.Equal(rec.raw, carried) {
		return record{}, false
	}
	ok := c.lookAgain(ctx)
	rec, _, _ = c.latest()
	return rec, ok
}

// save has the browser carry the record as it is by now, and reports whether that
// took a cookie. What this session has not ended itself is left: the browser may
// have got something else meanwhile, by the answer to another request.
func (s *Session) save(w http.ResponseWriter) bool {
	s.mu.Lock()
	c, carried, remove := s.cust, s.carried, s.drop && s.carries
	s.mu.Unlock()
	var raw []byte
	var maxAge time.Duration
	switch {
	case c != nil:
		rec, ok := c.stillHas(s.browser.request.Context(), carried)
		if !ok {
			return false
		}
		raw, maxAge = rec.raw, s.front.rememberFor(rec)
	case !remove:
		return false
	}
	if err := s.browser.opts.Carrier.Save(w, s.front.opts.Key, raw, maxAge); err != nil {
		s.front.opts.Observer(s.browser.request.Context(), SaveFailed{Source: s.front.opts.Name + " customer", Err: err})
	}
	return true
}
