// Storefront is a small shop whose every request knows its guest and its
// customer: go run ./examples/storefront
//
// It serves http://localhost:8080 over a Commerce Layer of its own in this
// process, with two markets, a cart, customers who can sign in, and a panel that
// shows what becomes of their tokens, with buttons that take these away. What a shop
// has to do about tokens is in the file bearer.go.
//
// With COMMERCELAYER_SALES_CHANNEL_CLIENT_ID (or COMMERCELAYER_CLIENT_ID) and
// COMMERCELAYER_SCOPE set to those of a sales channel it serves that shop instead,
// without the buttons. COMMERCELAYER_OTHER_SCOPE adds a second market;
// COMMERCELAYER_DOMAIN and COMMERCELAYER_AUTH_URL name a service that is not the
// public one.
//
// With REDIS_URL set, such as to redis://localhost:6379, there are two instances of the
// shop behind the one address, which take turns. Tokens live in that Redis, under keys
// that begin with "kiosk:"; the panel shows which instance has answered. What the
// package's own Commerce Layer has issued is good until the program ends, so that the
// next one finds tokens in Redis that are refused, and replaces them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends a program that still waits for requests under way.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2) // the flag package has said it already
	default:
		fmt.Fprintln(os.Stderr, "storefront:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong arguments")

// run is the program, until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("storefront", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "localhost:8080", "`address` to serve on")
	insecure := flags.Bool("insecure-cookies", false, "for browsers that take no Secure cookies from http (Safari, or another machine's): whoever listens can take over sessions")
	life := flags.Duration("token-life", 0, "how long the local tokens live, to watch them being refreshed, such as 1m (default 4h)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	service, err := newService(os.Getenv, *life)
	if err != nil {
		return err
	}
	defer service.close()
	service.log = slog.New(slog.NewTextHandler(stderr, nil))
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("%w: choose another address, such as -addr localhost:8081", err)
	}
	defer listener.Close()
	shop, err := open(ctx, service, os.Getenv("REDIS_URL"), *insecure)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The shop is open at http://%s, over %s. Interrupt to close it.\n", shown(*addr, listener.Addr()), service.name)
	if fleet, ok := shop.(*fleet); ok {
		a, b := fleet.ports[0].Addr(), fleet.ports[1].Addr()
		fmt.Fprintf(stdout, "Its instances A and B share a Redis. They are at http://%s and http://%s too.\n", shown(":0", a), shown(":0", b))
	}
	return shop.serve(ctx, listener)
}

// opened is a shop, or two instances of it.
type opened interface {
	serve(ctx context.Context, l net.Listener) error
}

// open opens two instances of the shop, if there is a Redis for them to share, else
// one.
func open(ctx context.Context, service *service, redisURL string, insecureCookies bool) (opened, error) {
	if redisURL == "" {
		return newShop(service, insecureCookies)
	}
	return newFleet(ctx, service, redisURL, insecureCookies)
}

// shown is the address to open in a browser: the one that was asked for, with the
// port that it has become.
func shown(asked string, addr net.Addr) string {
	host, _, err := net.SplitHostPort(asked)
	_, port, err2 := net.SplitHostPort(addr.String())
	if err != nil || err2 != nil {
		return addr.String()
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// serve serves the shop until ctx ends.
func (s *shop) serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, l, s, s.hood.close)
}

// serve serves a handler until ctx ends, and then ends its streams: Shutdown waits for
// requests under way, and a stream is one that never ends.
func serve(ctx context.Context, l net.Listener, handler http.Handler, endStreams func()) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // the panel's stream has its own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	server.RegisterOnShutdown(endStreams)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := <-stopped; err != nil {
		server.Close()
		return fmt.Errorf("requests under way were broken off: %w", err)
	}
	return nil
}
