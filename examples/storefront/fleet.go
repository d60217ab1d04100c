package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

// fleet is a shop of two instances behind one address, as on two machines: each has
// its own connections, memory, sales channels and port. They share a Redis, and
// nothing else but the panel.
type fleet struct {
	instances []*shop
	ports     []net.Listener // theirs
	hood      *hood
	turn      atomic.Int64 // of the instances
}

// newFleet opens a shop of two instances, which share the Redis at url.
func newFleet(ctx context.Context, service *service, url string, insecureCookies bool) (*fleet, error) {
	f := &fleet{hood: newHood(service, cookies{insecureCookies})}
	f.hood.storage = "Two instances, A and B, that share a Redis"
	for _, name := range []string{"A", "B"} {
		s := &shop{service: service.instance(name), instance: name, cookies: f.hood.cookies, hood: f.hood}
		if err := s.openRedis(url); err != nil {
			f.close()
			return nil, fmt.Errorf("REDIS_URL: %w", err)
		}
		f.instances = append(f.instances, s)
		port, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			f.close()
			return nil, fmt.Errorf("instance %s: %w", name, err)
		}
		f.ports = append(f.ports, port)
		if err := s.open(); err != nil {
			f.close()
			return nil, err
		}
	}
	// Later the shop does without Redis for a while. That it is missing from the
	// beginning is a mistake of whoever has set REDIS_URL.
	if _, err := f.instances[0].redis.Get(ctx, "hello"); err != nil && !errors.Is(err, bearer.ErrNotFound) {
		f.close()
		return nil, fmt.Errorf("REDIS_URL: %w. Without REDIS_URL the shop is one instance, and needs no Redis", err)
	}
	return f, nil
}

// instance is the service for one instance of the shop, with markets of its own.
func (s *service) instance(name string) *service {
	own := *s
	own.log = s.log.With("instance", name)
	own.markets = nil
	for _, m := range s.markets {
		own.markets = append(own.markets, &market{Path: m.Path, Name: m.Name, Currency: m.Currency, Scope: m.Scope})
	}
	return &own
}

// close closes the connections to Redis, and the ports.
func (f *fleet) close() {
	for _, port := range f.ports {
		port.Close()
	}
	for _, s := range f.instances {
		s.redis.Close()
	}
}

// serve serves both instances behind l until ctx ends. What goes on with Redis ends
// with the program.
func (f *fleet) serve(ctx context.Context, l net.Listener) error {
	// They go on until what has come through l is answered.
	last, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error)
	for i, s := range f.instances {
		go func() { ended <- s.serve(last, f.ports[i]) }()
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}
	err := serve(ctx, l, f.proxy(transport), f.hood.close)
	transport.CloseIdleConnections()
	stop()
	for range f.instances {
		err = errors.Join(err, <-ended)
	}
	return err
}

// proxy sends each page and form to the next instance.
func (f *fleet) proxy(transport http.RoundTripper) http.Handler {
	log := f.instances[0].service.log
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Rewrite: func(r *httputil.ProxyRequest) {
			// The Host stays what the browser knows: by it the protection against forms of
			// other sites knows its own.
			r.Out.URL.Scheme, r.Out.URL.Host = "http", f.ports[f.next(r.In.URL.Path)].Addr().String()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else nobody is waiting
				log.WarnContext(r.Context(), "an instance does not answer", "error", err)
			}
			http.Error(w, "The shop does not answer. Try again.", http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isStream(r.URL.Path) {
			http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the instance has its own
		}
		proxy.ServeHTTP(w, r)
	})
}

// next is whose turn it is. What a page brings in its wake takes none: if that were an
// odd number of requests, all pages would come from one instance.
func (f *fleet) next(path string) int64 {
	n := int64(len(f.instances))
	if isStream(path) || strings.HasPrefix(path, "/static/") {
		return f.turn.Load() % n
	}
	return (f.turn.Add(1) - 1) % n
}

func isStream(path string) bool { return path == "/events" }
