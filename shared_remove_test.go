package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// What is removed is the latest token there is, whichever process has got it, and a
// refresh that is under way does not bring it back.
func TestSharedRemove(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, f *spenders)
		want string
	}{
		{"its own", func(*testing.T, *spenders) {}, "s3cr3t-access-1"},
		{"refreshed here", func(t *testing.T, f *spenders) { wantAccess(t, f.sources[0], "s3cr3t-access-2") }, "s3cr3t-access-2"},
		{"refreshed elsewhere", func(t *testing.T, f *spenders) { wantAccess(t, f.sources[1], "s3cr3t-access-2") }, "s3cr3t-access-2"},
		{"being refreshed elsewhere", func(t *testing.T, f *spenders) {
			f.p.took = time.Second
			go f.sources[1].TokenContext(t.Context())
			synctest.Wait()
		}, "s3cr3t-access-1"},
		{"not written", func(t *testing.T, f *spenders) {
			f.taps[0].on("before", "swap", "token", failWith(errDown))
			wantAccess(t, f.sources[0], "s3cr3t-access-2")
			f.taps[0].clear()
		}, "s3cr3t-access-2"},
		{"not written, as it seems", func(t *testing.T, f *spenders) {
			f.taps[0].on("after", "swap", "token", failWith(errDown))
			wantAccess(t, f.sources[0], "s3cr3t-access-2")
			f.taps[0].clear()
		}, "s3cr3t-access-2"},
		{"contended", func(_ *testing.T, f *spenders) {
			var other int
			f.taps[0].on("before", "swap", "token", func(ctx context.Context) error {
				if other++; other < 3 {
					f.store.Set(ctx, "token", fmt.Appendf(nil, `{"accessToken":"other-%d","refreshToken":"r","expiry":"2000-01-01T09:00:00Z"}`, other), 0)
				}
				return nil
			})
		}, "other-2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 3)
				tt.do(t, f)
				tok, err := f.sources[0].Remove(t.Context())
				if err != nil || tok == nil || tok.AccessToken != tt.want {
					t.Errorf("Remove returned %v, %v, want %s", tok, err, tt.want)
				}
				pass(time.Minute)
				if raw, _ := f.store.Get(t.Context(), "token"); string(raw) != "null" {
					t.Errorf("the storage has %s, want a tombstone", raw)
				}
				if got, err := access(t, f.sources[2]); !errors.Is(err, errSignIn) {
					t.Errorf("a third process gets %q, %v, want that there is none", got, err)
				}
			})
		})
	}
}

// Without a refresh token nothing is left behind.
func TestSharedRemoveWithoutRefreshToken(t *testing.T) {
	for name, storage := range map[string]bearer.Storage{"swaps": memstore.New(nil), "plain": plain{memstore.New(nil)}} {
		t.Run(name, func(t *testing.T) {
			e := &endpoint{life: time.Hour}
			wantAll(t, fleet(1, e.fetch, storage, nil), "token-1")
			if tok, err := fleet(1, e.fetch, storage, nil)[0].Remove(t.Context()); err != nil || tok == nil || tok.AccessToken != "token-1" {
				t.Errorf("Remove returned %v, %v, want token-1", tok, err)
			}
			if raw, err := storage.Get(t.Context(), "token"); !errors.Is(err, bearer.ErrNotFound) {
				t.Errorf("the storage has %s, %v, want nothing", raw, err)
			}
			if tok, err := fleet(1, e.fetch, storage, nil)[0].Remove(t.Context()); err != nil || tok != nil {
				t.Errorf("Remove of nothing returned %v, %v", tok, err)
			}
		})
	}
}

// plain is a storage without abilities.
type plain struct{ bearer.Storage }

func TestSharedRemoveFails(t *testing.T) {
	for _, op := range []string{"get", "swap"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 1)
				f.taps[0].on("before", op, "token", failWith(errDown))
				tok, err := f.sources[0].Remove(t.Context())
				if !errors.Is(err, errDown) || tok == nil || tok.AccessToken != "s3cr3t-access-1" {
					t.Errorf("Remove returned %v, %v, want the token and the error", tok, err)
				}
			})
		})
	}
}

// What no mark can replace is removed nevertheless, and the error says so.
func TestSharedRemoveWithoutAMark(t *testing.T) {
	tests := []struct{ name, broken, want, left string }{
		{"full", "swap", "is gone, but without a mark", ""},
		{"unreadable", "get", "could not be read", "null"},
		{"unreadable and full", "get set", "could not be read", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 1)
				for op := range strings.FieldsSeq(tt.broken) {
					fails := true
					f.taps[0].on("before", op, "token", func(context.Context) error {
						if fails {
							fails = op != "swap" // only the mark is refused
							return errDown
						}
						return nil
					})
				}
				tok, err := f.sources[0].Remove(t.Context())
				if !errors.Is(err, errDown) || !contains(err.Error(), tt.want) || tok == nil || tok.AccessToken != "s3cr3t-access-1" {
					t.Errorf("Remove returned %v, %v, want the token and an error that %s", tok, err, tt.want)
				}
				if raw, _ := f.store.Get(t.Context(), "token"); string(raw) != tt.left {
					t.Errorf("the storage has %q, want %q", raw, tt.left)
				}
			})
		})
	}
}
