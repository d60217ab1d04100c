package bearer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// A token is written before anybody has it.
func TestSharedWriteBeforeUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		storage := newShelf()
		used := false
		storage.faults(nil, func(_ context.Context, op, key string) error {
			if op == "set" && key == "token" && used {
				t.Error("the token was used before it was written")
			}
			pass(time.Second)
			return nil
		})
		src := fleet(1, e.fetch, storage, nil)[0]
		wantAccess(t, src, "token-1")
		used = true
		if got, want := string(storage.values["token"].value), `{"accessToken":"token-1","scope":"",`; !strings.HasPrefix(got, want) {
			t.Errorf("the storage has %s, want it to begin with %s", got, want)
		}
		if ttl := storage.values["token"].ttl; ttl != time.Hour-2*time.Second && ttl > time.Hour {
			t.Errorf("it is kept for %v, want at most an hour", ttl)
		}
	})
}

func TestSharedGarbage(t *testing.T) {
	for _, raw := range []string{"", "null", "undefined", "[]", "{}", `{"accessToken":7}`, `{"accessToken":"old"}`, "\xff", strings.Repeat("x", 70_000)} {
		t.Run(raw[:min(len(raw), 20)], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{life: time.Hour}
				storage := newShelf()
				storage.put("token", []byte(raw), 0)
				src := fleet(1, e.fetch, storage, nil)[0]
				wantAccess(t, src, "token-1")
				wantAll(t, fleet(3, e.fetch, storage, nil), "token-1")
				e.wantCount(t, 1)
			})
		})
	}
}

// What can be neither read nor swapped, as it is of another type, is replaced by the
// first process that has a token; but not by one that a refresh has brought, since it
// may be a refresh token for which this process lacks a key.
func TestSharedOfAnotherType(t *testing.T) {
	setUp := func() (storage *shelf, broken *atomic.Bool) {
		storage, broken = newShelf(), new(atomic.Bool)
		storage.faults(func(_ context.Context, op, key string) error {
			switch {
			case key != "token" || !broken.Load():
			case op == "set" || op == "delete":
				broken.Store(false)
			default:
				return errDown
			}
			return nil
		}, nil)
		return storage, broken
	}
	t.Run("without a refresh token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{life: time.Hour}
			storage, broken := setUp()
			broken.Store(true)
			sources := fleet(5, e.fetch, storage, nil)
			wantAccess(t, sources[0], "token-1")
			wantAll(t, sources, "token-1")
			broken.Store(true)
			pass(2 * time.Hour)
			wantAccess(t, sources[0], "token-2")
			wantAll(t, sources, "token-2")
			e.wantCount(t, 2)
		})
	})
	t.Run("refreshed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newProvider()
			storage, broken := setUp()
			src := rotating(p, 1, storage, p.signIn("ada"))[0]
			wantAccess(t, src, "s3cr3t-access-1")
			broken.Store(true)
			pass(2 * time.Hour)
			wantAccess(t, src, "s3cr3t-access-2")
			pass(time.Minute)
			if !broken.Load() {
				t.Error("what could not be read was replaced")
			}
		})
	})
}

// Another writer, who took no lock, has come first: what serves as well stays.
func TestSharedMeetsAnother(t *testing.T) {
	const serves = `{"accessToken":"other","expiry":"2000-01-01T02:00:00Z"}`
	tests := []struct {
		name, there string
		refresh     string // our token's refresh token
		want        string
	}{
		{"one that serves", serves, "", "other"},
		{"one that serves, but cannot be refreshed", serves, "refresh", "ours"},
		{"one that has expired", `{"accessToken":"other","expiry":"2000-01-01T00:00:00Z"}`, "", "ours"},
		{"garbage", "{", "", "ours"},
		{"a tombstone", "null", "", "ours"},
		{"one that was refused", "undefined", "refresh", "ours"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				way := taps(1, memstore.New(nil))[0]
				way.on("before", "swap", "token", func(ctx context.Context) error {
					if way.count("swap") > 1 {
						return nil
					}
					return way.store.Set(ctx, "token", []byte(tt.there), 0)
				})
				src := fleet(1, func(context.Context) (*bearer.Token, error) {
					return &bearer.Token{AccessToken: "ours", RefreshToken: tt.refresh, Expiry: time.Now().Add(time.Hour)}, nil
				}, way, nil)
				wantAll(t, src, "ours")
				if raw, err := way.store.Get(t.Context(), "token"); !strings.HasPrefix(string(raw), `{"accessToken":"`+tt.want) {
					t.Errorf("the storage has %s, %v, want the token %s", raw, err, tt.want)
				}
			})
		})
	}
}

// A token that could not be written in its time need not be any more.
func TestSharedTooLateToWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		ways := taps(2, memstore.New(nil))
		ways[0].on("before", "swap", "token", failWith(errDown))
		sources := []*bearer.Source{fleet(1, e.fetch, ways[0], nil)[0], fleet(1, e.fetch, ways[1], nil)[0]}
		wantAccess(t, sources[0], "token-1")
		ways[0].clear()
		pass(2 * time.Hour)
		wantAll(t, sources, "token-2")
		e.wantCount(t, 2)
	})
}

// What the storage has for somebody else is no token, and is overwritten.
func TestSharedAccept(t *testing.T) {
	e := &endpoint{life: time.Hour}
	storage := memstore.New(nil)
	seed := fleet(1, func(context.Context) (*bearer.Token, error) {
		return &bearer.Token{AccessToken: "another's", Expiry: time.Now().Add(time.Hour)}, nil
	}, storage, nil)
	wantAll(t, seed, "another's")
	picky := func(o *bearer.SourceOptions) {
		o.Accept = func(t *bearer.Token) bool { return t.AccessToken != "another's" }
	}
	wantAll(t, fleet(3, e.fetch, storage, picky), "token-1")
	wantAll(t, fleet(3, e.fetch, storage, nil), "token-1")
}
