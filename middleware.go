package bearer

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MiddlewareOptions are the optional settings of [Middleware]. The zero value
// keeps a random session id in a cookie, and the tokens in the storage.
type MiddlewareOptions struct {
	// Cookie is the name of the session id's cookie, without its prefix. Default
	// "session", which makes "__Host-session": HttpOnly, Secure, SameSite=Lax. Two
	// Middlewares on one host need two names; markets of one shop belong in
	// Storefronts.
	Cookie string

	// InsecureCookie drops the prefix and Secure, for plain http on a host other
	// than localhost, and for Safari there too. Whoever can listen can then take over sessions.
	InsecureCookie bool

	// Carrier keeps the tokens in the browser instead. A customer whose token is
	// about to expire is then refreshed before the handler runs, since the answer's
	// header is where the new token goes.
	Carrier Carrier

	// SessionID returns the id of the application's own session, empty if it has
	// none, in place of our cookie. An id has at least 16 bytes that cannot be
	// guessed: whoever has a shorter one is a guest, and cannot sign in. The
	// application must give the visitor a new one before Session.SetCustomer, which
	// refuses the old one: somebody else may have planted it (session fixation). At
	// any other time a new id loses the customer.
	//
	// The function is called for each request, and again when the session is used: it
	// must be quick, and safe for concurrent use. It gets the request with the header
	// that it came with, whatever handlers do to theirs, and with its context. So have
	// the application's sessions come from a middleware further out, and look for
	// them in that.
	SessionID func(*http.Request) string

	// Verifier admits requests with a bearer token of their own, which then decides
	// alone: no cookie is looked at. One that it refuses is answered with 401, and a
	// header that is not one bearer token with 400. If nil, an Authorization header is
	// not looked at. With several Storefronts the token goes out with the calls of each,
	// whichever Pick or Session.For has chosen: admit only what is good for all of them,
	// or set StorefrontOptions.Inbound, which keeps tokens from APIs that they are not for.
	Verifier Verifier

	// Realm is that of the challenges to those who may come with a token (RFC 6750 §3).
	// It must do without control characters, quotes and backslashes. Default "bearer".
	Realm string

	// Denied answers those whom the Verifier refuses, for whom there is no session, and
	// those whom RequireCustomer, RequireBearer or Require refuses without a Denied of
	// its own. RefusalFromContext tells why; the header has the challenge already.
	// Default: 400, 401 or 403 in plain text, or in the form of JSON:API for a client
	// that accepts JSON by name, or does not accept HTML by name and has brought a token,
	// or is to bring one since the Storefront has neither guests nor customers.
	Denied http.Handler

	// Failed answers likewise when nobody can tell for the time being; the header has
	// Retry-After already. Default: 503 Service Unavailable in the same forms.
	Failed http.Handler

	// Storefronts are the others that the same session serves, such as one for each
	// market: a customer who signs in to one stays signed in to the others as the
	// same Owner, anybody else is signed out of them, and one logout ends all. Each
	// has a storage and a Key; an id says nothing without them.
	Storefronts []*Storefront

	// Pick chooses the request's storefront. nil, or one that Middleware has not
	// been given, means the first.
	Pick func(*http.Request) *Storefront
}

// shop is what all requests through one Middleware share.
type shop struct {
	opts   MiddlewareOptions
	fronts []*Storefront // the first is the default
	cookie idCookie
	plain  bool // the Carrier's records may be made up

	refuser Refuser // the Verifier, if it is one
	tokens  bool    // without one of its own a request is nobody's: there are neither guests nor customers
}

// Middleware gives each request a [Session] with f, or with the one that Pick
// chooses, and adds its cookies to the answer. It fits any router that takes
// func(http.Handler) http.Handler. The options may be nil. It panics if they
// cannot work.
//
// A request that needs no token costs no look at a cookie or at the storage; with
// a Carrier its cookie is opened, to see whether the token in it is about to
// expire. A guest gets no cookie. An answer with a cookie of ours has Cache-Control:
// private, no-store and Vary: Cookie; one that was made for a customer too, unless
// the handler has set another Cache-Control. What was made with the request's own token
// has Vary: Authorization in place of that, and no Cache-Control that lets shared caches
// keep it (RFC 9111 §3.5). What a middleware further out has set before is no handler's
// Cache-Control. With it go such fields as CDN-Cache-Control (RFC 9213) and
// Surrogate-Control, which some caches obey in its place. A reverse proxy among the
// handlers copies the Cache-Control of its upstream, which is the handler's word then.
//
// The request's header is passed on as it came. Take the Cookie out of what a reverse
// proxy sends, in its Rewrite, unless the upstream may act as the visitor. A WebSocket
// package that writes the answer to an upgrade itself, onto the connection that it has
// hijacked, leaves out cookies that are due with it: sign in and out elsewhere.
func Middleware(f *Storefront, opts *MiddlewareOptions) func(http.Handler) http.Handler {
	sh := newShop(f, opts)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sh.serve(w, r, next) })
	}
}

func newShop(f *Storefront, opts *MiddlewareOptions) *shop {
	sh := &shop{}
	if opts != nil {
		sh.opts = *opts
	}
	o := &sh.opts
	sh.fronts = append([]*Storefront{f}, o.Storefronts...)
	sh.cookie = newIDCookie(o.Cookie, o.InsecureCookie)
	if c, ok := o.Carrier.(PlainCarrier); ok {
		sh.plain = c.Plain()
	}
	sh.refuser, _ = o.Verifier.(Refuser)
	if o.Realm == "" {
		o.Realm = defaultRealm
	}
	keys, guests := map[place]bool{}, map[place]bool{}
	for _, f := range sh.fronts {
		if f == nil {
			panic("bearer: Middleware needs a Storefront: make one with NewStorefront")
		}
		customers := placeOf(f.opts.Customers, f.opts.Key)
		if o.Carrier != nil {
			customers.storage = nil // the key names the cookie
		}
		switch {
		case f.opts.Customers == nil && (o.Carrier != nil || o.SessionID != nil || len(sh.fronts) > 1):
			panic("bearer: Middleware with these options needs StorefrontOptions.Customers, such as memstore.New(nil)")
		case keys[customers]:
			panic(fmt.Sprintf("bearer: Middleware has two Storefronts whose StorefrontOptions.Key is %q: they would share customers", f.opts.Key))
		}
		keys[customers] = true
		if f.opts.Guests == nil {
			continue
		}
		token := placeOf(f.opts.Guests, f.opts.GuestKey)
		if guests[token] {
			panic(fmt.Sprintf("bearer: Middleware has two Storefronts whose StorefrontOptions.GuestKey is %q: they would share a token of one scope", f.opts.GuestKey))
		}
		guests[token] = true
	}
	if o.Carrier != nil && o.SessionID != nil {
		panic("bearer: MiddlewareOptions has a Carrier and a SessionID: a session lives in one place, leave one of them out")
	}
	if sh.tokens = f.noGuests && f.opts.Customers == nil; sh.tokens && o.Verifier == nil {
		panic("bearer: Middleware has a Storefront with neither guests nor customers, and no Verifier, so that nobody could be anybody: give NewStorefront a TokenFunc for guests, or set StorefrontOptions.Customers or MiddlewareOptions.Verifier")
	}
	if !isRealm(o.Realm) {
		panic(fmt.Sprintf("bearer: MiddlewareOptions.Realm %q cannot be quoted: leave out control characters, quotes and backslashes", o.Realm))
	}
	switch name := strings.ToLower(o.Cookie); {
	case (&http.Cookie{Name: sh.cookie.name, Value: "x"}).Valid() != nil:
		panic(fmt.Sprintf("bearer: MiddlewareOptions.Cookie %q is no cookie's name: use letters, digits and hyphens", o.Cookie))
	case strings.HasPrefix(name, "__host-") || strings.HasPrefix(name, "__secure-"):
		panic(fmt.Sprintf("bearer: MiddlewareOptions.Cookie %q has a prefix of its own: leave it out, __Host- is added", o.Cookie))
	}
	for _, f := range sh.fronts {
		f.opens(sh)
	}
	return sh
}

// place is where something is kept.
type place struct {
	storage any // nil if it cannot be told from others
	key     string
}

func placeOf(storage any, key string) place {
	if !reflect.ValueOf(storage).Comparable() {
		storage = nil
	}
	return place{storage, key}
}

// visit is one request's context and response. Each request pays for it; the rest
// is made when it is first asked for.
type visit struct {
	context.Context
	response response
	shop     *shop
	front    *Storefront
	request  *http.Request
	cookies  []string // the request's header lines: the handlers, who share the map, may take them out
	caching  []string // the answer's Cache-Control when the request came: somebody's default
	inbound  *inbound // nil if the request has brought no token of its own

	mu    sync.Mutex // guards begun, and the making of made
	begun bool       // the header is out
	made  atomic.Pointer[visitor]
}

// visitor is what a visit has when anybody asks for the session.
type visitor struct {
	browser browser
	session Session
}

type sessionKey struct{}

// Value finds the session.
func (v *visit) Value(key any) any {
	if key == (sessionKey{}) {
		return &v.visitor().session
	}
	return v.Context.Value(key)
}

func (v *visit) visitor() *visitor {
	if made := v.made.Load(); made != nil {
		return made
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	made := v.made.Load()
	if made == nil {
		made = &visitor{}
		made.browser = browser{shop: v.shop, request: v.request, cookies: v.cookies, caching: v.caching, inbound: v.inbound, first: &made.session, begun: v.begun}
		made.session = Session{front: v.front, browser: &made.browser}
		v.made.Store(made)
	}
	return made
}

// begin adds to the header what has become of the session, if anybody has asked
// for it.
func (v *visit) begin(w http.ResponseWriter) {
	v.mu.Lock()
	v.begun = true
	v.mu.Unlock()
	if made := v.made.Load(); made != nil {
		made.browser.begin(w)
	}
}

// String shows the contexts within, and nothing of the session.
func (v *visit) String() string { return fmt.Sprint(v.Context) + ".WithSession" }

// Format prints what String returns, whatever the verb: contexts get printed.
func (v *visit) Format(f fmt.State, _ rune) { io.WriteString(f, v.String()) }

func (sh *shop) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	v := &visit{Context: r.Context(), shop: sh, front: sh.pick(r), request: r, cookies: r.Header["Cookie"], caching: w.Header()["Cache-Control"]}
	if sh.opts.Verifier != nil {
		in, ref := sh.admit(r)
		if ref != nil {
			sh.refuse(w, r.WithContext(withoutSession{r.Context()}), ref, RequireOptions{}, true) // a Middleware further out may know somebody, who has not sent this token
			return
		}
		v.inbound = in
	}
	v.response = response{ResponseWriter: w, owner: v}
	defer v.response.finish()
	if v.inbound == nil && (sh.opts.SessionID != nil || sh.opts.Carrier != nil) {
		v.request = asItCame(r)
		v.visitor().browser.start(v)
	}
	next.ServeHTTP(v.response.writer(), r.WithContext(v))
}

// asItCame returns r with a header of its own, which is read whenever the session is
// used, by whom ever, while handlers may be changing theirs.
func asItCame(r *http.Request) *http.Request {
	r = r.WithContext(r.Context())
	r.Header = maps.Clone(r.Header)
	return r
}

func (sh *shop) pick(r *http.Request) *Storefront {
	if sh.opts.Pick != nil {
		if f := sh.opts.Pick(r); f != nil && slices.Contains(sh.fronts, f) {
			return f
		}
	}
	return sh.fronts[0]
}

// FromContext returns the session that [Middleware] or [NewContext] has put into
// ctx; ok is false if there is none.
func FromContext(ctx context.Context) (s *Session, ok bool) {
	s, ok = ctx.Value(sessionKey{}).(*Session)
	return s, ok && s != nil
}

// NewContext returns a context with the session, to carry it into work that
// outlives the request:
//
//	go sendReceipt(bearer.NewContext(context.Background(), session), order)
//
// or to act for a while as in another of the browser's storefronts, see
// [Session.For]. After the request a customer is refreshed as before; a carrier's
// record, which has no answer to go with any more, reaches the browser with its
// next one. Signing in is no longer possible.
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// withoutSession hides the session: what is done for all, or for whoever comes
// first, must not act as somebody.
type withoutSession struct{ context.Context }

func (c withoutSession) Value(key any) any {
	if key == (sessionKey{}) {
		return nil
	}
	return c.Context.Value(key)
}

// carriedWait is how long a request waits for the refresh of a token that is good
// for a while yet, but would be refreshed in vain later: when the header is out.
const carriedWait = 2 * time.Second
