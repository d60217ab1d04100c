package verify_test

import (
	"context"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// contender is one way to do what is measured.
type contender struct {
	name string
	run  func() error
}

// compare runs the contenders in turns, so that a noisy machine is noisy for all
// of them, and reports how the first compares with each other one: the median,
// over the turns, of its time as a part of theirs.
func compare(b *testing.B, contenders ...contender) {
	const turns = 40
	n := max(1, b.N/turns)
	ratios := make([][]float64, len(contenders))
	var own time.Duration
	for range turns {
		took := make([]time.Duration, len(contenders))
		for i, c := range contenders {
			start := time.Now()
			for range n {
				if err := c.run(); err != nil {
					b.Fatal(c.name, err)
				}
			}
			took[i] = time.Since(start)
		}
		own += took[0]
		for i := range contenders {
			ratios[i] = append(ratios[i], float64(took[0])/float64(took[i]))
		}
	}
	b.ReportMetric(float64(own.Nanoseconds())/float64(n*turns), "ns/op")
	for i, c := range contenders[1:] {
		slices.Sort(ratios[i+1])
		b.ReportMetric(ratios[i+1][turns/2], "of-"+c.name)
	}
}

// shopClaims are as large as those of tokens in use.
func shopClaims() string {
	id := strings.Repeat("a", 43)
	return goodClaims(
		`"organization":{"id":"enWoxFMOnp","slug":"my-brand","enterprise":true,"region":"eu-west-1"}`,
		fmt.Sprintf(`"application":{"id":"dMnWmiZxpa","kind":"sales_channel","public":true,"client_id":%q}`, id),
		`"market":{"id":["dlQbPhNNop"],"stock_location_ids":["okdYenkbKn","okdYenkbKm"]}`,
		`"owner":{"id":"ZRlvhyeNvd","type":"Customer"}`, `"scope":"market:id:dlQbPhNNop"`, `"test":true`, `"rand":0.6481`)
}

// The bars: a token seen before in 2 µs, and at first sight a signature check and
// little more.
func BenchmarkVerify(b *testing.B) {
	ctx := context.Background()
	a := of("RS512")
	token := a.token(shopClaims())
	seen := newVerifier(b, nil, issuerOf(a))
	first := newVerifier(b, &verify.Options{CacheBytes: -1}, issuerOf(a))
	run := func(v *verify.Verifier) func() error {
		return func() error { _, err := v.Verify(ctx, token); return err }
	}
	public := a.key.Public().(*rsa.PublicKey)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS512"}), jwt.WithIssuer(authName), jwt.WithExpirationRequired())
	parse := contender{"golang-jwt", func() error {
		_, err := parser.Parse(token, func(*jwt.Token) (any, error) { return public, nil })
		return err
	}}
	text, signature := split(token)
	bare := contender{"signature", func() error { return jwt.SigningMethodRS512.Verify(text, signature, public) }}
	b.Run("first", func(b *testing.B) { b.ReportAllocs(); compare(b, contender{"verify", run(first)}, parse, bare) })
	b.Run("seen", func(b *testing.B) { b.ReportAllocs(); compare(b, contender{"verify", run(seen)}, parse, bare) })
}
