package bearer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// No token and no session id in any event, log line, error, storage key or value of
// ours, however it is printed, whatever goes wrong.
func TestNoSecretOfACustomerGetsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		show := func(values ...any) {
			for _, v := range values {
				fmt.Fprintf(&out, "%v\n%+v\n%#v\n%s\n%q\n%d\n%x\n", v, v, v, v, v, v, v)
				slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "v", v)
				slog.New(slog.NewTextHandler(&out, nil)).Info("value", "v", v)
				j, _ := json.Marshal(v)
				out.Write(j)
			}
		}
		p, customers := newProvider(), newShelf()
		cause := valueError{"posting s3cr3t-cause"}
		log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := p.site(t, customers, func(o *bearer.StorefrontOptions) {
			o.Logger = log
			o.Observer = func(_ context.Context, e bearer.Event) { show(e) }
			o.OnLogin = func(ctx context.Context, guest, customer *bearer.Authorization) { show(guest, *customer, ctx) }
		}, nil)
		v := s.visitor("ada")
		ids := map[string]bool{}
		look := func() {
			v.in(func(ctx context.Context, session *bearer.Session) {
				tok, err := s.front.TokenContext(ctx)
				a, err2 := session.Authorization(ctx)
				b, err3 := session.Customer(ctx)
				state, err4 := session.State(ctx)
				err5 := s.front.Evict(ctx, tok)
				show(err, err2, err3, err4, err5, state, session, s.front, s.front.CustomerOnly(), s.front.GuestOnly(), ctx)
				if a != nil {
					show(a, *a)
				}
				if b != nil {
					show(b, *b)
				}
			})
			if id := v.cookie(); id != "" {
				ids[strings.Split(id, ".")[0]] = true
			}
			for key := range customers.texts() {
				fmt.Fprintln(&out, key)
			}
		}
		look()
		v.signIn("ada")
		look()
		v.signIn("bob")
		look()
		pass(50 * time.Minute)
		customers.failing(cause, "swap")
		look()
		show(v.setCustomer(p.signIn("ada")))
		customers.failing(cause, "get")
		look()
		customers.failing(nil)
		p.set(func() { p.failing = func(string) error { return fmt.Errorf("%w", cause) } })
		pass(2 * time.Hour)
		look()
		v.in(func(ctx context.Context, session *bearer.Session) { show(session.Logout(ctx)) })
		p.set(func() { p.failing = nil })
		look()
		p.endFamilyOf(v.signIn("ada"))
		pass(2 * time.Hour)
		look()
		show(v.setCustomer(&bearer.Token{AccessToken: "s3cr3t-unknown"}))
		v.signIn("ada")
		p.set(func() { p.answer = func(_, t *bearer.Token) *bearer.Token { return p.issueTo("bob", &family{}) } })
		pass(2 * time.Hour)
		look()
		v.signIn("ada")
		key, _, _ := customers.only()
		customers.clear()
		customers.replace(key, `{"accessToken":"s3cr3t-unknown"}`)
		look()
		synctest.Wait()

		ids["s3cr3t"] = true
		if len(ids) < 4 {
			t.Fatalf("only %d session ids were seen", len(ids)-1)
		}
		for line := range strings.Lines(out.String()) {
			for secret := range ids {
				if strings.Contains(line, secret) {
					t.Errorf("a secret got out: %.300s", line)
				}
			}
		}
		for _, want := range []string{"shop", "ada", "signed in", "record refused", "not saved", "tokens could be revoked", "storage of tokens failed", "session ended"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("nothing was said of %q", want)
			}
		}
	})
}

// A context is often printed, and a request with it.
func TestContextPrintsNoSessionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.get(func(_ http.ResponseWriter, r *http.Request, session *bearer.Session) {
			session.State(r.Context())
			id, _, _ := strings.Cut(v.cookie(), ".")
			type key struct{}
			for name, ctx := range map[string]context.Context{
				"the request's": r.Context(), "NewContext": bearer.NewContext(t.Context(), session), "derived": context.WithValue(r.Context(), key{}, 1),
			} {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
					if text := fmt.Sprintf(verb, ctx); id == "" || strings.Contains(text, id) || strings.Contains(text, "s3cr3t") {
						t.Errorf("%s printed by %s is %.200s", name, verb, text)
					}
				}
			}
		})
	})
}
