package interop_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// What js-auth does with a value that somebody has left.
const (
	uses     = "uses it"
	replaces = "replaces it"
	ignores  = "ignores it" // and leaves it
	removes  = "removes it"
	throws   = "throws" // and leaves it
)

// planted is a value in the Redis.
type planted struct {
	name string
	raw  string
	js   string
	ours string // uses, replaces or ignores
}

// claims is a JWT with other claims, and a signature that is wrong now.
func claims(jwt string, change func(text string) string) string {
	parts := strings.Split(jwt, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(change(string(payload))))
	return strings.Join(parts, ".")
}

func replaced(old, new string) func(string) string {
	return func(text string) string {
		if !strings.Contains(text, old) {
			panic("there is no " + old + " in " + text)
		}
		return strings.Replace(text, old, new, 1)
	}
}

// notRecords are what neither side can use, whoever it was for.
func notRecords(jwt string) []planted {
	const bom = "\ufeff"
	good := record(jwt, market, "")
	return []planted{
		{"an empty string", "", throws, replaces},
		{"text", "hello", throws, replaces},
		{"a number", "7", throws, replaces},
		{"an array", "[" + good + "]", throws, replaces},
		{"an empty object", "{}", throws, replaces},
		{"cut off", good[:len(good)-9], throws, replaces},
		{"JSON in a string", strconv.Quote(good), throws, replaces},
		{"a bare token", jwt, throws, replaces},
		{"JSON after a BOM", bom + good, throws, replaces},
		{"another name", `{"access_token":"` + jwt + `","scope":"` + market + `"}`, throws, replaces},
		{"no JWT", `{"accessToken":"abc","scope":"` + market + `"}`, throws, replaces},
		{"null", "null", replaces, replaces},
		{"undefined", "undefined", replaces, replaces},
	}
}

func TestWhatIsAcceptedForGuests(t *testing.T) {
	w := newWorld(t)
	fresh := w.issue(channelID, market, "", 4*time.Hour).AccessToken
	ending := w.issue(channelID, market, "", 9*time.Minute).AccessToken
	ours := w.issue(channelID, market, ada, 4*time.Hour).AccessToken
	user := claims(ours, replaced(`"Customer"`, `"User"`))
	tests := append(notRecords(fresh),
		planted{"js-auth's", record(fresh, market, ""), uses, uses},
		planted{"another order, other fields", `{"scope":"` + market + `","more":{"a":[1,{}]},"accessToken":"` + fresh + `","storageName":"redis"}`, uses, uses},
		planted{"spaces", " \n\t{ \"accessToken\" :\r\n\"" + fresh + "\" , \"scope\": \"" + market + "\" }\n ", uses, uses},
		planted{"escapes", `{"\u0061ccessToken":"` + fresh + `","scope":"\u003c\u003e"}`, uses, uses},
		planted{"no scope", `{"accessToken":"` + fresh + `"}`, uses, uses},
		planted{"another scope", record(fresh, "market:code:usa", ""), uses, uses},
		planted{"refresh token null", `{"accessToken":"` + fresh + `","scope":"x","refreshToken":null}`, uses, uses},
		planted{"refresh token empty", `{"accessToken":"` + fresh + `","scope":"x","refreshToken":""}`, uses, uses},
		planted{"a wrong signature", record(claims(fresh, replaced(`"rand":`, `"more":1,"rand":`)), market, ""), uses, uses},
		planted{"an owner without an id", record(claims(fresh, replaced(`"rand":`, `"owner":{"type":"Customer"},"rand":`)), market, ""), uses, uses},
		planted{"a customer's", record(ours, market, ""), replaces, replaces},
		planted{"a user's", record(user, market, ""), throws, replaces},
		planted{"near its end", record(ending, market, ""), replaces, uses}, // a little later for us
		planted{"expired", record(w.issue(channelID, market, "", -time.Minute).AccessToken, market, ""), replaces, replaces},
		planted{"no exp", record(claims(fresh, replaced(`"exp":`, `"end":`)), market, ""), replaces, replaces},
	)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			key := guestKey(market)
			w.redis.Do("SET", key, test.raw)
			a, err := w.authorize("shop")
			w.did(key, test.raw, test.js, a, threw(t, err))

			w.redis.Do("SET", key, test.raw)
			c := w.goChannel(market)
			got := token(t, c)
			if used := strings.Contains(test.raw, got); used != (test.ours == uses) {
				t.Errorf("we use it: %v, want %v", used, test.ours == uses)
			}
			want := test.raw
			if test.ours == replaces {
				want = record(got, market, "")
			}
			w.wantValue(key, want)
			if got := get(t, c.Client(), w.service.APIURL()+"/api/skus"); got != 200 {
				t.Errorf("the API answers %d", got)
			}
		})
	}
}

// did checks what js-auth has done with a guest's or customer's value.
func (w *world) did(key, raw, want string, a authorization, thrown string) {
	w.t.Helper()
	got := ""
	switch now, used := w.redis.Do("GET", key), strings.Contains(raw, a.AccessToken) && a.AccessToken != ""; {
	case thrown != "" && now == raw:
		got = throws
	case thrown != "":
		got = "throws " + thrown + " and changes it"
	case used && now == raw:
		got = uses
	case w.redis.Do("EXISTS", key) == "0":
		got = removes
	case now == raw:
		got = ignores
	case now == record(a.AccessToken, market, a.RefreshToken):
		got = replaces
	}
	if got != want {
		w.t.Errorf("js-auth %q, want %q", got, want)
	}
}

func TestWhatIsAcceptedForCustomers(t *testing.T) {
	w := newWorld(t)
	issue := func(life time.Duration) commercelayertest.Issued { return w.issue(channelID, market, ada, life) }
	fresh := issue(4 * time.Hour)
	guest := w.issue(channelID, market, "", 4*time.Hour).AccessToken
	dead := issue(-time.Minute)
	w.service.Revoke(dead.RefreshToken)
	field := func(i commercelayertest.Issued, rest string) string {
		return `{"accessToken":"` + i.AccessToken + `","scope":"` + market + `"` + rest + `}`
	}
	tests := append(notRecords(fresh.AccessToken),
		planted{"js-auth's", record(fresh.AccessToken, market, fresh.RefreshToken), uses, uses},
		planted{"no refresh token", record(fresh.AccessToken, market, ""), uses, uses},
		planted{"another order, other fields", `{"refreshToken":"` + fresh.RefreshToken + `","x":[{}],"scope":"` + market + `","accessToken":"` + fresh.AccessToken + `"}`, uses, uses},
		planted{"refresh token null", field(fresh, `,"refreshToken":null`), uses, uses},
		planted{"refresh token empty", field(fresh, `,"refreshToken":""`), uses, uses},
		planted{"owner in lower case", record(claims(fresh.AccessToken, replaced(`"Customer"`, `"customer"`)), market, ""), uses, uses},
		planted{"a wrong signature", record(claims(fresh.AccessToken, replaced(`"rand":`, `"more":1,"rand":`)), market, ""), uses, uses},
		planted{"a user's", record(claims(fresh.AccessToken, replaced(`"Customer"`, `"User"`)), market, ""), throws, ignores},
		planted{"a guest's", record(guest, market, ""), ignores, ignores},
		planted{"an owner without an id", record(claims(fresh.AccessToken, replaced(`"id":"`+ada+`"`, `"name":"x"`)), market, ""), ignores, ignores},
		planted{"expired, none", record(issue(-time.Minute).AccessToken, market, ""), removes, replaces},
		planted{"expired, null", field(issue(-time.Minute), `,"refreshToken":null`), removes, replaces},
		planted{"expired, empty", field(issue(-time.Minute), `,"refreshToken":""`), throws, replaces},
		planted{"expired, refused", record(dead.AccessToken, market, dead.RefreshToken), throws, replaces},
	)
	for i := range tests { // a customer's place is left as it is, and not taken by a guest's
		if tests[i].js == replaces {
			tests[i].js = ignores
		}
		if tests[i].ours == replaces && i < len(notRecords("x.y.z")) {
			tests[i].ours = ignores
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.redis.Do("SET", customerKey, test.raw)
			a, err := w.authorize("shop")
			w.did(customerKey, test.raw, test.js, a, threw(t, err))

			w.redis.Do("SET", customerKey, test.raw)
			us := w.goCustomer()
			tok, err := us.Token()
			switch {
			case test.ours == uses:
				if err != nil || !strings.Contains(test.raw, tok.AccessToken) {
					t.Errorf("we do not use it (%v)", err)
				}
				w.wantValue(customerKey, test.raw)
			case err == nil || !noCustomer(t, us):
				t.Error("we use it")
			case test.ours == replaces:
				w.wantValue(customerKey, "undefined")
				w.has("shop", "guest", "") // who may have thrown before
			default:
				w.wantValue(customerKey, test.raw)
			}
			// Whatever it was, it is in nobody's way.
			i := issue(time.Hour)
			if err := us.SetCustomer(t.Context(), &bearer.Token{AccessToken: i.AccessToken, RefreshToken: i.RefreshToken}); err != nil {
				t.Error(err)
			}
			w.wantValue(customerKey, record(i.AccessToken, market, i.RefreshToken))
			w.has("shop", customer, i.AccessToken)
		})
	}
}

// Near its end, or past it, a customer's token is refreshed by js-auth, whatever
// the fields are called besides.
func TestCustomerIsRefreshedFromForeignForms(t *testing.T) {
	w := newWorld(t)
	for name, form := range map[string]func(i commercelayertest.Issued) string{
		"js-auth's": func(i commercelayertest.Issued) string { return record(i.AccessToken, market, i.RefreshToken) },
		"no scope": func(i commercelayertest.Issued) string {
			return `{"accessToken":"` + i.AccessToken + `","refreshToken":"` + i.RefreshToken + `"}`
		},
		"composite": func(i commercelayertest.Issued) string {
			return strings.TrimSuffix(record(i.AccessToken, market, i.RefreshToken), "}") + `,"storageName":"memory"}`
		},
		"with space": func(i commercelayertest.Issued) string {
			return " " + record(i.AccessToken, market, i.RefreshToken) + "\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.redis.Do("SET", customerKey, form(w.issue(channelID, market, ada, -time.Minute)))
			a := w.has("shop", customer, "")
			w.wantValue(customerKey, record(a.AccessToken, market, a.RefreshToken))
			w.redis.Do("SET", customerKey, form(w.issue(channelID, market, ada, -time.Minute)))
			tok, err := w.goCustomer().Token()
			if err != nil {
				t.Fatal(err)
			}
			w.wantValue(customerKey, record(tok.AccessToken, market, tok.RefreshToken))
		})
	}
}

// A value of another kind: js-auth throws, we go on without.
func TestAnotherTypeInRedis(t *testing.T) {
	w := newWorld(t)
	w.redis.Do("HSET", guestKey(market), "accessToken", "x")
	w.redis.Do("HSET", customerKey, "accessToken", "x")
	if _, err := w.authorize("shop"); threw(t, err) == "" || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("js-auth: %v, want WRONGTYPE", err)
	}
	token(t, w.goChannel(market))
	us := w.goCustomer()
	if _, err := us.Token(); err == nil || strings.Contains(err.Error(), "accessToken") {
		t.Errorf("a customer who cannot be read: %v, want an error", err)
	}
	a := w.issue(channelID, market, ada, time.Hour)
	if err := us.SetCustomer(t.Context(), &bearer.Token{AccessToken: a.AccessToken}); err != nil {
		t.Error(err)
	}
	w.has("shop", customer, a.AccessToken)
	wantGoCustomer(t, us, a.AccessToken)
}

// A composite of js-auth's within another one leaves a field of its own.
func TestComposites(t *testing.T) {
	w := newWorld(t)
	w.storage("nested", fields{"layers": []string{"below"}})
	w.channel("nested", "nested", market)
	a := w.has("nested", "guest", "")
	w.redis.Do("DEL", guestKey(market))
	w.has("nested", "guest", a.AccessToken) // from the memory below, and copied
	want := strings.TrimSuffix(record(a.AccessToken, market, ""), "}") + `,"storageName":"memory"}`
	w.wantValue(guestKey(market), want)
	w.service.ResetCounts()
	if got := token(t, w.goChannel(market)); got != a.AccessToken {
		t.Error("we do not read it")
	}
	w.wantRequests(asked(0))
	w.wantValue(guestKey(market), want)
}
