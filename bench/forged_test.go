package bench_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/internal/contest"
	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// The dearest tokens that anybody can make up, of the greatest lengths, compared with the
// one signature check that a small forgery of a known key costs. golang-jwt is asked no
// more than to read them.
func BenchmarkForged(b *testing.B) {
	w := newWorld(b)
	known := `"iss":"` + w.issuer + `","exp":99999999999,`
	for _, tt := range []struct {
		name   string
		member func(i int) string
	}{
		{"Names", func(i int) string { return fmt.Sprintf(`"%x":1`, i) }},
		{"NamesThatFold", func(i int) string { return fmt.Sprintf(`"Σ%x":1`, i) }},
		{"NamesWithEscapes", func(i int) string { return fmt.Sprintf(`"\u212a%x":1`, i) }},
		{"Objects", func(i int) string { return fmt.Sprintf(`"%x":{"a":{"a":{}}}`, i) }},
		{"ExtremeNumbers", func(i int) string { return fmt.Sprintf(`"%x":1e-308`, i) }},
		{"LongNumbers", func(i int) string { return fmt.Sprintf(`"%x":9007199254740993000000000000000001e-250`, i) }},
	} {
		members := func(bytes int) string {
			all := tt.member(0)
			for i := 1; len(all) < bytes; i++ {
				all += "," + tt.member(i)
			}
			return all
		}
		text := base64.RawURLEncoding.EncodeToString
		for part, token := range map[string]string{
			"Header": text([]byte(`{"alg":"RS512",`+members(1400)+`}`)) + ".e30.",
			"Claims": text([]byte(`{"alg":"RS512","kid":"1"}`)) + "." + text([]byte(`{`+known+members(11<<10)+`}`)) + "." + strings.Repeat("A", 342),
		} {
			b.Run(tt.name+part, func(b *testing.B) {
				own := contest.Serial(func() {
					_, err := w.own.Verify(context.Background(), token)
					if _, refused := errors.AsType[*verify.Error](err); !refused {
						b.Fatalf("the token is not refused: %v", err)
					}
				})
				read := contest.Serial(func() { jwt.NewParser().ParseUnverified(token, jwt.MapClaims{}) })
				contest.Compare(b, contest.By("bearer", own), contest.By("signature", w.signature(b)), contest.By("golang-jwt", read))
			})
		}
	}
}
