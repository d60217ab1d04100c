// Package untraced keeps the hooks of net/http/httptrace, which are told of each
// header field that is written, from requests that carry secrets on behalf of
// somebody else.
package untraced

import (
	"context"
	"net/http/httptrace"
)

// Context returns ctx without its httptrace.ClientTrace.
func Context(ctx context.Context) context.Context {
	if httptrace.ContextClientTrace(ctx) == nil {
		return ctx
	}
	return untraced{ctx}
}

type untraced struct{ context.Context }

func (c untraced) Value(key any) any {
	if key == traceKey {
		return nil
	}
	return c.Context.Value(key)
}

// traceKey is the key that package httptrace keeps to itself, as it asks for it.
var traceKey = func() any {
	p := &probe{Context: context.Background()}
	httptrace.ContextClientTrace(p)
	return p.key
}()

type probe struct {
	context.Context
	key any
}

func (p *probe) Value(key any) any {
	p.key = key
	return nil
}
