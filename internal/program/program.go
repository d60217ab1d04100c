// Package program is what the programs of this project have in common: how they take
// their arguments, serve, and end.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ErrUsage is that of arguments which the flag package has complained about already.
var ErrUsage = errors.New("wrong arguments")

// Parse parses the arguments: the error is flag.ErrHelp or ErrUsage.
func Parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return ErrUsage
	}
	return err
}

// Main runs the program of a name, and exits with 1 if it fails, and with 2 after
// ErrUsage. The first interrupt ends its context, and the second one the process.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop()
		fmt.Fprintln(os.Stderr, name+": stopping; interrupt again to end at once")
	})
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, ErrUsage):
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// lastRequests is how long requests under way may take when a program is to end.
const lastRequests = 10 * time.Second

// Serve serves until ctx ends, and then lets requests under way finish, for 10 seconds.
// It is https if the server has certificates.
func Serve(ctx context.Context, l net.Listener, server *http.Server) error {
	ended := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			ended <- server.ServeTLS(l, "", "")
			return
		}
		ended <- server.Serve(l)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequests)
	defer cancel()
	err := server.Shutdown(patient)
	if err != nil {
		server.Close()
		err = fmt.Errorf("requests under way were broken off: %w", err)
	}
	<-ended
	return err
}
