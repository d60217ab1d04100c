package main

// Package main cannot be imported, so its tests are within it.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// started is a program that runs.
type started struct {
	env    map[string]string
	out    string
	stderr *bytes.Buffer // to be read after stop only
	stop   func() error
}

// start runs the program until stop, and reads what it announces.
func start(t *testing.T, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	s := &started{env: map[string]string{}, stderr: &bytes.Buffer{}}
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, write, s.stderr)
		write.CloseWithError(err)
		ended <- err
	}()
	s.stop = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	var out strings.Builder
	buf := make([]byte, 4096)
	// The announcement is one write, and ends with the control interface.
	for !strings.Contains(out.String(), "/_local/metrics") {
		n, err := read.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			t.Fatalf("the program ended: %v", err)
		}
	}
	s.out = out.String()
	for line := range strings.SplitSeq(s.out, "\n") {
		if assignment, ok := strings.CutPrefix(line, "export "); ok {
			name, value, _ := strings.Cut(assignment, "=")
			s.env[name] = strings.Trim(value, "'")
		}
	}
	return s
}

// client leads every name to this machine, as the line for /etc/hosts would.
func (s *started) client(t *testing.T, ca string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			t.Fatalf("no certificate in %s", pem)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// token asks for one as the announced settings say.
func (s *started) token(t *testing.T, client *http.Client, form url.Values) int {
	t.Helper()
	resp, err := client.PostForm(s.env["COMMERCELAYER_AUTH_URL"]+"/oauth/token", form)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestRun(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %v", secure), func(t *testing.T) {
			args, ca := []string{"-addr", "127.0.0.1:0", "-domain", "shop.test"}, ""
			if secure {
				ca = filepath.Join(t.TempDir(), "ca.pem")
				args = append(args, "-ca-out", ca)
			}
			s := start(t, args...)
			client := s.client(t, ca)
			env := s.env
			for name, form := range map[string]url.Values{
				"integration":  {"grant_type": {"client_credentials"}, "client_id": {env["COMMERCELAYER_CLIENT_ID"]}, "client_secret": {env["COMMERCELAYER_CLIENT_SECRET"]}},
				"provisioning": {"grant_type": {"client_credentials"}, "client_id": {env["COMMERCELAYER_PROVISIONING_CLIENT_ID"]}, "client_secret": {env["COMMERCELAYER_PROVISIONING_CLIENT_SECRET"]}},
				"customer": {"grant_type": {"password"}, "client_id": {env["COMMERCELAYER_SALES_CHANNEL_CLIENT_ID"]}, "scope": {env["COMMERCELAYER_SCOPE"]},
					"username": {env["COMMERCELAYER_CUSTOMER_EMAIL"]}, "password": {env["COMMERCELAYER_CUSTOMER_PASSWORD"]}},
			} {
				if status := s.token(t, client, form); status != 200 {
					t.Errorf("%s: status %d", name, status)
				}
			}
			resp, err := client.Get(env["COMMERCELAYER_API_URL"] + "/_local/health")
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("health: %v %v", resp, err)
			}
			resp.Body.Close()
			for _, want := range []string{
				"# 127.0.0.1 auth.shop.test local-shop.shop.test provisioning.shop.test dashboard.shop.test\n",
				"js-auth takes no issuer", "COMMERCELAYER_DOMAIN=shop.test:",
			} {
				if !strings.Contains(s.out, want) {
					t.Errorf("the announcement has no %q:\n%s", want, s.out)
				}
			}
			if got := env["NODE_EXTRA_CA_CERTS"]; got != ca {
				t.Errorf("NODE_EXTRA_CA_CERTS: got %q, want %q", got, ca)
			}
			client.CloseIdleConnections()
			if err := s.stop(); err != nil {
				t.Errorf("stopping: %v", err)
			}
			log := s.stderr.String()
			if !strings.Contains(log, "grant=password") {
				t.Errorf("the request log: %s", log)
			}
			for _, secret := range []string{env["COMMERCELAYER_CLIENT_SECRET"], env["COMMERCELAYER_CUSTOMER_PASSWORD"]} {
				if strings.Contains(log, secret) {
					t.Errorf("the request log holds a secret: %s", log)
				}
			}
		})
	}
}

// The file that clients read is either the old one or the new one, and holds no
// key.
func TestCAFile(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "-addr", "127.0.0.1:0", "-ca-out", ca, "-log", "off")
	content, err := os.ReadFile(ca)
	if err != nil || !bytes.HasPrefix(content, []byte("-----BEGIN CERTIFICATE-----")) || bytes.Contains(content, []byte("KEY")) {
		t.Errorf("content: %s, %v", content, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	config := func(content string) string {
		name := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"port taken", []string{"-addr", taken.Addr().String()}, "is taken"},
		{"everybody may come", []string{"-addr", "0.0.0.0:0"}, "-unsafe-listen-anywhere"},
		{"everybody may come, IPv6", []string{"-addr", "[::]:0"}, "-unsafe-listen-anywhere"},
		{"everybody may come, unsaid", []string{"-addr", ":0"}, "-unsafe-listen-anywhere"},
		{"no port", []string{"-addr", "127.0.0.1"}, "port"},
		{"bad port", []string{"-addr", "127.0.0.1:http"}, "0 to 65535"},
		{"bad domain", []string{"-domain", "127.0.0.1"}, "Domain"},
		{"bad rate limit", []string{"-rate-limit", "-1"}, "rate limit"},
		{"bad log", []string{"-log", "yes"}, "text, json or off"},
		{"unknown flag", []string{"-x"}, "wrong usage"},
		{"argument", []string{"serve"}, "no flag"},
		{"certificate without TLS", []string{"-tls=false", "-ca-out", filepath.Join(dir, "ca.pem")}, "contradict"},
		{"no folder for the certificate", []string{"-addr", "127.0.0.1:0", "-ca-out", filepath.Join(dir, "no", "ca.pem")}, "writing the certificate"},
		{"no configuration", []string{"-config", filepath.Join(dir, "none.json")}, "reading the configuration"},
		{"bad configuration", []string{"-config", config(`{"organization":{"slug":"auth"}}`)}, "Slug"},
		{"bad JSON", []string{"-config", config("{\n  \"addr\": 7\n}")}, "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := run(t.Context(), tt.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want something about %q", err, tt.want)
			}
		})
	}
}

func TestListenAnywhereWarns(t *testing.T) {
	s := start(t, "-addr", "0.0.0.0:0", "-unsafe-listen-anywhere")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.stderr.String(), "WARNING") {
		t.Errorf("no warning: %s", s.stderr)
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-help"}, io.Discard, &out); err == nil || !strings.Contains(out.String(), "-ca-out") {
		t.Errorf("help: %v\n%s", err, out.String())
	}
}
