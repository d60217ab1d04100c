package verify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/bearerkit/bearer/verify"
)

// lines is a logger without times, and what it has written.
func lines(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &b
}

func TestKeySetLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fresh("a"), fresh("b")
		logger, log := lines(slog.LevelDebug)
		var observed events
		s := newKeyServer(a)
		s.took = 200 * time.Millisecond
		var dead error
		base := s.transport(t)
		v := newVerifier(t, &verify.Options{Logger: logger, Observer: observed.observe, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			if dead != nil {
				return nil, dead
			}
			return base.RoundTrip(r)
		})}, fetched)
		token := a.lasting()
		told := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := log.String(); got != want {
				t.Errorf("logged:\n%swant:\n%s", got, want)
			}
			log.Reset()
		}
		dead = syscall.ECONNREFUSED
		wantUnavailable(t, v, token, time.Second)
		wantUnavailable(t, v, token, time.Second)
		told(`level=WARN msg="the key set cannot be fetched" issuer=https://auth.test took=0s error="connection refused" next_try=2000-01-01T00:00:01.000Z serving=false` + "\n")
		dead = nil
		pass(time.Second)
		wantOKAfterAll(t, v, token)
		told(`level=INFO msg="key set fetched" issuer=https://auth.test took=200ms keys=1 ids=a` + "\n")
		pass(time.Hour)
		wantOK(t, v, token)
		pass(time.Second)
		told(`level=DEBUG msg="key set fetched" issuer=https://auth.test took=200ms keys=1 ids=a` + "\n")
		s.rotate(a, b)
		pass(time.Hour)
		wantOK(t, v, token)
		pass(time.Second)
		told(`level=INFO msg="key set fetched" issuer=https://auth.test took=200ms keys=2 ids="a b"` + "\n")
		s.rotate(a)
		pass(time.Hour)
		wantOK(t, v, token)
		pass(time.Second)
		told(`level=INFO msg="key set fetched" issuer=https://auth.test took=200ms keys=1 ids=a` + "\n")
		s.do(func() { s.instead = text(503, "secret") })
		pass(time.Hour)
		wantOK(t, v, token)
		pass(time.Second)
		told(`level=WARN msg="the key set cannot be fetched" issuer=https://auth.test took=200ms error="the key set is answered with status 503: check the issuer's KeySetURL" next_try=2000-01-01T04:00:14.200Z serving=true` + "\n")
		if n := len(observed.all); n != 6 {
			t.Errorf("%d events, want 6: %v", n, observed.all)
		}
	})
}

// No event shows what a foreign error says, nor a key.
func TestKeySetEventsHoldNoSecret(t *testing.T) {
	failed := verify.KeysFailed{Issuer: authName, Err: errors.New("open sesame"), Serving: true}
	text := must(json.Marshal(failed))
	_, log := lines(0)
	slog.New(slog.NewJSONHandler(log, nil)).Info("x", "event", failed)
	for _, got := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %d", failed, failed, failed, failed, failed, failed), string(text), log.String(),
	} {
		if strings.Contains(got, "sesame") {
			t.Errorf("an event prints %s", got)
		}
	}
	if got := fmt.Sprint(failed); !strings.HasPrefix(got, "the key set cannot be fetched [issuer=https://auth.test took=0s error=an error of type *errors.errorString") {
		t.Errorf("it prints %s", got)
	}
	if got := fmt.Sprint(verify.KeysFailed{}); !strings.Contains(got, "error=no error") {
		t.Errorf("the zero value prints %s", got)
	}
	if failed.Level() != slog.LevelWarn {
		t.Error("a failure is no warning")
	}
}

// The names of keys are as long as somebody else likes.
func TestKeySetLogIsShort(t *testing.T) {
	for _, test := range []struct {
		name string
		ids  []string
		want int // bytes, at most
	}{
		{"none", nil, 0},
		{"just so", []string{strings.Repeat("x", 250), strings.Repeat("x", 249)}, 500},
		{"long", []string{strings.Repeat("x", 1<<20)}, 503},
		{"many", strings.Split(strings.Repeat("key ", 10000), " "), 503},
		{"of more than ASCII", []string{strings.Repeat("é", 50), "x" + strings.Repeat("é", 1000)}, 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := verify.KeysFetched{Issuer: authName, KeyIDs: test.ids}
			attrs := e.LogValue().Group()
			at := slices.IndexFunc(attrs, func(a slog.Attr) bool { return a.Key == "ids" })
			got := attrs[at].Value.String()
			if len(got) > test.want || !utf8.ValidString(got) {
				t.Errorf("%d bytes are logged, want at most %d", len(got), test.want)
			}
			all := strings.Join(test.ids, " ")
			if start, short := strings.CutSuffix(got, "…"); short != (len(all) > 500) || !strings.HasPrefix(all, start) || short && len(start) < 499 {
				t.Errorf("logged: %q", got)
			}
		})
	}
}

func TestKeySetConfiguration(t *testing.T) {
	good := string(keySet(fresh("a")))
	for _, test := range []struct {
		name string
		with func(*verify.Issuer)
		want []string // in the error; none: there is none
	}{
		{"https", func(i *verify.Issuer) {}, nil},
		{"http on the loopback host", func(i *verify.Issuer) { i.KeySetURL = "http://127.0.0.1:8080/keys" }, nil},
		{"http on localhost", func(i *verify.Issuer) { i.KeySetURL = "http://localhost/keys" }, nil},
		{"http below localhost", func(i *verify.Issuer) { i.KeySetURL = "http://auth.localhost/keys" }, nil},
		{"a query", func(i *verify.Issuer) { i.KeySetURL += "?tenant=1" }, nil},
		{"http elsewhere", func(i *verify.Issuer) { i.KeySetURL = "http://auth.test/keys" }, []string{"KeySetURL", "auth.test", "use https"}},
		{"http on what looks like it", func(i *verify.Issuer) { i.KeySetURL = "http://localhost.auth.test/keys" }, []string{"KeySetURL", "use https"}},
		{"a user", func(i *verify.Issuer) { i.KeySetURL = "https://user:sesame@auth.test/keys" }, []string{"KeySetURL", "user name or password", "remove"}},
		{"a fragment", func(i *verify.Issuer) { i.KeySetURL += "#sesame" }, []string{"KeySetURL", "fragment", "remove"}},
		{"an empty fragment", func(i *verify.Issuer) { i.KeySetURL += "#" }, []string{"KeySetURL", "fragment"}},
		{"no URL", func(i *verify.Issuer) { i.KeySetURL = "sesame://%zz" }, []string{"KeySetURL", "want https://"}},
		{"no host", func(i *verify.Issuer) { i.KeySetURL = "https:///keys" }, []string{"KeySetURL", "want https://"}},
		{"a file", func(i *verify.Issuer) { i.KeySetURL = "file:///etc/keys" }, []string{"KeySetURL", "want https://"}},
		{"a path", func(i *verify.Issuer) { i.KeySetURL = "/keys" }, []string{"KeySetURL", "want https://"}},
		{"neither", func(i *verify.Issuer) { i.KeySetURL = "" }, []string{"either a KeySetURL or a KeySet"}},
		{"both", func(i *verify.Issuer) { i.KeySet = []byte(good) }, []string{"either a KeySetURL or a KeySet"}},
		{"a set", func(i *verify.Issuer) { i.KeySetURL, i.KeySet = "", []byte(good) }, nil},
		{"an empty set", func(i *verify.Issuer) { i.KeySetURL, i.KeySet = "", []byte{} }, []string{"KeySet of issuer", "not a JWK Set"}},
		{"a broken set", func(i *verify.Issuer) { i.KeySetURL, i.KeySet = "", []byte(`{"keys":[sesame]}`) }, []string{"KeySet of issuer", "not a JWK Set"}},
		{"a set of no use", func(i *verify.Issuer) { i.KeySetURL, i.KeySet = "", []byte(`{"keys":[{"kty":"sesame"}]}`) }, []string{"KeySet of issuer", "no key that can verify", "Algorithms"}},
		{"a set for others", func(i *verify.Issuer) {
			i.KeySetURL, i.KeySet, i.Algorithms = "", []byte(good), []string{"RS256"}
		}, []string{"KeySet of issuer", "no key that can verify", "Algorithms"}},
		{"a key in place of a set", func(i *verify.Issuer) { i.KeySetURL, i.KeySet = "", []byte(fresh("a").jwk()) }, []string{"KeySet of issuer", "not a JWK Set"}},
		{"no name", func(i *verify.Issuer) { i.Name = "" }, []string{"Name", "iss"}},
		{"no algorithms", func(i *verify.Issuer) { i.Algorithms = nil }, []string{"Algorithms", "RS256"}},
		{"HS256", func(i *verify.Issuer) { i.Algorithms = []string{"RS256", "HS256"} }, []string{`"HS256"`, "none of RS256"}},
		{"none", func(i *verify.Issuer) { i.Algorithms = []string{"none"} }, []string{`"none"`, "none of RS256"}},
		{"rs256", func(i *verify.Issuer) { i.Algorithms = []string{"rs256"} }, []string{`"rs256"`, "none of RS256"}},
		{"nothing", func(i *verify.Issuer) { i.Algorithms = []string{""} }, []string{`""`, "none of RS256"}},
		{"its own name as alias", func(i *verify.Issuer) { i.Aliases = []string{authName} }, []string{`"https://auth.test" for Name or among their Aliases`, "leave one out"}},
		{"another's name as alias", func(i *verify.Issuer) { i.Aliases = []string{"x", "other"} }, []string{`"other"`, "leave one out"}},
		{"another's alias as alias", func(i *verify.Issuer) { i.Aliases = []string{""} }, []string{`""`, "leave one out"}},
		{"another's name", func(i *verify.Issuer) { i.Name = "other" }, []string{`"other"`, "leave one out"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := fetched
			test.with(&i)
			other := verify.Issuer{Name: "other", Aliases: []string{""}, KeySetURL: "https://other.test/keys", Algorithms: []string{"RS256"}}
			_, err := verify.New([]verify.Issuer{other, i}, nil)
			if (err == nil) != (test.want == nil) {
				t.Fatalf("New: %v", err)
			}
			if err == nil {
				return
			}
			if strings.Contains(err.Error(), "sesame") || strings.Count(err.Error(), "verify: ") != 1 || !strings.HasPrefix(err.Error(), "verify: ") {
				t.Errorf("New: %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("New: %v, want %q in it", err, want)
				}
			}
			t.Log(err)
		})
	}
}
