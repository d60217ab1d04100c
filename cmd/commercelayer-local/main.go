package main

import (
	"context"
	"fmt"
	"io"

	"github.com/bearerkit/bearer/internal/program"
)

func main() { program.Main("commercelayer-local", run) }

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
	return program.Serve(ctx, l.listener, l.http)
}
