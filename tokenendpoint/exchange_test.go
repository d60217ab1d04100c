package tokenendpoint_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/tokenendpoint"
)

func grants() map[string]tokenendpoint.Grant {
	return map[string]tokenendpoint.Grant{
		"client_credentials": clientCredentials, "password": password, "refresh_token": refresh,
		"authorization_code": code, "jwt-bearer": assertion,
		"unknown": {Type: "urn:example:grant"},
	}
}

func TestWhatIsSentAgain(t *testing.T) {
	tests := []struct {
		name            string
		fault           http.HandlerFunc
		replayed, spent bool // whether client credentials, and the other grants, are sent again
		acted           bool // MayHaveActed of the others
	}{
		{"dropped before the answer", drop, true, false, true},
		{"answer cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			io.WriteString(w, `{"access_token":`)
		}, true, false, true},
		{"500", answer(500, ""), true, false, true},
		{"502", answer(502, ""), true, false, true},
		{"503", answer(503, ""), true, false, true},
		{"503 with Retry-After", answer(503, "", "Retry-After", "1"), true, false, true},
		{"504", answer(504, "", "Retry-After", "1"), true, false, true},
		{"501", answer(501, ""), false, false, true},
		{"408", answer(408, ""), true, false, true},
		{"408 with Retry-After", answer(408, "", "Retry-After", "1"), true, false, true},
		{"429", answer(429, ""), true, true, false},
		{"429 with Retry-After", answer(429, "", "Retry-After", "1"), true, true, false},
		{"429 with a long Retry-After", answer(429, "", "Retry-After", "3"), false, false, false},
		{"503 with a long Retry-After", answer(503, "", "Retry-After", "3"), false, false, true},
		{"200 that is HTML", answer(200, "<html>"), true, false, true},
		{"200 without a token", answer(200, "{}"), true, false, true},
		{"200 with an error", answer(200, `{"error":"invalid_grant"}`), false, false, true},
		{"200 with an error and a token", answer(200, `{"error":"server_error","access_token":"a","refresh_token":"r"}`), false, false, true},
		{"200 with a list error and a token", answer(200, `{"errors":[{"title":"deprecated"}],"access_token":"a"}`), false, false, true},
		{"400", answer(400, `{"error":"invalid_grant"}`), false, false, false},
		{"401", answer(401, `{"error":"invalid_client"}`), false, false, false},
		{"302", answer(302, "", "Location", "https://evil.example/"), false, false, false},
		{"307", answer(307, "", "Location", "https://evil.example/"), false, false, false},
	}
	for _, tt := range tests {
		for grant, g := range grants() {
			t.Run(tt.name+"/"+grant, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := serve(t, tt.fault, ok)
					_, err := newClient(t, s, nil).Token(t.Context(), g)
					again := tt.spent
					if grant == "client_credentials" {
						again = tt.replayed
					}
					want := 1
					if again {
						want = 2
					}
					if got := s.count(); got != want {
						t.Errorf("requests = %d, want %d", got, want)
					}
					if (err == nil) != again {
						t.Errorf("error = %v, want one: %v", err, !again)
					}
					var e *tokenendpoint.Error
					if errors.As(err, &e) && grant != "client_credentials" && e.MayHaveActed != tt.acted {
						t.Errorf("MayHaveActed = %v, want %v", e.MayHaveActed, tt.acted)
					}
					if e != nil && e.Spent() != e.MayHaveActed {
						t.Errorf("Spent = %v, want MayHaveActed, %v", e.Spent(), e.MayHaveActed)
					}
				})
			})
		}
	}
}

// A connection that was never made cannot have carried a refresh token, so even
// that is tried again.
func TestConnectionErrors(t *testing.T) {
	dialing := func(err error) func(*tokenendpoint.Options) {
		return func(o *tokenendpoint.Options) {
			dial := func(context.Context, string, string) (net.Conn, error) { return nil, err }
			o.Base = &http.Transport{DialContext: dial, DialTLSContext: dial}
		}
	}
	returning := func(err error) func(*tokenendpoint.Options) {
		return func(o *tokenendpoint.Options) {
			o.Base = roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })
		}
	}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	tests := []struct {
		name     string
		change   func(*tokenendpoint.Options)
		attempts int
		acted    bool
	}{
		{"refused", dialing(refused), 3, false},
		{"handshake failed", dialing(errors.New("remote error: tls: handshake failure")), 3, false},
		{"name not found", dialing(&net.DNSError{Err: "no such host", Name: "auth.example.com"}), 3, false},
		{"not trusted", dialing(x509.UnknownAuthorityError{}), 1, false},
		{"other base: refused", returning(refused), 3, false},
		{"other base: read error", returning(&net.OpError{Op: "read", Net: "tcp", Err: io.EOF}), 1, true},
		{"other base: unknown error", returning(errors.New("went wrong")), 1, true},
		{"other base: nothing", returning(nil), 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := newClient(t, nil, tt.change).Token(t.Context(), refresh)
				var e *tokenendpoint.Error
				if !errors.As(err, &e) {
					t.Fatalf("error = %v, want an *Error", err)
				}
				if e.Attempts != tt.attempts || e.MayHaveActed != tt.acted || e.Status != 0 {
					t.Errorf("Attempts, MayHaveActed, Status = %d, %v, %d, want %d, %v, 0", e.Attempts, e.MayHaveActed, e.Status, tt.attempts, tt.acted)
				}
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			times = append(times, time.Now())
			answer(503, "")(w, r)
		})
		newClient(t, s, func(o *tokenendpoint.Options) { o.MaxRetries = 4 }).Token(t.Context(), clientCredentials)
		if got, want := len(times), 5; got != want {
			t.Fatalf("requests = %d, want %d", got, want)
		}
		for i, want := range []time.Duration{100, 200, 400, 800} {
			want *= time.Millisecond
			if got := times[i+1].Sub(times[i]); got < want/2 || got > want {
				t.Errorf("pause %d = %v, want %v to %v", i, got, want/2, want)
			}
		}
	})
}

func TestMaxRetries(t *testing.T) {
	for name, tt := range map[string]struct{ retries, want int }{"default": {0, 3}, "none": {-1, 1}, "five": {5, 6}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, drop)
				_, err := newClient(t, s, func(o *tokenendpoint.Options) { o.MaxRetries = tt.retries }).Token(t.Context(), clientCredentials)
				var e *tokenendpoint.Error
				if !errors.As(err, &e) || e.Attempts != tt.want || s.count() != tt.want {
					t.Errorf("error = %v after %d requests, want one after %d", err, s.count(), tt.want)
				}
			})
		})
	}
}

func TestTimeLimits(t *testing.T) {
	trickle := func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		for r.Context().Err() == nil {
			io.WriteString(w, " ")
			rc.Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}
	}
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	tests := []struct {
		name     string
		handler  http.HandlerFunc
		grant    tokenendpoint.Grant
		ctx      time.Duration
		took     time.Duration
		attempts int
	}{
		{"silence, sent again", hang, clientCredentials, 0, 30 * time.Second, 3},
		{"silence, not sent again", hang, refresh, 0, 30 * time.Second, 1},
		{"trickle, sent again", trickle, clientCredentials, 0, 30 * time.Second, 3},
		{"trickle, not sent again", trickle, password, 0, 30 * time.Second, 1},
		{"caller's deadline", hang, clientCredentials, 3 * time.Second, 3 * time.Second, 1},
		{"caller's deadline in a trickle", trickle, clientCredentials, 3 * time.Second, 3 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, tt.handler)
				ctx := t.Context()
				if tt.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
					defer cancel()
				}
				start := time.Now()
				_, err := newClient(t, s, nil).Token(ctx, tt.grant)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error = %v, want context.DeadlineExceeded", err)
				}
				if got := time.Since(start); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
				var e *tokenendpoint.Error
				if !errors.As(err, &e) || e.Attempts != tt.attempts || !e.MayHaveActed {
					t.Errorf("error = %#v with %d attempts, want %d and MayHaveActed", err, e.Attempts, tt.attempts)
				}
			})
		})
	}
}

func TestCallersContext(t *testing.T) {
	mine := errors.New("mine")
	t.Run("ended before", func(t *testing.T) {
		s := serve(t, ok)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(mine)
		_, err := newClient(t, s, nil).Token(ctx, refresh)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, mine) || s.count() != 0 {
			t.Errorf("error = %v after %d requests, want Canceled and its cause after none", err, s.count())
		}
		var e *tokenendpoint.Error
		if !errors.As(err, &e) || e.MayHaveActed {
			t.Errorf("MayHaveActed is true, though nothing was sent")
		}
	})
	t.Run("ended while waiting for a retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, answer(503, "", "Retry-After", "2"))
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(mine) })
			start := time.Now()
			_, err := newClient(t, s, nil).Token(ctx, clientCredentials)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, mine) || time.Since(start) != time.Second {
				t.Errorf("error = %v after %v, want Canceled and its cause after 1 s", err, time.Since(start))
			}
			var e *tokenendpoint.Error
			if !errors.As(err, &e) || e.Status != 503 {
				t.Errorf("error = %v, want the last answer's status in it", err)
			}
		})
	})
	t.Run("no wait that its deadline would cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, answer(503, "", "Retry-After", "2"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := newClient(t, s, nil).Token(ctx, clientCredentials)
			if time.Since(start) != 0 || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v after %v, want the 503 at once", err, time.Since(start))
			}
		})
	})
}

// A body that does not heed its context must not hold the caller.
func TestDeafBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil, func(o *tokenendpoint.Options) {
			o.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
				pr, _ := io.Pipe()
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: pr, Request: r}, nil
			})
		})
		start := time.Now()
		if _, err := c.Token(t.Context(), refresh); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want context.DeadlineExceeded", err)
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("took %v, want 30 s", got)
		}
	})
}
