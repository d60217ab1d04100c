package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// On real ports, as far as a client gets that takes no Secure cookies from http.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	stopped := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0"}, in, io.Discard)
		in.CloseWithError(err)
		stopped <- err
	}()
	lines := bufio.NewScanner(out)
	says := func(want string) string {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Fatalf("the program says %q, %v, want something with %q", lines.Text(), lines.Err(), want)
		}
		return lines.Text()
	}
	_, rest, _ := strings.Cut(says("Open http://127.0.0.1:"), "http://")
	addr, _, _ := strings.Cut(rest, " ")
	says("Mallory")
	says("The identity provider is at http://127.0.0.1:")
	resp, err := http.PostForm("http://"+addr+"/sign-on", url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || resp.Request.URL.Host == addr || !strings.Contains(string(page), "Who are you?") {
		t.Errorf("signing on leads to %s, %s, %v:\n%s", resp.Request.URL, resp.Status, err, page)
	}
	if want := `value="http://` + addr + `/callback"`; !strings.Contains(string(page), want) {
		t.Errorf("the page lacks %s:\n%s", want, page)
	}
	for _, args := range [][]string{{"-addr", addr}, {"-addr", "127.0.0.1:0", "-provider-addr", addr}} {
		err = run(t.Context(), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), args[len(args)-2]) {
			t.Errorf("%v, on a port that is taken: %v, want an error that says what to do", args, err)
		}
	}
	stop()
	says("Closing both.")
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want error
	}{
		{"a flag that is none", []string{"-nonsense"}, errUsage}, {"help", []string{"-h"}, flag.ErrHelp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := run(t.Context(), tt.args, io.Discard, io.Discard); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestDiscover(t *testing.T) {
	const right = `{"issuer":"https://id.example","authorization_endpoint":"https://id.example/a","token_endpoint":"https://token.example/t","jwks_uri":"https://id.example/k"}`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string // in the error; empty for none
	}{
		{"as it should be", 200, right, ""},
		{"another issuer's", 200, strings.Replace(right, "id.example", "evil.example", 1), "another issuer's"},
		{"a slash more", 200, strings.Replace(right, `id.example"`, `id.example/"`, 1), "another issuer's"},
		{"unencrypted", 200, strings.Replace(right, "https://token", "http://token", 1), "an endpoint"},
		{"no endpoint", 200, strings.Replace(right, "token_endpoint", "token", 1), "an endpoint"},
		{"no host", 200, strings.Replace(right, "https://token.example/t", "https:///t", 1), "an endpoint"},
		{"a script", 200, strings.Replace(right, "https://id.example/a", "javascript:alert(1)", 1), "an endpoint"},
		{"not there", 404, right, "404"},
		{"moved", 302, right, "302"},
		{"no JSON", 200, "<html>", "not JSON"},
		{"endless", 200, strings.Repeat(" ", 65<<10) + right, "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if got := r.URL.String(); got != "https://id.example/.well-known/openid-configuration" {
					t.Errorf("asked for %s", got)
				}
				return &http.Response{StatusCode: tt.status, Status: http.StatusText(tt.status), Body: io.NopCloser(strings.NewReader(tt.body)), Request: r}, nil
			})}
			c, err := discover(t.Context(), client, "https://id.example")
			switch {
			case tt.want == "" && (err != nil || c.Keys != "https://id.example/k" || c.Token != "https://token.example/t"):
				t.Errorf("%+v, %v", c, err)
			case tt.want != "" && (err == nil || tt.status == 200 && !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error = %v, want one about %s", err, tt.want)
			}
		})
	}
}
