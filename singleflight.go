package bearer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/bearerkit/bearer/internal/untraced"
	"golang.org/x/sync/singleflight"
)

// flight runs one call at a time, for any number of waiters. The zero value is
// ready to use.
//
// It is [singleflight.Group] without the properties that make it unfit for a
// call over the network: there, a call ends with the context of the one who
// began it, or never, and (see contain) a panic in it ends the process and a
// runtime.Goexit leaves the waiters waiting for ever.
type flight struct {
	group singleflight.Group
}

// do joins the call under way, or begins call, and waits for the result as long
// as ctx lets it. The call goes on when a waiter leaves, whoever began it.
func (f *flight) do(ctx context.Context, limit time.Duration, call func(context.Context) (*Token, error)) (*Token, error) {
	select {
	case r := <-f.begin(ctx, limit, call):
		return r.Val.(*Token), r.Err
	case <-ctx.Done():
		return nil, waitEnded(ctx)
	}
}

// begin is do for those who do not wait. The call has the values of ctx, less what
// detached takes out; limit is all that ends it.
func (f *flight) begin(ctx context.Context, limit time.Duration, call func(context.Context) (*Token, error)) <-chan singleflight.Result {
	return f.group.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(detached(ctx), limit)
		defer cancel()
		return call(ctx)
	})
}

// detached returns ctx without its end, and without what belongs to the request of
// whoever came first: its session and its httptrace hooks.
func detached(ctx context.Context) context.Context {
	return withoutSession{untraced.Context(context.WithoutCancel(ctx))}
}

// detach leaves the call under way to those who wait for it already: the next
// caller begins another one.
func (f *flight) detach() { f.group.Forget("") }

// result is what a contained function returned.
type result struct {
	token *Token
	err   error
}

// contain runs a function of the application's on a goroutine of its own, so
// that neither its panic nor its runtime.Goexit gets further than an error, and
// so that one that ignores the end of ctx need keep nobody waiting.
func contain(ctx context.Context, fn func(context.Context) (*Token, error)) <-chan result {
	done := make(chan result, 1)
	go func() {
		r := result{err: errGoexit}
		defer func() {
			if p := recover(); p != nil {
				r = result{err: &PanicError{Value: p, Stack: debug.Stack()}}
			}
			done <- r
		}()
		r.token, r.err = fn(ctx)
	}()
	return done
}

var (
	errGoexit   = &safeError{"the function that was called called runtime.Goexit", nil}
	errNoAnswer = &safeError{"no answer to the token request within its time limit (FetchTimeout)", context.DeadlineExceeded}
)

// PanicError is a panic in a function of the application's, such as a
// [TokenFunc], returned as an error to all who waited for its result.
type PanicError struct {
	Value any    `json:"-"` // what the function panicked with
	Stack []byte // where, as debug.Stack formats it
}

// Error tells the value if it comes from the runtime; any other value may hold
// a secret and is described by its type.
func (e *PanicError) Error() string { return "bearer: " + e.text() }

func (e *PanicError) text() string {
	if r, ok := e.Value.(runtime.Error); ok {
		return "panic: " + r.Error()
	}
	return fmt.Sprintf("panic with a value of type %T", e.Value)
}

// Format prints what Error returns, whatever the verb.
func (e *PanicError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// Unwrap returns the value that the function panicked with, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// waitError is the end of somebody's wait, not of what was waited for.
type waitError struct{ err, cause error }

// waitEnded returns the error of a caller whose context has ended.
func waitEnded(ctx context.Context) error {
	return &waitError{ctx.Err(), context.Cause(ctx)}
}

func (e *waitError) Error() string   { return "bearer: gave up waiting for a token: " + e.err.Error() }
func (e *waitError) Timeout() bool   { return errors.Is(e.err, context.DeadlineExceeded) }
func (e *waitError) Unwrap() []error { return []error{e.err, e.cause} }
