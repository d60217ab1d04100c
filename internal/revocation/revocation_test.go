package revocation_test

import (
	"slices"
	"testing"

	"github.com/bearerkit/bearer/internal/revocation"
	"golang.org/x/oauth2"
)

func TestOrder(t *testing.T) {
	tests := []struct {
		name   string
		tokens []*oauth2.Token
		want   []string
	}{
		{"none", nil, nil},
		{"nil", []*oauth2.Token{nil}, nil},
		{"empty", []*oauth2.Token{{}}, nil},
		{"no refresh token", []*oauth2.Token{{AccessToken: "a"}}, []string{"a"}},
		{"refresh tokens first", []*oauth2.Token{{AccessToken: "a", RefreshToken: "ra"}, nil, {AccessToken: "b", RefreshToken: "rb"}}, []string{"ra", "rb", "a", "b"}},
		{"each once", []*oauth2.Token{{AccessToken: "a", RefreshToken: "r"}, {AccessToken: "b", RefreshToken: "r"}, {AccessToken: "a"}}, []string{"r", "a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := revocation.Order(tt.tokens...); !slices.Equal(got, tt.want) {
				t.Errorf("Order = %q, want %q", got, tt.want)
			}
		})
	}
}
