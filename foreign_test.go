package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/bearerkit/bearer"
)

// hollow is an error that cannot be looked into: a nil pointer, which is what a function
// that returns a *hollow as an error means by no error.
type hollow struct{ cause error }

func (e *hollow) Error() string { return e.cause.Error() }
func (e *hollow) Unwrap() error { return e.cause }

// wild is one whose methods panic.
type wild struct{}

func (wild) Error() string       { panic("s3cr3t") }
func (wild) Is(error) bool       { panic("s3cr3t") }
func (wild) As(any) bool         { panic("s3cr3t") }
func (wild) Unwrap() error       { panic("s3cr3t") }
func (wild) Description() string { panic("s3cr3t") }

// An error of a function of the application's that cannot be looked into refuses, as any
// other does.
func TestForeignErrors(t *testing.T) {
	var none *hollow
	var unavailable *bearer.UnavailableError
	tests := []struct {
		name string
		err  error
	}{
		{"nil pointer", none},
		{"nil pointer of ours", unavailable},
		{"wrapped", fmt.Errorf("s3cr3t: %w", none)},
		{"joined", errors.Join(none, wild{})},
		{"panics", wild{}},
	}
	serve := func(check func(context.Context, *bearer.Authorization) error, opts *bearer.MiddlewareOptions) http.Handler {
		return bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), opts)(bearer.Require(check, nil)(quiet))
	}
	admitting := verifierFunc(func(token string) (*bearer.Authorization, error) {
		return &bearer.Authorization{Token: &bearer.Token{AccessToken: token}}, nil
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check := func(context.Context, *bearer.Authorization) error { return tt.err }
			want := func(who string, h http.Handler, status int, header ...string) {
				t.Helper()
				if resp, body := ask(h, header...); resp.StatusCode != status {
					t.Errorf("%s is answered with %d %q, want %d", who, resp.StatusCode, body, status)
				}
			}
			want("a guest whom the check refuses", serve(check, nil), 401)
			want("a token that the check refuses", serve(check, &bearer.MiddlewareOptions{Verifier: admitting}), 403, "Authorization", "Bearer x")
			want("a token that the Verifier refuses", serve(check, &bearer.MiddlewareOptions{Verifier: verifierFunc(func(string) (*bearer.Authorization, error) {
				return nil, tt.err
			})}), 401, "Authorization", "Bearer x")
			guestless := bearer.NewStorefront(func(context.Context) (*bearer.Token, error) { return nil, tt.err }, nil)
			want("a guest without a token", bearer.Middleware(guestless, nil)(bearer.Require(check, nil)(quiet)), 503)
		})
	}
}
