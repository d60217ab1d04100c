package main

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/examples/signon/provider"
)

const (
	notBegun    = "This is not the answer to a sign-on that you have begun here"
	notGood     = "What the identity provider has said is not good here"
	notStoodBy  = "The identity provider does not stand by its answer"
	notSignedOn = "The identity provider has not signed you on"
	notKnown    = "this shop does not yet"
)

func TestSignOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b, other := w.browser(), w.browser()
		b.get(origin+"/").want(200, "You are a guest.")
		p := b.open(http.MethodPost, origin+"/sign-on", url.Values{}, true)
		if p.Header.Get("Set-Cookie") != "" || b.cookie(attemptCookie) == "" {
			t.Error("the attempt's cookie is the provider's, or there is none")
		}
		back, err := url.Parse(b.choose(p, adaSubject))
		if err != nil {
			t.Fatal(err)
		}
		b.get(back.String()).want(200, "<b>"+commercelayertest.CustomerEmail+"</b>, and have placed <b>2</b> orders")
		if b.cookie(attemptCookie) != "" {
			t.Error("the attempt's cookie is still there")
		}
		other.is("")
		if n := w.service.Counts(); n.JWTBearer != 1 || n.Password != 0 {
			t.Errorf("%d assertions and %d passwords, want 1 and none", n.JWTBearer, n.Password)
		}
		pass(5 * time.Hour)
		b.is(commercelayertest.CustomerEmail)
		session := b.cookie("__Host-session")
		b.post(origin+"/sign-out").want(200, "You are a guest.")
		b.setCookie("__Host-session", session)
		b.is("")
		if n := w.service.Counts().Revoked; n != 2 {
			t.Errorf("%d tokens were revoked, want the access and the refresh token", n)
		}
		b.signOn(graceSubject).want(200, "<b>"+commercelayertest.OtherCustomerEmail+"</b>")
		if b.cookie("__Host-session") == session {
			t.Error("the session id is the one of before")
		}
	})
}

func TestAttemptCookie(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		resp, err := w.transport.RoundTrip(mustRequest(t, origin+"/sign-on"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		cookie := resp.Header.Get("Set-Cookie")
		value, attributes, _ := strings.Cut(strings.TrimPrefix(cookie, attemptCookie+"="), "; ")
		if a, ok := parseAttempt(value); !ok || attributes != "Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax" || strings.Contains(resp.Header.Get("Location"), a.verifier) {
			t.Errorf("Set-Cookie = %q, Location = %q", cookie, resp.Header.Get("Location"))
		}
	})
}

func mustRequest(t *testing.T, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// set changes one parameter of an address.
func set(u *url.URL, name, value string) string {
	q := u.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Whatever goes wrong before there is an ID token: nobody is signed in.
func TestAnswersRefused(t *testing.T) {
	tests := []struct {
		name   string
		do     func(w *world, b *browser) *screen
		status int
		text   string
	}{
		{"another state", func(_ *world, b *browser) *screen { return b.get(set(b.answer(adaSubject), "state", "another")) }, 403, notBegun},
		{"no state", func(_ *world, b *browser) *screen { return b.get(set(b.answer(adaSubject), "state", "")) }, 403, notBegun},
		{"begun by nobody", func(w *world, b *browser) *screen { return b.get(origin + "/callback?code=x&state=") }, 403, notBegun},
		{"begun in another browser", func(w *world, b *browser) *screen { return b.get(w.browser().answer(graceSubject).String()) }, 403, notBegun},
		{"another browser's answer, after having begun", func(w *world, b *browser) *screen {
			b.answer(adaSubject)
			return b.get(w.browser().answer(graceSubject).String())
		}, 403, notBegun},
		{"too late", func(_ *world, b *browser) *screen {
			back := b.answer(adaSubject)
			pass(11 * time.Minute)
			return b.get(back.String())
		}, 403, notBegun},
		{"the code is too old", func(_ *world, b *browser) *screen {
			back := b.answer(adaSubject)
			pass(time.Minute)
			return b.get(back.String())
		}, 502, notStoodBy},
		{"the same answer again", func(_ *world, b *browser) *screen {
			back := b.answer(adaSubject)
			b.get(back.String()).want(200, "Sign out")
			b.post(origin + "/sign-out")
			return b.get(back.String())
		}, 403, notBegun},
		{"the same code again", func(_ *world, b *browser) *screen {
			back := b.answer(adaSubject)
			code := back.Query().Get("code")
			b.get(back.String()).want(200, "Sign out")
			b.post(origin + "/sign-out")
			return b.get(set(b.answer(adaSubject), "code", code))
		}, 502, notStoodBy},
		{"the code of another browser", func(w *world, b *browser) *screen {
			return b.get(set(b.answer(adaSubject), "code", w.browser().answer(graceSubject).Query().Get("code")))
		}, 502, notStoodBy},
		{"the attempt with another verifier", func(_ *world, b *browser) *screen {
			back, a := b.answer(adaSubject), b.attempt()
			a.verifier = newAttempt().verifier
			b.setCookie(attemptCookie, a.String())
			return b.get(back.String())
		}, 502, notStoodBy},
		{"another provider's answer", func(_ *world, b *browser) *screen {
			return b.get(set(b.answer(adaSubject), "iss", "https://evil.example"))
		}, 403, "from somebody else than the identity provider"},
		{"two providers' answer", func(_ *world, b *browser) *screen {
			return b.get(b.answer(adaSubject).String() + "&iss=https://evil.example")
		}, 403, "says something twice"},
		{"an answer that does not say whose it is", func(_ *world, b *browser) *screen {
			return b.get(set(b.answer(adaSubject), "iss", ""))
		}, 403, "from somebody else than the identity provider"},
		{"the user does not want to", func(_ *world, b *browser) *screen { return b.signOn("") }, 403, notSignedOn},
		{"somebody whom the shop does not know", func(_ *world, b *browser) *screen { return b.signOn("1912-06-23") }, 403, notKnown},
		{"somebody with Ada's address, unverified", func(_ *world, b *browser) *screen { return b.signOn("6666-06-06") }, 403, notKnown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.browser()
				tt.do(w, b).want(tt.status, tt.text)
				b.is("")
				b.signOn(adaSubject).want(200, commercelayertest.CustomerEmail) // it can still be done rightly
			})
		})
	}
}

// A page of another site spoils nothing with an answer of its own.
func TestAttemptStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		back := b.answer(adaSubject)
		b.get(origin+"/callback?code=x&state=x").want(403, notBegun)
		b.get(back.String()).want(200, commercelayertest.CustomerEmail)
	})
}

// Whatever the provider's token endpoint, or somebody in its place, answers.
func TestIDTokensRefused(t *testing.T) {
	claims := func(b *browser, changed map[string]any) map[string]any {
		all := map[string]any{
			"iss": issuer, "sub": adaSubject, "aud": "shop", "nonce": b.attempt().nonce,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		maps.Copy(all, changed)
		return all
	}
	signed := func(w *world, b *browser, changed map[string]any) string {
		token, err := w.identities.Sign(claims(b, changed))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	tests := []struct {
		name  string
		token func(w *world, b *browser) any
		text  string
	}{
		{"as it should be", func(w *world, b *browser) any { return signed(w, b, nil) }, ""},
		{"none", func(*world, *browser) any { return nil }, notGood},
		{"an object", func(*world, *browser) any { return map[string]any{} }, notGood},
		{"for another shop", func(w *world, b *browser) any { return signed(w, b, map[string]any{"aud": "another"}) }, notGood},
		{"for another shop too", func(w *world, b *browser) any {
			return signed(w, b, map[string]any{"aud": []string{"shop", "another"}, "azp": "shop"})
		}, notGood},
		{"issued to another shop", func(w *world, b *browser) any { return signed(w, b, map[string]any{"azp": "another"}) }, notGood},
		{"of another provider", func(w *world, b *browser) any { return signed(w, b, map[string]any{"iss": "https://evil.example"}) }, notGood},
		{"another nonce", func(w *world, b *browser) any {
			return signed(w, b, map[string]any{"nonce": newAttempt().nonce})
		}, notGood},
		{"no nonce", func(w *world, b *browser) any { return signed(w, b, map[string]any{"nonce": nil}) }, notGood},
		{"expired", func(w *world, b *browser) any { return signed(w, b, map[string]any{"exp": time.Now().Unix()}) }, notGood},
		{"forged with another key", func(_ *world, b *browser) any {
			token, err := provider.New(issuer, provider.Client{}, nil).Sign(claims(b, nil))
			if err != nil {
				t.Fatal(err)
			}
			return token
		}, notGood},
		{"signed before the keys were changed", func(w *world, b *browser) any {
			token := signed(w, b, nil)
			w.identities.RollKeys()
			return token
		}, notGood},
		{"about Ada, signed for Grace", func(w *world, b *browser) any {
			adas, graces := strings.Split(signed(w, b, nil), "."), strings.Split(signed(w, b, map[string]any{"sub": graceSubject}), ".")
			return adas[0] + "." + adas[1] + "." + graces[2]
		}, notGood},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				b := w.browser()
				back := b.answer(graceSubject)
				token := tt.token(w, b)
				w.tamper(func(answer map[string]any) { answer["id_token"] = token })
				p := b.get(back.String())
				if tt.text == "" {
					p.want(200, commercelayertest.CustomerEmail)
					return
				}
				p.want(403, tt.text)
				b.is("")
				if n := w.service.Counts().TokenRequests; n != 0 {
					t.Errorf("%d token requests, want none", n)
				}
				w.tamper(nil)
				pass(10 * time.Second) // until keys that nobody knows are asked for again
				b.signOn(adaSubject).want(200, commercelayertest.CustomerEmail)
			})
		})
	}
}

// An ID token that somebody has got hold of signs nobody on, though they make their own
// browser's attempt fit.
func TestIDTokenAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ada, thief := w.browser(), w.browser()
		back := ada.answer(adaSubject)
		nonce := ada.attempt().nonce
		ada.get(back.String()).want(200, commercelayertest.CustomerEmail)
		stolen := w.lastToken()

		w.tamper(func(answer map[string]any) { answer["id_token"] = stolen })
		thief.signOn(graceSubject).want(403, notGood)
		back = thief.answer(graceSubject)
		a := thief.attempt()
		a.nonce = nonce
		thief.setCookie(attemptCookie, a.String())
		thief.get(back.String()).want(403, notGood)
		thief.is("")
		ada.is(commercelayertest.CustomerEmail)
	})
}

// The provider may change its keys at any time.
func TestKeysRolled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for range 3 {
			w.browser().signOn(adaSubject).want(200, commercelayertest.CustomerEmail)
			w.identities.RollKeys()
			pass(10 * time.Second)
		}
	})
}

// Forms of other sites do nothing.
func TestFormsOfOtherSites(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		b.signOn(adaSubject)
		for _, address := range []string{origin + "/sign-on", origin + "/sign-out", issuer + "/authorize"} {
			r := mustRequest(t, address)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			resp, err := b.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s answers %s", address, resp.Status)
			}
		}
		b.is(commercelayertest.CustomerEmail)
	})
}

// Signed on and the service away: nobody is somebody else, and nothing is said wrong.
func TestServiceAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		w.service.Inject(commercelayertest.Fault{Status: 503})
		b.signOn(adaSubject).want(503, "Nobody can sign on for a moment")
		w.service.ClearFaults()
		pass(time.Minute)
		b.is("")
		b.signOn(adaSubject).want(200, commercelayertest.CustomerEmail)
		w.service.Inject(commercelayertest.Fault{Status: 503})
		b.get(origin+"/").want(503, "closed for a moment")
		w.service.ClearFaults()
		for _, after := range []time.Duration{0, 5 * time.Hour} {
			b.signOn(adaSubject).want(200, commercelayertest.CustomerEmail)
			w.service.RevokeAll()
			pass(after)
			b.get(origin+"/").want(200, "Your session has ended")
			b.is("")
		}
	})
}

func FuzzAttempt(f *testing.F) {
	f.Add(newAttempt().String())
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAttempt(s)
		if ok && (a.String() != s || len(a.state) != 43 || len(a.nonce) != 43 || len(a.verifier) != 43) {
			t.Errorf("%q is read as %q", s, a)
		}
		if !ok && a != (attempt{}) {
			t.Errorf("%q is refused, and read as %q", s, a)
		}
		if a.answers("") {
			t.Errorf("%q has no state", s)
		}
	})
}
