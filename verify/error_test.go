package verify_test

import (
	"errors"
	"testing"

	"github.com/bearerkit/bearer/verify"
)

func TestError(t *testing.T) {
	strange := errors.New("x")
	for _, tt := range []struct {
		name              string
		err               *verify.Error
		text, description string
	}{
		{"kind", &verify.Error{Kind: verify.ErrExpired}, "verify: the token has expired", "the token has expired"},
		{"detail", &verify.Error{Kind: verify.ErrMalformed, Detail: "the token is odd"}, "verify: the token is odd", "the token is odd"},
		{"another kind", &verify.Error{Kind: strange}, "x", "x"},
		{"zero", &verify.Error{}, "verify: the token is refused", "the token is refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.text {
				t.Errorf("got the text %q, want %q", got, tt.text)
			}
			if got := tt.err.Description(); got != tt.description {
				t.Errorf("got the description %q, want %q", got, tt.description)
			}
			if got := tt.err.LogValue().String(); got != tt.description {
				t.Errorf("got the value for logs %q, want %q", got, tt.description)
			}
			if tt.err.Kind != nil && !errors.Is(tt.err, tt.err.Kind) {
				t.Error("it is not of its kind")
			}
		})
	}
}
