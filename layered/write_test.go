package layered_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
)

// write is one that changes a value.
type write struct {
	name string
	do   func(ctx context.Context, s bearer.CompareAndSwapper, old, next string) error
	left string // what is there afterwards, if there was old
}

// writes are all that change a value, to "new" or to none.
var writes = []write{
	{"Set", func(ctx context.Context, s bearer.CompareAndSwapper, _, next string) error {
		return s.Set(ctx, key, []byte(next), 0)
	}, "new"},
	{"Delete", func(ctx context.Context, s bearer.CompareAndSwapper, _, _ string) error {
		return s.Delete(ctx, key)
	}, ""},
	{"CompareAndSwap", func(ctx context.Context, s bearer.CompareAndSwapper, old, next string) error {
		ok, err := s.CompareAndSwap(ctx, key, []byte(old), []byte(next), 0)
		if err == nil && !ok {
			err = errors.New("not swapped")
		}
		return err
	}, "new"},
	{"CompareAndSwap for nil", func(ctx context.Context, s bearer.CompareAndSwapper, old, _ string) error {
		ok, err := s.CompareAndSwap(ctx, key, []byte(old), nil, 0)
		if err == nil && !ok {
			err = errors.New("not swapped")
		}
		return err
	}, ""},
}

func TestWritesAreSeenAtOnce(t *testing.T) {
	for _, tt := range writes {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				truth := newFaulty()
				s := layered.New(truth, nil)
				truth.elsewhere(t, "old")
				want(t, s, "old")
				if err := tt.do(t.Context(), s, "old", "new"); err != nil {
					t.Fatal(err)
				}
				want(t, s, tt.left)
				if tt.left != "" {
					truth.wantGets(t, 1) // there is a copy of what was written
				}
				if got, err := truth.CompareAndSwapper.Get(t.Context(), key); string(got) != tt.left {
					t.Errorf("the truth has %q, %v, want %q", got, err, tt.left)
				}
			})
		})
	}
}

// Whether a write that failed has been done, only the truth knows.
func TestFailedWritesLeaveNoCopy(t *testing.T) {
	for _, tt := range writes {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				truth := newFaulty()
				s := layered.New(truth, nil)
				truth.elsewhere(t, "old")
				want(t, s, "old")
				truth.fail(errDown)
				if err := tt.do(t.Context(), s, "old", "new"); !errors.Is(err, errDown) {
					t.Errorf("%s = %v, want %v", tt.name, err, errDown)
				}
				wantErr(t, s, errDown)
				truth.fail(nil)
				want(t, s, "old")

				ctx, cancel := context.WithCancel(t.Context())
				truth.around(nil, func(context.Context, string) { cancel(); truth.fail(nil) })
				truth.fail(errDown) // after it has been asked, as when an answer is lost
				tt.do(ctx, s, "old", "new")
				truth.elsewhere(t, "other")
				want(t, s, "other")
			})
		})
	}
}

func TestFailedSwapLeavesNoCopy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		truth.elsewhere(t, "new")
		for _, next := range [][]byte{[]byte("next"), nil} {
			if ok, err := s.CompareAndSwap(t.Context(), key, []byte("old"), next, 0); ok || err != nil {
				t.Fatalf("CompareAndSwap = %v, %v, want false", ok, err)
			}
			want(t, s, "new")
		}
	})
}

// A reader has the old value from the truth, and is slow to keep it.
func TestSlowReaderKeepsNothingOld(t *testing.T) {
	for _, feed := range []bool{false, true} {
		for _, tt := range writes {
			t.Run(fmt.Sprintf("%s, feed %v", tt.name, feed), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w, s := watching(t, nil)
					truth := w.faulty
					if !feed {
						s = layered.New(truth, nil)
					}
					truth.around(nil, func(context.Context, string) {
						if err := tt.do(t.Context(), s, "old", "new"); err != nil {
							t.Error(err)
						}
						want(t, s, tt.left) // not what this reader is about to get
					})
					want(t, s, "old") // it had begun before
					want(t, s, tt.left)
					synctest.Wait()
					want(t, s, tt.left)
					wantNoOldCopy(t, truth, s)
				})
			})
		}
	}
}

// The change is somebody else's, and the feed tells of it before the reader keeps
// what it got.
func TestSlowReaderAndTheFeed(t *testing.T) {
	for _, value := range []string{"new", ""} {
		bubble(t, func(t *testing.T) {
			truth, s := watching(t, nil)
			truth.around(nil, func(context.Context, string) {
				truth.elsewhere(t, value)
				synctest.Wait()
			})
			want(t, s, "old")
			want(t, s, value)
			wantNoOldCopy(t, truth.faulty, s)
		})
	}
}

// wantNoOldCopy looks for a copy of what is no more.
func wantNoOldCopy(t *testing.T, truth *faulty, s bearer.Storage) {
	t.Helper()
	pass(10 * second)
	truth.fail(errDown)
	if got, err := s.Get(t.Context(), key); err == nil && string(got) == "old" {
		t.Errorf("Get while the truth is down = %q, which was replaced while it was up", got)
	}
}

// The write comes when the reader has made sure that there was none, and is about to
// put its copy into a layer.
func TestSlowCopyIsNotServed(t *testing.T) {
	for _, tt := range writes {
		for _, looks := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, looked at %v", tt.name, looks), func(t *testing.T) { testSlowCopy(t, tt, looks) })
		}
	}
}

func testSlowCopy(t *testing.T, tt write, looks bool) {
	bubble(t, func(t *testing.T) {
		truth, near := newFaulty(), newFaulty()
		s := layered.New(truth, &layered.Options{Near: []bearer.Storage{near}})
		truth.elsewhere(t, "old")
		var hooked hook
		slow := func(_ context.Context, method string) {
			if method == "Set" {
				pass(second / 2)
			}
		}
		hooked = func(_ context.Context, method string) {
			if method != "Set" {
				near.around(hooked, slow)
				return
			}
			if err := tt.do(t.Context(), s, "old", "new"); err != nil {
				t.Error(err)
			}
		}
		near.around(hooked, slow)
		done := make(chan bool)
		go func() {
			want(t, s, "old")
			close(done)
		}()
		synctest.Wait()
		if looks {
			want(t, s, tt.left) // the old copy is there, and not taken
		}
		<-done
		wantNoOldCopy(t, truth, s)
	})
}

// Two write at once, and the one whose value is not there any more comes last to
// keep its copy.
func TestSlowWriterKeepsNothingOld(t *testing.T) {
	for _, tt := range writes {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				truth := newFaulty()
				s := layered.New(truth, nil)
				truth.around(nil, func(context.Context, string) {
					if err := tt.do(t.Context(), s, "old", "new"); err != nil {
						t.Error(err)
					}
				})
				set(t, s, "old", 0)
				want(t, s, tt.left)
				wantNoOldCopy(t, truth, s)
			})
		})
	}
}

// While somebody writes, readers see what the truth has, and keep none of it.
func TestReadersDuringAWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		truth.around(func(context.Context, string) {
			want(t, s, "old")
			want(t, s, "old")
			truth.wantGets(t, 3)
		}, func(context.Context, string) {
			want(t, s, "new")
			want(t, s, "new")
			truth.wantGets(t, 5)
		})
		set(t, s, "new", 0)
		want(t, s, "new")
		truth.wantGets(t, 5)
	})
}

// A read that has begun before is of no use to one who begins after.
func TestReadersDuringAWriteDoNotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		truth.around(func(context.Context, string) {
			truth.around(nil, func(context.Context, string) { pass(second / 2) })
			go want(t, s, "old")
			synctest.Wait()
		}, func(context.Context, string) { want(t, s, "new") })
		set(t, s, "new", 0)
		pass(second)
		want(t, s, "new")
	})
}

// A write whose caller has gone must not leave a copy of what was before.
func TestWriterWhoLeft(t *testing.T) {
	for _, tt := range writes {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				truth := newFaulty()
				s := layered.New(truth, nil)
				truth.elsewhere(t, "old")
				want(t, s, "old")
				ctx, leave := context.WithCancel(t.Context())
				truth.around(nil, func(context.Context, string) { leave() })
				tt.do(ctx, s, "old", "new")
				if err := tt.do(ctx, s, tt.left, "newer"); !errors.Is(err, context.Canceled) {
					t.Errorf("%s with a context that has ended = %v, want %v", tt.name, err, context.Canceled)
				}
				if tt.left != "" {
					want(t, s, tt.left)
					truth.wantGets(t, 1) // it has left a copy all the same
				}
				wantNoOldCopy(t, truth, s)
			})
		})
	}
}

func TestNegativeTTLKeepsTheValue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := layered.New(newFaulty(), nil)
		set(t, s, "a", time.Hour)
		if err := s.Set(t.Context(), key, []byte("b"), -1); err == nil {
			t.Error("Set with a negative ttl = nil, want an error")
		}
		want(t, s, "a")
	})
}
