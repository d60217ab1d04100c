package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// local is the running program.
type local struct {
	settings *settings
	server   *commercelayertest.Server
	listener net.Listener
	http     *http.Server
	port     int
	caFile   string // absolute; empty without -ca-out
}

// stopWithin is how long requests under way may still take when the program is
// told to stop.
const stopWithin = 5 * time.Second

// listen gets everything ready, so that what is announced afterwards works.
func listen(ctx context.Context, s *settings, stderr io.Writer) (*local, error) {
	options := s.options
	options.UnsafeControl = true
	switch s.log {
	case "text":
		options.Log = slog.New(slog.NewTextHandler(stderr, nil))
	case "json":
		options.Log = slog.New(slog.NewJSONHandler(stderr, nil))
	}
	server, err := commercelayertest.New(&options)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("address %s is taken, perhaps by another commercelayer-local: stop that one, or choose another port with -addr", s.addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", s.addr, err)
	}
	l := &local{settings: s, server: server, listener: listener, port: listener.Addr().(*net.TCPAddr).Port}
	l.http = newHTTPServer(server, stderr)
	if s.tls {
		if err := l.useTLS(); err != nil {
			listener.Close()
			return nil, err
		}
	}
	if host, _, _ := net.SplitHostPort(s.addr); !isLoopback(host) {
		fmt.Fprintf(stderr, "commercelayer-local: WARNING: %s can be reached from other machines. Whoever reaches it can sign in with the settings printed here.\n", s.addr)
	}
	return l, nil
}

// newHTTPServer has no time limits for bodies: a fault may take its time.
func newHTTPServer(handler http.Handler, stderr io.Writer) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// net/http notes here each client that does not trust the certificate.
		ErrorLog: log.New(stderr, "commercelayer-local: ", 0),
	}
}

func (l *local) useTLS() error {
	ca, err := l.server.NewCA()
	if err != nil {
		return err
	}
	l.http.TLSConfig = ca.TLSConfig()
	if l.settings.caOut == "" {
		return nil
	}
	if l.caFile, err = filepath.Abs(l.settings.caOut); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	if err := writeFile(l.caFile, ca.PEM()); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	return nil
}

// writeFile replaces a file in one step, so that no client reads half of it.
func writeFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// serve answers requests until ctx ends, and then lets those under way finish.
func (l *local) serve(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() {
		if l.settings.tls {
			ended <- l.http.ServeTLS(l.listener, "", "")
			return
		}
		ended <- l.http.Serve(l.listener)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if l.http.Shutdown(stop) != nil {
		l.http.Close()
	}
	<-ended
	return nil
}
