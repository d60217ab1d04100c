package bearer

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Carrier keeps a customer's record, with its tokens, in the browser: in place
// of a session id there and the record in a Storage here. It must be safe for
// concurrent use. Set one in [MiddlewareOptions].
//
// A record is the JSON that a Storage would hold. Its key names the storefront,
// not the visitor, so that a carrier can make a cookie's name of it.
//
// A sign-in that would make the cookies of the browser's next request longer than 12
// KiB together is refused: that is two or three storefronts with tokens of 2.5 KB. Some
// proxies take less, such as nginx with its default of 8 KiB
// (large_client_header_buffers).
type Carrier interface {
	// Load returns the record that r carries under key, nil if it carries none. One
	// that cannot be trusted, because it was forged, cut off, sent twice or made for
	// another key, is an error; the visitor is a guest then. It must not panic,
	// whatever a visitor sends. The header of r is as it came, whatever handlers do to
	// theirs.
	Load(r *http.Request, key string) ([]byte, error)

	// Save has the browser keep record for maxAge; 0 means for as long as the
	// browser runs, and a nil record removes what is kept. It sets header fields
	// of w and nothing else. A record that no browser would keep is an error.
	Save(w http.ResponseWriter, key string, record []byte, maxAge time.Duration) error
}

// PlainCarrier is a [Carrier] whose records anybody can make up, since Load checks
// nothing. Their customers' refresh tokens are spent as long as few of them are refused:
// a stranger with many records must not use up what the token endpoint allows all
// visitors together. If more than ten a minute are refused, customers whom this
// process has not signed in or refreshed itself have to wait for a minute, and their
// calls fail until then.
type PlainCarrier interface {
	Carrier
	Plain() bool // false is as if there were no such method
}

// maxCookies is how long a sign-in may make the browser's cookies, in bytes. Servers
// and proxies refuse a header that is much longer, and whoever has got such cookies
// once does not get rid of them. A Carrier that limits what it reads must take more,
// since the site's other cookies may become more later.
const maxCookies = 12 << 10

var errCookies = &safeError{"with the customer's the browser's cookies would be longer than 12 KiB together, which servers refuse: keep customers in a Storage instead, or sign them in to fewer storefronts", nil}

// fits reports whether the browser can carry the record, beside what it has and what
// the same answer brings for other storefronts.
func (b *browser) fits(f *Storefront, r record) error {
	answer := headerOnly{}
	b.mu.Lock()
	sessions := append(slices.Clip(b.others), b.first)
	b.mu.Unlock()
	for _, s := range sessions {
		s.mu.Lock()
		c := s.cust
		s.mu.Unlock()
		if c != nil && s.front != f {
			rec, _, _ := c.latest()
			b.opts.Carrier.Save(answer, s.front.opts.Key, rec.raw, 0) // which is told when it counts
		}
	}
	if err := b.opts.Carrier.Save(answer, f.opts.Key, r.raw, f.rememberFor(r)); err != nil {
		return err
	}
	size, replaced := 0, map[string]bool{}
	for _, line := range answer["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, _, _ := strings.Cut(pair, "=")
		size, replaced[name] = size+len("; ")+len(pair), true
	}
	for _, line := range b.cookies {
		for pair := range strings.SplitSeq(line, ";") {
			if name, _, _ := strings.Cut(pair, "="); !replaced[strings.TrimSpace(name)] {
				size += len(";") + len(pair)
			}
		}
	}
	if size > maxCookies {
		return errCookies
	}
	return nil
}

// headerOnly is for a Carrier's Save that is to show what it would do.
type headerOnly http.Header

func (h headerOnly) Header() http.Header         { return http.Header(h) }
func (h headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h headerOnly) WriteHeader(int)             {}
