//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// asProgram in the environment makes the test binary the program itself.
const asProgram = "COMMERCELAYER_LOCAL_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Args = []string{os.Args[0], "-addr", "127.0.0.1:0", "-log", "off"}
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The first signal waits for requests under way, the second for nothing.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			// A background job of a script begins with interrupts ignored, which programs pass on
			// to others; not so what they listen to.
			signals := make(chan os.Signal, 1)
			signal.Notify(signals, sig)
			defer signal.Stop(signals)
			program := exec.CommandContext(t.Context(), os.Args[0])
			program.Env = append(os.Environ(), asProgram+"=1")
			stdout, err := program.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			stderr, err := program.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			keepBusy(t, stdout)
			if err := program.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(stderr).ReadString('\n'); !strings.Contains(line, "stopping") {
				t.Fatalf("after the first signal: %q, %v", line, err)
			}
			if err := program.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := program.Wait(); !errors.As(err, &exit) {
				t.Fatalf("the second signal did not end the program: %v", err)
			}
			if status := exit.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != sig {
				t.Errorf("got %v, want an end by %v", exit, sig)
			}
		})
	}
}

// keepBusy begins a request that would take an hour.
func keepBusy(t *testing.T, stdout io.Reader) {
	t.Helper()
	base := ""
	for lines := bufio.NewScanner(stdout); base == "" && lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), "What happened: "); ok {
			base, _, _ = strings.Cut(rest, "/_local/")
		}
	}
	post := func() error {
		resp, err := http.Post(base+"/_local/faults", "application/json", strings.NewReader(`{"endpoint": "keys", "delay": "1h"}`))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := post(); err != nil {
		t.Fatal(err)
	}
	go func() {
		resp, err := http.Get(base + "/auth/.well-known/jwks.json")
		if err == nil {
			resp.Body.Close()
		}
	}()
	for {
		resp, err := http.Get(base + "/_local/counts")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), `"key_set_requests":1,`) {
			return
		}
	}
}
