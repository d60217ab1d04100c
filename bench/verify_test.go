package bench_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/contest"
	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// world is an issuer on loopback, and a token of it that all sides take. It has an
// audience, which the tokens of Commerce Layer have not: the peer insists.
type world struct {
	issuer, keySet, token string
	key                   *rsa.PrivateKey
	own, forgetful        *verify.Verifier
	peer                  *validator.Validator
}

const audience = "https://shop.test"

func newWorld(b *testing.B) *world {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(b, err)
	text := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "kid": "1", "alg": "RS512", "use": "sig",
		"n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes()),
	}}})
	check(b, err)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) }))
	b.Cleanup(srv.Close)
	w := &world{issuer: srv.URL, keySet: srv.URL + "/.well-known/jwks.json", key: key}

	t := jwt.NewWithClaims(jwt.SigningMethodRS512, jwt.MapClaims{
		"iss": w.issuer, "aud": audience, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"organization": map[string]any{"id": "HdKvRmTnLq", "slug": "my-brand", "enterprise": true, "region": "eu-west-1"},
		"application":  map[string]any{"id": "VbXcJwPsTz", "kind": "sales_channel", "client_id": "a-client-id-of-forty-odd-characters-in-all", "public": true, "confidential": false},
		"market":       map[string]any{"id": []string{"QyFgNhMkRt"}, "stock_location_ids": []string{"LsWdZxCvBn", "TgHjYkUiPo"}, "geocoder_id": nil, "allows_external_prices": false},
		"owner":        map[string]any{"id": "KwRtLhVnYd", "type": "Customer"},
		"scope":        "market:id:QyFgNhMkRt", "test": true, "rand": 0.25,
	})
	t.Header["kid"] = "1"
	w.token, err = t.SignedString(key)
	check(b, err)

	from := []verify.Issuer{{Name: w.issuer, KeySetURL: w.keySet, Algorithms: []string{"RS512"}, Audience: []string{audience}}}
	w.own, err = verify.New(from, nil)
	check(b, err)
	w.forgetful, err = verify.New(from, &verify.Options{CacheBytes: -1})
	check(b, err)

	issuer, err := url.Parse(w.issuer)
	check(b, err)
	keySet, err := url.Parse(w.keySet)
	check(b, err)
	provider, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuer), jwks.WithCustomJWKSURI(keySet))
	check(b, err)
	w.peer, err = validator.New(validator.WithKeyFunc(provider.KeyFunc), validator.WithAlgorithm(validator.RS512),
		validator.WithIssuer(w.issuer), validator.WithAudience(audience))
	check(b, err)
	return w
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (w *world) ours(b *testing.B, v *verify.Verifier) func(int) {
	return contest.Serial(func() {
		_, err := v.Verify(context.Background(), w.token)
		check(b, err)
	})
}

func (w *world) auth0(b *testing.B) func(int) {
	return contest.Serial(func() {
		_, err := w.peer.ValidateToken(context.Background(), w.token)
		check(b, err)
	})
}

func (w *world) golangJWT(b *testing.B) func(int) {
	p := jwt.NewParser(jwt.WithValidMethods([]string{"RS512"}), jwt.WithIssuer(w.issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return contest.Serial(func() {
		_, err := p.Parse(w.token, func(*jwt.Token) (any, error) { return &w.key.PublicKey, nil })
		check(b, err)
	})
}

// signature is the least: one RSA check.
func (w *world) signature(b *testing.B) func(int) {
	parsed, parts, err := jwt.NewParser().ParseUnverified(w.token, jwt.MapClaims{})
	check(b, err)
	text := parts[0] + "." + parts[1]
	return contest.Serial(func() { check(b, jwt.SigningMethodRS512.Verify(text, parsed.Signature, &w.key.PublicKey)) })
}

// A token seen before. The bar: 2 µs. The others check the signature each time.
func BenchmarkSeenBefore(b *testing.B) {
	w := newWorld(b)
	contest.Compare(b, contest.By("bearer", w.ours(b, w.own)), contest.By("auth0", w.auth0(b)),
		contest.By("golang-jwt", w.golangJWT(b)), contest.By("signature", w.signature(b)))
	b.ReportMetric(allocations(w.ours(b, w.own)), "allocs/op")
}

// A token never seen before, with the key known. The bar: one signature check and little
// else.
func BenchmarkFirstSight(b *testing.B) {
	w := newWorld(b)
	contest.Compare(b, contest.By("bearer", w.ours(b, w.forgetful)), contest.By("auth0", w.auth0(b)),
		contest.By("golang-jwt", w.golangJWT(b)), contest.By("signature", w.signature(b)))
	b.ReportMetric(allocations(w.ours(b, w.forgetful)), "allocs/op")
	b.ReportMetric(allocations(w.auth0(b)), "allocs-of-auth0")
}

// A request through the middleware, with a token seen before, to a handler that asks
// whom it speaks for.
func BenchmarkMiddleware(b *testing.B) {
	w := newWorld(b)
	own := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: w.own})(
		bearer.RequireBearer(nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s, _ := bearer.FromContext(r.Context())
			a, err := s.Authorization(r.Context())
			check(b, err)
			io.WriteString(rw, a.Claims.(*verify.Claims).Issuer)
		})))
	middleware, err := jwtmiddleware.New(jwtmiddleware.WithValidator(w.peer))
	check(b, err)
	peer := middleware.CheckJWT(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := jwtmiddleware.GetClaims[*validator.ValidatedClaims](r.Context())
		check(b, err)
		io.WriteString(rw, c.RegisteredClaims.Issuer)
	}))
	serve := func(h http.Handler) func(int) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+w.token)
		return contest.Serial(func() {
			rw := httptest.NewRecorder()
			if h.ServeHTTP(rw, r); rw.Body.String() != w.issuer {
				b.Fatalf("answered %d %q", rw.Code, rw.Body)
			}
		})
	}
	contest.Compare(b, contest.By("bearer", serve(own)), contest.By("auth0", serve(peer)))
}

func allocations(run func(int)) float64 {
	allocs, _ := contest.Memory(run)
	return allocs
}
