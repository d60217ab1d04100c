// Signon is a shop whose visitors sign on with an identity provider: go run ./examples/signon
//
// It serves http://localhost:8080, over a Commerce Layer and an OpenID Connect provider of
// its own in this process. The provider lets you choose who to be; the shop finds the
// Commerce Layer customer whose identity it is, signs them in, and shows what the API tells
// customers of themselves. What a shop has to do for it is in the file sign_on.go;
// docs/sign-on.md says why.
//
// Its cookies are Secure, which browsers take from http://localhost; Safari does not.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
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

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/examples/signon/provider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a program that still waits
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2) // the flag package has said it already
	default:
		fmt.Fprintln(os.Stderr, "signon:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong arguments")

// Those whom the provider knows. The shop knows the first two, by their subjects.
const (
	adaSubject   = "1815-12-10"
	graceSubject = "1906-12-09"
)

var users = []provider.User{
	{Subject: adaSubject, Name: "Ada", Email: commercelayertest.CustomerEmail, EmailVerified: true},
	{Subject: graceSubject, Name: "Grace", Email: commercelayertest.OtherCustomerEmail, EmailVerified: true},
	{Subject: "1912-06-23", Name: "Alan, who has never been to the shop", Email: "alan@example.com", EmailVerified: true},
	{Subject: "6666-06-06", Name: "Mallory, with Ada's address", Email: commercelayertest.CustomerEmail},
}

// customersBy are the shop's customers, by who they are for the provider.
func customersBy(issuer string) map[identity]string {
	return map[identity]string{
		{issuer, adaSubject}:   commercelayertest.CustomerID,
		{issuer, graceSubject}: commercelayertest.OtherCustomerID,
	}
}

// run is the program, until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("signon", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "localhost:8080", "`address` to serve the shop on")
	providerAddr := flags.String("provider-addr", "127.0.0.1:0", "`address` to serve the identity provider on; port 0 is any")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	shopListener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("%w: choose another address, such as -addr localhost:8081", err)
	}
	defer shopListener.Close()
	providerListener, err := net.Listen("tcp", *providerAddr)
	if err != nil {
		return fmt.Errorf("%w: choose another address, such as -provider-addr 127.0.0.1:0", err)
	}
	defer providerListener.Close()
	service := commercelayertest.NewServer(nil)
	defer service.Close()

	host, _, _ := net.SplitHostPort(*addr)
	_, port, _ := net.SplitHostPort(shopListener.Addr().String())
	c := config{
		origin: "http://" + net.JoinHostPort(cmp.Or(host, "localhost"), port), issuer: "http://" + providerListener.Addr().String(),
		clientID: "shop", clientSecret: rand.Text(),
		customers: customersBy("http://" + providerListener.Addr().String()), log: slog.New(slog.NewTextHandler(stderr, nil)),
		service: &commercelayer.Options{ClientSecret: commercelayertest.SalesChannelSecret, Base: service.Transport()},
		api:     service.APIURL(),
	}
	identities := provider.New(c.issuer, provider.Client{ID: c.clientID, Secret: c.clientSecret, RedirectURI: c.callbackURL()}, users)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 2)
	go func() { defer cancel(); stopped <- serve(ctx, providerListener, identities) }()
	shop, err := newShop(ctx, c)
	if err != nil {
		return err
	}
	go func() { defer cancel(); stopped <- serve(ctx, shopListener, shop) }()
	fmt.Fprintf(stdout, welcome, c.origin, c.issuer)
	<-ctx.Done() // interrupted, or one of them cannot serve
	fmt.Fprintln(stdout, "Closing both. Interrupt again if that takes too long.")
	return errors.Join(<-stopped, <-stopped)
}

const welcome = `Open %s in a browser, sign on, and choose Ada or Grace.
Alan is unknown to the shop, and Mallory has Ada's address, unverified: neither gets in.
The identity provider is at %s. Interrupt to close both.
`

// serve serves a handler until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-stopped
}
