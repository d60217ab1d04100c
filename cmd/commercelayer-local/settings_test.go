package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestTLSSettings(t *testing.T) {
	tests := []struct {
		name, config string
		args         []string
		tls          bool
		caOut        string
	}{
		{"neither", `{}`, nil, false, ""},
		{"flag", `{}`, []string{"-tls"}, true, ""},
		{"file", `{"tls": true}`, nil, true, ""},
		{"certificate in the file", `{"ca_out": "a.pem"}`, nil, true, "a.pem"},
		{"certificate by flag", `{"tls": false}`, []string{"-ca-out", "b.pem"}, true, "b.pem"},
		{"two certificates", `{"ca_out": "a.pem"}`, []string{"-ca-out", "b.pem"}, true, "b.pem"},
		{"flag against the file", `{"tls": true}`, []string{"-tls=false"}, false, ""},
		{"flag against a certificate in the file", `{"ca_out": "a.pem"}`, []string{"-tls=false"}, false, ""},
		{"flag against both in the file", `{"tls": true, "ca_out": "a.pem"}`, []string{"-tls=false"}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(name, []byte(tt.config), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := parse(append([]string{"-config", name}, tt.args...), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if s.tls != tt.tls || s.caOut != tt.caOut {
				t.Errorf("got TLS %v and certificate %q, want %v and %q", s.tls, s.caOut, tt.tls, tt.caOut)
			}
		})
	}
}
