package bearer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// Which errors refuse a token, and which say nothing about it.
func TestVerifierErrors(t *testing.T) {
	var absent *bearer.UnavailableError
	noToken := &bearer.TokenError{Err: errDown, NextTry: time.Now().Add(time.Hour)}
	tests := []struct {
		name string
		err  error
		ends bool // the request's context does
		want int
	}{
		{"any", errDown, false, 401},
		{"unavailable", &bearer.UnavailableError{Err: errDown}, false, 503},
		{"unavailable, without more", &bearer.UnavailableError{}, false, 503},
		{"unavailable, wrapped", fmt.Errorf("wrapped: %w", &bearer.UnavailableError{}), false, 503},
		{"unavailable, with something to say", errors.Join(saying("said"), &bearer.UnavailableError{}), false, 503},
		{"none of that type", absent, false, 401},
		{"somebody else's context", context.DeadlineExceeded, false, 401},
		{"token of its own", noToken, false, 401},
		{"request has ended", context.Canceled, true, 503},
		{"request has ended meanwhile", errDown, true, 503},
	}
	for _, tt := range tests {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		v := verifierFunc(func(string) (*bearer.Authorization, error) {
			if tt.ends {
				cancel()
			}
			return nil, tt.err
		})
		h := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: v})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s: the handler was called", tt.name)
		}))
		r, w := httptest.NewRequestWithContext(ctx, "GET", "https://shop.test/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer x")
		h.ServeHTTP(w, r)
		if challenge := w.Header().Get("WWW-Authenticate"); w.Code != tt.want || (challenge != "") != (tt.want == 401) || (w.Header().Get("Retry-After") != "") != (tt.want == 503) || strings.Contains(challenge+w.Body.String(), "said") {
			t.Errorf("%s: answered %d with the header %v, want %d", tt.name, w.Code, w.Header(), tt.want)
		}
	}
}

func TestUnavailableError(t *testing.T) {
	cause := valueError{"s3cr3t"}
	e := &bearer.UnavailableError{NextTry: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Err: cause}
	if text := e.Error(); !strings.HasPrefix(text, "bearer: cannot tell for the time being: ") || !strings.HasSuffix(text, "; the next try is at 2026-01-02T03:04:05.000Z") {
		t.Errorf("Error is %q", text)
	}
	if text := (&bearer.UnavailableError{}).Error(); strings.Contains(text, "next try") {
		t.Errorf("Error without a NextTry is %q", text)
	}
	if !errors.Is(e, cause) {
		t.Error("the cause is not in the chain")
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb, e)
	}
	j, _ := json.Marshal(e)
	out.Write(j)
	if strings.Contains(out.String(), "s3cr3t") || strings.Contains(out.String(), fmt.Sprintf("%x", "s3cr3t")) {
		t.Errorf("printed it is %s", out.String())
	}
}

// What a Verifier has made of the claims is there for handlers, and nowhere else.
func TestAuthorizationClaims(t *testing.T) {
	type claims struct{ Email string }
	c := &claims{"s3cr3t"}
	shared := &bearer.Authorization{Token: &bearer.Token{AccessToken: "x"}, Claims: c}
	v := verifierFunc(func(string) (*bearer.Authorization, error) { return shared, nil })
	var out bytes.Buffer
	h := bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), &bearer.MiddlewareOptions{Verifier: v})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := bearer.FromContext(r.Context())
		a, err := s.Authorization(r.Context())
		in, ok := s.Inbound()
		if err != nil || a.Claims != c || !ok || in.Claims != c || in.Origin != bearer.OriginHeader {
			t.Errorf("Authorization = %v, %v; Inbound = %v, %v, want the claims in both", a, err, in, ok)
		}
		if guest, err := s.Guest(r.Context()); err != nil || guest.Claims != nil {
			t.Errorf("Guest = %v, %v, want no claims", guest, err)
		}
		fmt.Fprintf(&out, "%v %+v %#v %s %v %s", a, a, *a, a, a.LogValue(), a)
		j, _ := json.Marshal(a)
		out.Write(j)
	}))
	ask(h, "Authorization", "Bearer x")
	if out.Len() == 0 || strings.Contains(out.String(), "s3cr3t") || strings.Contains(out.String(), fmt.Sprintf("%p", c)) {
		t.Errorf("printed it is %s", out.String())
	}
	if shared.Origin != "" {
		t.Errorf("the Verifier's Authorization has now the origin %q, want it untouched", shared.Origin)
	}
}

// refuser is a Verifier that notes what it is to refuse. It changes tokens for others,
// as one does that asks an authorization server.
type refuser struct {
	told    []string
	refused func(token string) bool
}

func (v *refuser) Verify(_ context.Context, token string) (*bearer.Authorization, error) {
	if v.refused != nil && v.refused(token) {
		return nil, errDown
	}
	a := &bearer.Authorization{Token: &bearer.Token{AccessToken: "for-" + token}}
	if token != "shared" {
		a.Owner = bearer.Owner{Type: "Customer", ID: token}
	}
	return a, nil
}

func (v *refuser) Refuse(token string, d time.Duration) {
	v.told = append(v.told, token+" "+d.String())
}

// A token that the API has rejected is refused at the door for a while: the one that
// the request has brought, once, and no other.
func TestVerifierIsToldOfRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &refuser{}
		s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: v})
		api := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bad" {
				invalidToken(w)
			}
			if r.Header.Get("Authorization") != "Bearer for-dee" {
				t.Errorf("the API got %s", r.Header.Get("Authorization"))
			}
		}))
		client := &http.Client{Transport: &bearer.Transport{Source: s.front, Base: api}}
		s.HandleFunc("/evict", func(_ http.ResponseWriter, r *http.Request) {
			for range 2 { // as by calls that were under way together
				s.front.Evict(r.Context(), &bearer.Token{AccessToken: "for-dee"})
			}
		})
		s.HandleFunc("/call/{path}", func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				req, _ := http.NewRequestWithContext(r.Context(), "GET", "https://api.test/"+r.PathValue("path"), nil)
				resp, err := client.Do(req)
				if err != nil {
					io.WriteString(w, "- ")
					continue
				}
				resp.Body.Close()
				fmt.Fprint(w, resp.StatusCode, " ")
			}
			s.front.Evict(r.Context(), &bearer.Token{AccessToken: "another"})
		})
		b := s.tab(t)
		b.want("/call/good", "200 200 200", "Authorization", "Bearer dee")
		if len(v.told) > 0 {
			t.Errorf("the Verifier was told to refuse %q, want nothing", v.told)
		}
		b.want("/call/bad", "401 - -", "Authorization", "Bearer dee")
		if want := []string{"dee 1m0s"}; !slices.Equal(v.told, want) {
			t.Errorf("the Verifier was told to refuse %q, want %q", v.told, want)
		}
		v.told = nil
		b.want("/evict", "", "Authorization", "Bearer dee")
		if len(v.told) != 1 {
			t.Errorf("the Verifier was told to refuse %q, want one token once", v.told)
		}
		v.refused = func(token string) bool { return token == "dee" }
		if r := b.get("/call/good", "Authorization", "Bearer dee"); r.status != 401 {
			t.Errorf("answered %d, want 401", r.status)
		}
	})
}

// One of the many who have the guests' token cannot lock out the others by a call that
// the API rejects: the API decides each time.
func TestVerifierIsNotToldOfGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &refuser{}
		s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: v})
		s.HandleFunc("/evict/{token}", func(w http.ResponseWriter, r *http.Request) {
			rejected := &bearer.Token{AccessToken: r.PathValue("token")}
			for range 2 { // as by calls that were under way together
				if err := s.front.Evict(r.Context(), rejected); !errors.Is(err, bearer.ErrCustomerExpired) {
					t.Errorf("Evict = %v, want ErrCustomerExpired", err)
				}
			}
			s.token(w, r)
		})
		b := s.tab(t)
		b.want("/evict/for-shared", "expired", "Authorization", "Bearer shared")
		b.want("/evict/another", "for-shared", "Authorization", "Bearer shared")
		if len(v.told) > 0 {
			t.Errorf("the Verifier was told to refuse %q, want nothing", v.told)
		}
		if got, want := eventsOf[bearer.TokenEvicted](&s.events), []bearer.TokenEvicted{{Source: "shop inbound"}}; !slices.Equal(got, want) {
			t.Errorf("the events are %v, want %v", got, want)
		}
	})
}

// A request with a token costs one small allocation more than one without.
func TestVerifierAllocations(t *testing.T) {
	shared := &bearer.Authorization{Token: &bearer.Token{AccessToken: "x"}}
	v := verifierFunc(func(string) (*bearer.Authorization, error) { return shared, nil })
	h := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: v})(quiet)
	r, w := requestOnServer(), &serverWriter{recorded: recorded{header: http.Header{}}}
	allocs := func() float64 { return testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }) }
	without := allocs()
	r.Header.Set("Authorization", "Bearer x")
	if with := allocs(); with > without+1 {
		t.Errorf("%v allocations, want at most one more than the %v of a request without a token", with, without)
	}
}
