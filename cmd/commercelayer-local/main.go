package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Signals are their own again after the first: a second one ends a program
	// that still waits for requests under way.
	context.AfterFunc(ctx, func() {
		stop()
		fmt.Fprintln(os.Stderr, "commercelayer-local: stopping; interrupt again to end at once")
	})
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		// The flag package has said it already.
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "commercelayer-local: %v\n", err)
		os.Exit(1)
	}
}

// run is the program, until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	settings, err := parse(args, stderr)
	if err != nil {
		return err
	}
	l, err := listen(ctx, settings, stderr)
	if err != nil {
		return err
	}
	if err := l.announce(stdout); err != nil {
		l.listener.Close()
		return fmt.Errorf("printing the settings: %w", err)
	}
	return l.serve(ctx)
}
