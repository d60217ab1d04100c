package bearer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// lockedBuffer is a bytes.Buffer for many writers.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

type valueError struct{ Secret string }

func (e valueError) Error() string { return e.Secret }

// No secret in any log line, event or error, whatever goes wrong, nor in any of
// our values however it is printed.
func TestNoSecretGetsOut(t *testing.T) {
	const secret = "s3cr3t"
	wrapped := fmt.Errorf("posting client_secret=%s: %w", secret, io.ErrUnexpectedEOF)
	fetches := map[string]func(n int) (*bearer.Token, error){
		"answered": func(int) (*bearer.Token, error) { return nil, answered(401, "invalid_client") },
		"echoed":   func(int) (*bearer.Token, error) { return nil, answered(400, secret) },
		"url error": func(int) (*bearer.Token, error) {
			return nil, &url.Error{Op: "Post", URL: "https://" + secret, Err: wrapped}
		},
		"wrapped":    func(int) (*bearer.Token, error) { return nil, wrapped },
		"panic":      func(int) (*bearer.Token, error) { panic(secret) },
		"by value":   func(int) (*bearer.Token, error) { return nil, valueError{secret} },
		"error":      func(int) (*bearer.Token, error) { panic(wrapped) },
		"bad header": func(int) (*bearer.Token, error) { return &bearer.Token{AccessToken: secret + "\n"}, nil },
		"good": func(n int) (*bearer.Token, error) {
			return &bearer.Token{AccessToken: fmt.Sprint(secret, n), RefreshToken: secret, Expiry: time.Now().Add(time.Hour)}, nil
		},
		"then bad": func(n int) (*bearer.Token, error) {
			if n > 1 {
				return nil, wrapped
			}
			return &bearer.Token{AccessToken: secret, RefreshToken: secret, Expiry: time.Now().Add(time.Hour)}, nil
		},
	}
	for name, fetch := range fetches {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out lockedBuffer
				print := func(v any) {
					fmt.Fprintf(&out, "%v\n%+v\n%#v\n%s\n%q\n%d\n%x\n", v, v, v, v, v, v, v)
					slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "v", v)
					slog.New(slog.NewTextHandler(&out, nil)).Info("value", "v", v)
				}
				log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
				look := func(_ context.Context, e bearer.Event) {
					log.Info(e.Message(), "event", e)
					print(e)
					j, _ := json.Marshal(e)
					out.Write(j)
				}
				n := 0
				src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { n++; return fetch(n) }, &bearer.SourceOptions{
					Name: "named", Logger: log, Observer: look,
					OnChange: func(context.Context, *bearer.Token) error { return wrapped },
				})
				tr := &bearer.Transport{Source: src, Logger: log, Observer: look, Origins: []string{"http://api.test"},
					Base: pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if strings.HasSuffix(r.Header.Get("Authorization"), "1") {
							invalidToken(w)
						}
					}))}
				client := &http.Client{Transport: tr}
				for i := range 4 {
					for _, u := range []string{"http://api.test/?q=" + secret, "http://other.test/"} {
						req, _ := http.NewRequest("GET", u, nil)
						resp, err := tr.RoundTrip(req)
						if err != nil {
							print(err)
							j, _ := json.Marshal(err)
							out.Write(j)
							for e := err; e != nil; e = errors.Unwrap(e) {
								if te, ok := e.(*bearer.TokenError); ok {
									fmt.Fprintln(&out, te.Error())
								}
							}
						} else {
							resp.Body.Close()
						}
						client.CloseIdleConnections()
					}
					pass([]time.Duration{time.Second, 58 * time.Minute, time.Hour, 0}[i])
				}
				synctest.Wait()
				print(src)
				print(tr)
				if strings.Contains(out.String(), secret) {
					for line := range strings.Lines(out.String()) {
						if strings.Contains(line, secret) {
							t.Errorf("a secret got out: %s", line)
						}
					}
				}
				if len(out.String()) < 500 || !strings.Contains(out.String(), "named") {
					t.Errorf("only this was said: %s", out.String())
				}
			})
		})
	}
}
