package main

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// Wherever ownPage sends a browser, it stays in the shop.
func FuzzOwnPage(f *testing.F) {
	for _, s := range []string{"/eu/", "/us/cart?x=1#y", "//eu/", "/eu//evil.example", "/eu/\\evil", "/eu/\t", "/eu/\u00a0", "/euro/", "https://kiosk.example/eu/"} {
		f.Add(s)
	}
	s := &shop{service: &service{markets: []*market{{Path: "/eu"}, {Path: "/us"}}}}
	base, _ := url.Parse(origin + "/eu/sign-in")
	f.Fuzz(func(t *testing.T, address string) {
		got := s.ownPage(address, "/eu/")
		if got != "/eu/" && got != address {
			t.Fatalf("%q became %q", address, got)
		}
		u, err := url.Parse(got)
		if err != nil {
			return // which a browser may read, but only as a path: it begins with one
		}
		if to := base.ResolveReference(u); to.Scheme+"://"+to.Host != origin || to.User != nil {
			t.Errorf("%q leads to %s", address, to)
		}
		if strings.ContainsAny(got, "\\\r\n\t ") || !strings.HasPrefix(got, "/eu/") && !strings.HasPrefix(got, "/us/") {
			t.Errorf("%q is let through", got)
		}
	})
}

// An id stays one segment of a path.
func FuzzIsID(f *testing.F) {
	for _, s := range []string{"XYzAbC", "", "..", "a/b", "a%2fb", "a?b", "é", strings.Repeat("a", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if isID(s) && (url.PathEscape(s) != s || path.Join("/api/orders", s) != "/api/orders/"+s || len(s) > 64) {
			t.Errorf("%q passes for an id", s)
		}
	})
}
